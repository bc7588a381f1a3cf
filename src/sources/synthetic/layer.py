"""A picture with alpha that shapes of any cloth are painted on, shaded as if round by the one light of a photo."""

from typing import Any, NamedTuple

import cv2
import numpy as np

from src.sources.synthetic.basics import Array, Rng, Shape, noise, normalised, pick

PRINTS = ("stripes", "pins", "checks", "plaid", "dots", "blots", "marble", "blocks")
View = tuple[slice, slice]  # rows and columns of a picture


class Light(NamedTuple):
    """Where the light comes from (3,) in the picture's axes (x right, y down, z nearer) and its colours (3,)."""

    direction: Array
    key: Array
    ambient: Array

    def on(self, x: Array, y: Array, z: Array) -> Array:
        """Light (H, W, 3) on a surface with the unit normals x, y and z, each (H, W), in the picture's axes."""
        facing = np.maximum(x * self.direction[0] + y * self.direction[1] + z * self.direction[2], 0)
        return self.ambient + self.key * facing[..., None].astype(np.float32)


class Grid(NamedTuple):
    """How a pattern lies on a layer: its origin (2,) in pixels, the unit vector (2,) along it, and pixels in a head."""

    origin: Array
    along: Array
    scale: float

    def at(self, columns: Array, rows: Array) -> tuple[Array, Array]:
        """Distances (H, W) in heads across and along the garment at pixels; rows across it sag, as on a round body."""
        (x, y), (dx, dy) = self.origin, self.along
        across = ((columns - x) * -dy + (rows - y) * dx) / self.scale
        along = ((columns - x) * dx + (rows - y) * dy) / self.scale
        return across, along + 0.12 * across**2


class Cloth(NamedTuple):
    """What a garment is made of: its colour, its pattern's name, colour and period in heads."""

    colour: Array
    kind: str
    ink: Array
    pitch: float

    def weave(self, across: Array, along: Array) -> Array:
        """Colour (H, W, 3) at distances in heads across and along the garment."""

        def wave(x: Array) -> Array:
            return np.clip(0.5 + 2.5 * np.sin(2 * np.pi * x / self.pitch), 0, 1).astype(np.float32)

        weight = {
            "stripes": lambda: wave(along),
            "pins": lambda: wave(across) * 0.7,
            "checks": lambda: (wave(along) + wave(across)) * 0.5,
            "plaid": lambda: 0.45 * wave(along) + 0.3 * wave(across * 2) * wave(across * 0.5) + 0.15,
            "dots": lambda: wave(along) * wave(across),
            "blots": lambda: wave(along + 0.3 * wave(across * 0.7)) * wave(across * 1.3 + 0.4 * wave(along * 0.6)),
            "marble": lambda: wave(0.6 * across + 0.5 * np.sin(3 * along / self.pitch) * self.pitch),
            "blocks": lambda: (wave(along * 0.25) > 0.5) * np.float32(1),
        }[self.kind]()
        return self.colour + weight[..., None] * (self.ink - self.colour)


def draw_light(rng: Rng) -> Light:
    """A light from above, from the left or from the right, warm over cool or cool over warm."""
    side, power, warm = pick(rng, (-1, 1)), rng.uniform(0.5, 0.75), rng.uniform(-0.06, 0.08)
    towards = normalised(np.array([side * rng.uniform(0.35, 0.8), -rng.uniform(0.3, 0.8), rng.uniform(0.5, 0.9)]))
    key = np.array([1 + warm, 1, 1 - warm], np.float32) * np.float32(power)
    ambient = np.array([1 - warm, 1, 1 + warm], np.float32) * np.float32(1.0 - power * 0.75)
    return Light(towards.astype(np.float32), key, ambient)


def ground_shadow(picture: Array, alpha: Array, feet: float, light: Light) -> None:
    """Darkens the picture (S, S, 3) where the shape (S, S) falls on the ground at y `feet`, away from the light."""
    size = len(alpha)
    small, y = cv2.resize(alpha, (size // 4, size // 4), interpolation=cv2.INTER_AREA), feet / 4
    lean = float(np.clip(-light.direction[0] * 1.1, -0.9, 0.9))
    for squash, slant, soft, dark in ((0.28, lean, 0.012, 0.44), (0.07, 0.1 * lean, 0.02, 0.48)):
        move = np.array([[1, -slant, slant * y], [0, squash, y * (1 - squash)]])
        cast = cv2.GaussianBlur(cv2.warpAffine(small, move, small.shape), (0, 0), max(0.5, soft * size / 4))
        picture *= 1 - np.float32(dark) * cv2.resize(cast, (size, size), interpolation=cv2.INTER_LINEAR)[..., None]


class Layer:
    """A picture with alpha, painted back to front: rgb (S, S, 3) premultiplied and alpha (S, S), float32 in 0..1."""

    def __init__(self, size: int, light: Light):
        self.size, self.light = size, light
        self.rng = np.random.default_rng(0)  # of folds only, because how much they draw depends on the photo's size
        self.rgb = np.zeros((size, size, 3), np.float32)
        self.alpha = np.zeros((size, size), np.float32)

    def window(self, points: Array, margin: float) -> View | None:
        """The part of the picture around the points (N, 2), or None where they are outside of it."""
        low = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
        high = np.minimum(np.ceil(points.max(0) + margin) + 1, self.size).astype(int)
        return None if (high <= low).any() else (slice(low[1], high[1]), slice(low[0], high[0]))

    def onto(self, picture: Array) -> None:
        """Lays the layer over a picture (S, S, 3) float32."""
        picture *= 1 - self.alpha[..., None]
        picture += self.rgb

    def blend(self, view: View, cover: Array, colour: Array) -> None:
        """Lays a colour (3,) or (H, W, 3) over a part of the layer, with coverage (H, W) in 0..1."""
        cover = cover.astype(np.float32)
        self.rgb[view] += cover[..., None] * (colour.astype(np.float32) - self.rgb[view])
        self.alpha[view] += cover * (1 - self.alpha[view])

    def fill(self, shape: Shape, view: View) -> Array:
        """(H, W) uint8, 255 in the union of the polygons, with smooth edges."""
        origin = np.array([view[1].start, view[0].start])
        mask = np.zeros((view[0].stop - view[0].start, view[1].stop - view[1].start), np.uint8)
        for polygon in shape:
            corners = np.round(np.clip((polygon - origin) * 16, -(2**20), 2**20)).astype(np.int32)
            cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
        return mask

    def shade(self, mask: Array, relief: float, folds: float) -> Array:
        """Light (H, W, 3) on a cushion that has the shape of mask (H, W) uint8 and a rim `relief` pixels wide."""
        step = max(1, int(relief / 6))  # the light is smooth, so it is worked out on a coarse grid
        size = (max(2, mask.shape[1] // step), max(2, mask.shape[0] // step))
        sigma = max(0.45 * relief / step, 0.6)
        height: Array = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        height = cv2.GaussianBlur(height, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) * np.float32(sigma * 3.6)
        if folds:
            cells = (size[1] / sigma / 2.6, size[0] / sigma / 1.5)
            height += noise(self.rng, (size[1], size[0]), cells) * np.float32(folds * sigma * 0.45)
        dx, dy = (cv2.Sobel(height, cv2.CV_32F, i, 1 - i, scale=0.125) for i in (1, 0))
        steep = np.sqrt(1 + dx * dx + dy * dy)
        lit = self.light.on(-dx / steep, -dy / steep, 1 / steep)
        return np.asarray(cv2.resize(lit, mask.shape[::-1], interpolation=cv2.INTER_LINEAR))

    def darken(self, view: View, cover: Array, reach: float, strength: Array | float) -> None:
        """Casts the shadow of coverage (H, W) on what is painted there, away from the light.

        reach: how far it falls, in about pixels. strength: how dark (0..1) it is, a number or (H, W).
        """
        away = -0.5 * reach * self.light.direction[:2]
        move = np.array([[1, 0, away[0]], [0, 1, away[1]]])
        cast = cv2.warpAffine(cover, move, cover.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        cast = cv2.blur(cast, (max(1, round(0.8 * reach)),) * 2)
        self.rgb[view] *= (1 - strength * cast)[..., None]

    def paint(
        self,
        shape: Shape,
        cloth: Cloth | Array,
        relief: float = 0.0,
        *,
        opacity: float = 1.0,
        soft: float = 0.0,
        inside: bool = False,
        shadow: float = 0.0,
        folds: float = 0.0,
        fuse: tuple[Array, float] | None = None,
        grid: Grid | None = None,
    ) -> None:
        """Paints the union of the polygons.

        cloth: what it is made of, or only its colour (3,). relief: width of the rounded rim in pixels (0: flat). soft:
        blur of the edge in pixels. inside: only over what is painted. shadow: how dark (0..1) it makes what lies under
        it, next to it. folds: how deep they are, in about reliefs. fuse: (point, radius) in pixels around which it
        blends into what it overlaps, so that a joint shows no edge. grid: where the cloth's pattern lies.
        """
        view = self.window(np.concatenate(shape), 3 * soft + (1.3 * relief if shadow else 0) + 2)
        if view is None:
            return
        mask = self.fill(shape, view)
        cover: Array = mask.astype(np.float32) / 255
        if soft > 0.3:
            cover = cv2.GaussianBlur(cover, (0, 0), soft, borderType=cv2.BORDER_REPLICATE)
        rows, columns = np.ogrid[view]
        joined: Any = 1
        if fuse:
            distance = np.hypot(columns - fuse[0][0], rows - fuse[0][1]) / fuse[1]
            joined = np.clip(2 * distance - 1, 0, 1).astype(np.float32)
        if shadow:
            self.darken(view, cover, relief, np.float32(shadow) * joined)
        cover *= np.float32(opacity)
        if inside:
            cover *= self.alpha[view]
        if fuse:
            cover *= np.maximum(joined, 1 - self.alpha[view])
        colour = cloth.colour if isinstance(cloth, Cloth) else cloth
        if grid and isinstance(cloth, Cloth) and cloth.kind != "plain":
            colour = cloth.weave(*grid.at(columns, rows))
        self.blend(view, cover, colour * self.shade(mask, relief, folds) if relief else colour)
