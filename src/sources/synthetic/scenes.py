"""The backgrounds: streets, parks, rooms, beaches, studios, shops and walls."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from src.sources.synthetic.basics import Array, Rng, circle, ellipse, noise, pick, rect, smooth, turn
from src.sources.synthetic.palette import CLOTHS, GOODS, LEAVES, SKIES, SKINS, STONES, SURFACES, VIVID, WOODS, rgb, tint
from src.sources.synthetic.props import PROPS, STREET_THINGS, column


class Scene:
    """A background picture (S, S, 3) uint8 that is drawn far to near; positions are in sides of the photo, y down."""

    def __init__(self, size: int, horizon: float, rng: Rng):
        self.size, self.horizon, self.rng = size, horizon, rng
        self.image = np.full((size, size, 3), 200, np.uint8)

    def poly(self, points: Any, colour: Array) -> None:
        """Fills the polygon through points (N, 2) with a colour (3,), in 0..1 but clipped."""
        corners = np.round(np.asarray(points, float) * self.size * 16).astype(np.int32)
        tone = tuple(float(c) for c in np.clip(colour * 255, 0, 255))
        cv2.fillPoly(self.image, [corners], tone, cv2.LINE_AA, 4)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Array) -> None:
        """Fills an ellipse."""
        self.poly(ellipse(x, y, rx, ry, 28), colour)

    def fade(self, y0: float, y1: float, top: Array, bottom: Array, grain: float = 0.0) -> None:
        """A vertical gradient over the full width with patches of noise that lie flat."""
        a, b = (int(np.clip(v, 0, 1) * self.size) for v in (y0, y1))
        ramp = np.linspace(0, 1, max(b - a, 1), dtype=np.float32)[:, None, None]
        colour = np.repeat(top + (bottom - top) * ramp, self.size, 1)
        for cells in ((4, 3), (30, 14), (90, 50)):
            colour = colour * (1 + np.float32(grain * 0.5) * noise(self.rng, colour.shape[:2], cells)[..., None])
        self.image[a:b] = np.clip(colour * 255, 0, 255)[: b - a]

    def prop(self, name: str, x: float, base: float, height: float, paint: Array | None = None) -> None:
        """One of PROPS, standing at (x, base); mirrored half of the time."""
        paint = tint(self.rng, VIVID + CLOTHS + SURFACES) if paint is None else paint
        flip = pick(self.rng, (-1, 1))
        for tone, points in PROPS[name]:
            colour = rgb(tone) if isinstance(tone, str) else paint * tone
            outline = ellipse(*points) if len(points) == 4 and np.ndim(points) == 1 else np.array(points, float)
            self.poly(outline * [flip * height, -height] + [x, base], colour)

    def leaves(self, x: float, y: float, rx: float, ry: float, colour: Array, *, count: int = 60) -> None:
        """A clump of foliage, lighter at the top."""
        for t in np.sort(self.rng.uniform(0, 1, count)):
            angle, reach, r = self.rng.uniform(0, (2 * np.pi, 1, 1))
            dx, dy = np.sqrt(reach) * np.cos(angle), np.sqrt(reach) * np.sin(angle)
            size = 0.1 + 0.18 * r
            tone = colour * (0.55 + 0.5 * t - 0.28 * dy + self.rng.uniform(-0.1, 0.1))
            self.oval(x + dx * rx * 0.85, y + dy * ry * 0.85, rx * size, ry * size, tone)

    def tree(self, x: float, base: float, height: float) -> None:
        """A trunk with four clumps of leaves."""
        bark, leaf = tint(self.rng, WOODS) * 0.7, tint(self.rng, LEAVES)
        for tone, points in column(0.035, 0, 0.62):
            self.poly(np.array(points) * [height, -height] + [x, base], bark * tone)
        for dx, up in self.rng.uniform((-0.2, 0.55), (0.2, 0.95), (4, 2)):
            self.leaves(x + dx * height, base - height * up, height * 0.24, height * 0.2, leaf, count=45)

    def blur(self, low: float, high: float) -> None:
        """Depth blur by a sigma in sides of the photo."""
        sigma = self.rng.uniform(low, high) * self.size
        if sigma > 0.3:
            self.image = np.asarray(cv2.GaussianBlur(self.image, (0, 0), sigma))

    def street_things(self, base: float, height: float, count: int) -> None:
        """Things of STREET_THINGS around the line y = base, each with a shadow; `height` is 1 in that table."""
        for _ in range(count):
            name, tall = pick(self.rng, STREET_THINGS)
            x, y = self.rng.uniform(0, 1), base + self.rng.uniform(-0.02, 0.02)
            ground = self.image[int(np.clip(y, 0, 0.99) * self.size), 0]
            self.oval(x + 0.02, y, 0.02 + 0.06 * height * tall, 0.006, ground / 400)
            self.prop(name, x, y, height * tall)

    def facade(self, quad: Array, wall: Array) -> None:
        """A building's front: quad (4, 2) from the top left clockwise, with rows of windows in perspective."""
        self.poly(quad, wall)
        warp = cv2.getPerspectiveTransform(np.array(rect(0, 0, 1, 1), np.float32), np.asarray(quad, np.float32))
        columns, rows = (int(n) for n in self.rng.integers((2, 3), (7, 7)))
        glass, frame = tint(self.rng, ("#4a5a68", "#6f8698", "#2f3a44", "#a9bccb")), tint(self.rng, SURFACES) * 1.1
        for i, j in np.ndindex(columns, rows):
            x, y, w, h = (i + 0.22) / columns, (j + 0.2) / (rows + 0.3), 0.56 / columns, 0.6 / (rows + 0.3)
            h *= 1.4 if j == rows - 1 else 1  # shop windows and doors
            for rim, colour in ((0.015, frame), (0, glass * self.rng.uniform(0.7, 1.35))):
                pane = np.array(rect(x - rim, y - rim, x + w + rim, y + h + rim), np.float32)
                self.poly(cv2.perspectiveTransform(pane[None], warp)[0], colour)


def sky(scene: Scene) -> None:
    """A sky with clouds, down to the horizon."""
    top, low = pick(scene.rng, SKIES)
    scene.fade(0, scene.horizon + 0.02, rgb(top), rgb(low))
    shape = (int(scene.size * scene.horizon), scene.size)
    cloud = noise(scene.rng, shape, (5, 3)) + 0.5 * noise(scene.rng, shape, (16, 9)) - 0.1
    cloud = np.clip(cloud, 0, 1)[..., None] * 0.7
    scene.image[: shape[0]] = scene.image[: shape[0]] * (1 - cloud) + 250 * cloud


def street(scene: Scene) -> None:
    rng, h = scene.rng, scene.horizon
    sky(scene)
    for x in np.arange(0, 1, 0.09):
        scene.poly(rect(x, h - rng.uniform(0.08, 0.3), x + 0.1, h + 0.01), tint(rng, SURFACES) * 0.5 + 0.35)
    vanish = rng.uniform(0.25, 0.75)
    ground = tint(rng, STONES)
    scene.fade(h, 1, ground * 1.1, ground * 0.8, 0.12)
    left, right = vanish + rng.uniform(0.3, 0.8), vanish + rng.uniform(1.3, 2)
    scene.poly([(vanish, h), (left, 1), (right, 1)], tint(rng, ("#55575b", "#66676b", "#494b50")))
    scene.poly([(vanish, h), (left, 1), (left - 0.03, 1)], ground * 1.2)
    for side in (-1, 1):
        edges = [1.3, *np.sort(rng.uniform(0.12, 0.95, 3))[::-1], 0.05]
        for near, far in pairwise(edges):
            top, wall = rng.uniform(0.5, 1.1), tint(rng, SURFACES + VIVID[:1]) * (0.85 if side < 0 else 1)
            corners = ((near, -top), (far, -top), (far, 0.18), (near, 0.18))
            quad = [(vanish + side * 0.75 * d, h + v * d) for d, v in corners]
            scene.facade(np.array(quad)[[0, 1, 2, 3] if side < 0 else [1, 0, 3, 2]], wall)
    scene.blur(0.001, 0.004)
    for depth in np.sort(rng.uniform(0.04, 0.3, rng.integers(1, 4))):
        scene.prop("car", rng.uniform(-0.1, 1.1), h + depth, 0.05 + depth * 0.5)
    if rng.random() < 0.5:
        scene.tree(rng.uniform(0, 1), h + 0.12, rng.uniform(0.4, 0.8))
    scene.street_things(h + rng.uniform(0.05, 0.2), rng.uniform(0.15, 0.4), int(rng.integers(2, 6)))


def park(scene: Scene) -> None:
    rng, h = scene.rng, scene.horizon
    sky(scene)
    leaf = tint(rng, LEAVES[:5])
    for x in np.linspace(-0.05, 1.05, 9):
        tone = leaf * rng.uniform(0.65, 0.9) + 0.12  # pale with distance
        scene.leaves(x, h - rng.uniform(0.02, 0.1), 0.11, rng.uniform(0.08, 0.2), tone, count=40)
    grass = tint(rng, ("#7d9b4e", "#6c8f48", "#9aa75a", "#5f8548"))
    scene.fade(h, 1, grass, grass * 0.75, 0.3)
    foot, bend, near = rng.uniform(0.2, 0.8), rng.uniform(-0.3, 0.3), np.linspace(0, 1, 12)
    middle, wide = foot + bend * (1 - near), 0.02 + 0.3 * near**1.6
    edge = [np.stack([middle + s * wide, h + (1 - h) * near], -1) for s in (-1, 1)]
    scene.poly(np.concatenate([edge[0], edge[1][::-1]]), tint(rng, ("#c9b896", "#b5a58c", "#bdbab2")))
    scene.blur(0.001, 0.005)
    for depth in np.sort(rng.uniform(0.02, 0.22, rng.integers(2, 5))):
        scene.tree(rng.uniform(-0.05, 1.05), h + depth, 0.35 + depth * 3.5)
    for depth in np.sort(rng.uniform(0.02, 0.25, rng.integers(1, 5))):
        r = 0.06 + depth * 0.4
        scene.leaves(rng.uniform(0, 1), h + depth - r * 0.5, r * 1.3, r, tint(rng, LEAVES))
    if rng.random() < 0.6:
        scene.prop("bench", rng.uniform(0.1, 0.9), h + rng.uniform(0.08, 0.2), rng.uniform(0.12, 0.2), tint(rng, WOODS))
    scene.street_things(h + rng.uniform(0.05, 0.2), rng.uniform(0.15, 0.4), int(rng.integers(0, 4)))


def room(scene: Scene) -> None:
    rng = scene.rng
    floor = float(np.clip(scene.horizon + rng.uniform(0.12, 0.3), 0.45, 0.95))
    walls = ("#d9d2c5", "#b8c4c2", "#c9b7a2", "#8fa3a6", "#e5e0d6", "#b98f7a", "#a8b094", "#6f7b86", "#d7b9a0")
    wall, wood = tint(rng, walls), tint(rng, WOODS)
    scene.fade(0, 1, wall * 1.03, wall * 0.82, 0.05)
    scene.fade(floor, 1, wood * 0.9, wood * 1.05, 0.1)
    for x in np.linspace(-2, 3, 26):
        far = 0.5 + (x - 0.5) * 0.55
        scene.poly([(far, floor), (far + 0.003, floor), (x + 0.006, 1), (x, 1)], wood * 0.72)
    scene.poly(rect(0, floor - 0.03, 1, floor), wall * 0.5 + 0.5)
    for slot in rng.permutation(4)[: int(rng.integers(3, 5))]:
        x, kind = (slot + 0.5) / 4 + rng.uniform(-0.03, 0.03), pick(rng, ("window", "picture", "shelf", "coats"))
        if kind == "shelf":
            shelf(scene, x - 0.12, floor)
        elif kind == "picture":
            picture_frame(scene, x - 0.1, floor - rng.uniform(0.5, 0.75))
        else:
            scene.prop(kind, x, floor + (0.03 if kind == "coats" else -0.25), 0.7 if kind == "coats" else 0.4)
    scene.blur(0.0005, 0.004)
    for name, height, chance in (("sofa", 0.27, 0.7), ("floor lamp", 0.6, 0.5)):
        if rng.random() < chance:
            scene.prop(name, rng.uniform(0.05, 0.95), floor + 0.06, height * rng.uniform(0.9, 1.1))
    if rng.random() < 0.6:
        corner = rng.uniform(0.02, 0.98)
        scene.prop("pot", corner, floor + 0.07, 0.1)
        scene.leaves(corner, floor - 0.14, 0.1, 0.14, rgb("#4c7a4a"), count=40)


def picture_frame(scene: Scene, x: float, y: float) -> None:
    """An abstract painting on the wall; (x, y) is its top left."""
    w, h = scene.rng.uniform(0.1, 0.22, 2)
    scene.poly(rect(x + 0.006, y + 0.008, x + w + 0.008, y + h + 0.01), np.full(3, 0.35))
    scene.poly(rect(x, y, x + w, y + h), tint(scene.rng, ("#2b2622", "#8b6a45", "#f0ede6")))
    scene.poly(rect(x + 0.012, y + 0.012, x + w - 0.012, y + h - 0.012), tint(scene.rng, SURFACES))
    for a, b, r in scene.rng.uniform((0.3, 0.3, 0.05), (0.7, 0.7, 0.2), (6, 3)):
        scene.oval(x + w * a, y + h * b, w * r, h * r, tint(scene.rng, VIVID))


def shelf(scene: Scene, x: float, floor: float) -> None:
    """A shelf of books, in every colour that people wear or have."""
    rng, rows = scene.rng, int(scene.rng.integers(3, 6))
    w, tall, wood = rng.uniform(0.2, 0.3), rng.uniform(0.5, 0.85), tint(rng, (*WOODS, "#3c3a39"))
    scene.poly(rect(x, floor - tall, x + w, floor + 0.02), wood * 0.55)
    for y in floor - tall + tall / rows * np.arange(1, rows + 1):
        at = x + 0.012
        while at < x + w - 0.03:
            thick, high = rng.uniform(0.008, 0.026), tall / rows * rng.uniform(0.45, 0.85)
            if rng.random() < 0.85:
                scene.poly(rect(at, y - high, at + thick, y), tint(rng, VIVID + CLOTHS + SURFACES))
            at += thick + 0.002
        scene.poly(rect(x, y, x + w, y + 0.012), wood)


def beach(scene: Scene) -> None:
    rng, h = scene.rng, scene.horizon
    sky(scene)
    shore = h + rng.uniform(0.06, 0.2)
    deep, sand = tint(rng, ("#3f7f9f", "#4b95a8", "#5f8fa8", "#37698a")), tint(rng, ("#e2cfa6", "#d6bd92", "#cdb897"))
    scene.fade(h, shore, deep, deep * 0.6 + 0.38, 0.18)
    scene.fade(shore, 1, sand * 0.86, sand * 1.02, 0.12)
    for x, near, w in rng.uniform((0, 0, 0.03), (1, 1, 0.2), (40, 3)):
        y = (shore - h) * near**0.6
        scene.oval(x, h + y, w * (0.2 + y * 6), 0.0012 + y * 0.012, deep * 0.4 + 0.55)
    scene.oval(0.5, shore, 0.9, 0.006, np.full(3, 0.95))
    scene.blur(0.001, 0.003)
    for x, y, tall in rng.uniform((0, 0.03, 0.2), (1, 0.2, 0.42), (rng.integers(1, 4), 3)):
        scene.oval(x + tall * 0.15, shore + y, tall * 0.4, tall * 0.05, sand * 0.7)
        scene.prop("parasol", x, shore + y, tall, tint(rng, VIVID) * 0.5 + 0.4)
    for x, y in rng.uniform((0, 0.1), (1, 0.4), (rng.integers(0, 4), 2)):
        scene.prop("towel", x, shore + y, 0.14, tint(rng, VIVID))
    scene.street_things(shore + rng.uniform(0.03, 0.15), 0.25, int(rng.integers(1, 4)))


def studio(scene: Scene) -> None:
    rng = scene.rng
    tones = ("#8d9197", "#c9c5be", "#55606e", "#a58f7d", "#e6e3de", "#7d8f8a", "#b9848a", "#3d4148")
    y, x = np.mgrid[0 : scene.size, 0 : scene.size].astype(np.float32) / scene.size
    spot = np.exp(-((x - rng.uniform(0.3, 0.7)) ** 2 + (y - rng.uniform(0.25, 0.5)) ** 2) / 0.28)
    floor = 0.12 / (1 + np.exp(-(y - scene.horizon - 0.25) * 30))
    scene.image = np.clip(tint(rng, tones) * (0.62 + 0.5 * spot + floor)[..., None] * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        scene.prop("softbox", rng.choice((0.07, 0.93)), 0.95, 0.9)


def shop(scene: Scene) -> None:
    """Shelves of goods, or rails of clothes with nobody in them."""
    rng = scene.rng
    floor = float(np.clip(scene.horizon + rng.uniform(0.18, 0.3), 0.5, 0.95))
    base, rows, rail = tint(rng, ("#cfc9c0", "#9aa3a8", "#b5a793")), int(rng.integers(3, 7)), rng.random() < 0.4
    scene.fade(0, floor, base * 0.35, base * 0.42)
    scene.fade(floor, 1, base * 1.1, base * 0.85, 0.06)
    step = floor / rows
    for y in step * np.arange(1, rows + 1):
        x = rng.uniform(-0.04, 0)
        while x < 1:
            w, tall, tone = rng.uniform(0.025, 0.07), step * rng.uniform(0.5, 0.85), tint(rng, GOODS)
            if rail:
                side = [(x + w, y - step * 0.75), (x + w, y - step * 0.1)]
                scene.poly([(x + w / 2, y - step * 0.95), *side, (x, y - step * 0.1), (x, y - step * 0.75)], tone)
                scene.poly([(x + w * 0.8, y - step * 0.75), *side, (x + w * 0.7, y - step * 0.1)], tone * 0.75)
            for k in range(0 if rail else rng.integers(1, 4)):
                left = x + k * w
                scene.poly(rect(left, y - tall, left + w * 0.94, y), tone)
                scene.poly(rect(left + w * 0.7, y - tall, left + w * 0.94, y), tone * 0.75)
                scene.poly(rect(left + w * 0.1, y - tall * 0.6, left + w * 0.84, y - tall * 0.3), tone * 0.4 + 0.55)
                x += w * (k > 0)
            x += w + rng.uniform(0, 0.012)
        scene.poly(rect(0, y - 0.012, 1, y + 0.006), base * 1.05)
    scene.blur(0.001, 0.005)
    scene.street_things(floor + 0.08, 0.3, int(rng.integers(1, 4)))


def bricks(scene: Scene) -> None:
    rng = scene.rng
    floor = float(np.clip(scene.horizon + rng.uniform(0.2, 0.32), 0.5, 0.95))
    brick, joint = tint(rng, ("#a3543f", "#8f4a3a", "#b97a5a", "#c9b9a4", "#7d7a78")), tint(rng, ("#b8aca0", "#8d857d"))
    scene.fade(0, floor, joint, joint * 0.9)
    tall = rng.uniform(0.02, 0.034)
    for j, i in np.ndindex(int(floor / tall) + 1, int(1 / (tall * 2.6)) + 2):
        x, y = (i - 1 + 0.5 * (j % 2)) * tall * 2.6, j * tall
        scene.poly(rect(x, y, x + tall * 2.45, y + tall * 0.86), brick * rng.uniform(0.82, 1.15))
    for _ in range(rng.integers(0, 8)):  # graffiti
        knots = rng.uniform((0, 0.02), (1, floor - 0.05)) + np.cumsum(rng.normal(0, 0.1, (8, 2)), 0)
        curve = np.round(smooth(np.clip(knots, 0.01, floor - 0.05), 50) * scene.size * 16).astype(np.int32)
        ink, thick = tint(rng, VIVID), max(1, round(scene.size * rng.uniform(0.008, 0.035)))
        cv2.polylines(scene.image, [curve], False, tuple(float(c) * 255 for c in ink), thick, cv2.LINE_AA, 4)
    ground = tint(rng, STONES)
    scene.fade(floor, 1, ground * 0.9, ground, 0.15)
    scene.blur(0.0005, 0.004)
    scene.street_things(floor + rng.uniform(0.03, 0.1), rng.uniform(0.2, 0.4), int(rng.integers(1, 5)))


SCENES: tuple[Callable[[Scene], None], ...] = (street, street, park, park, room, room, beach, studio, shop, bricks)
COLOURS = (*GOODS, *SURFACES, *STONES, *LEAVES, *WOODS, *SKINS)


def clutter(scene: Scene) -> None:
    """Nothing in particular: textures and shapes of every scale in layers, the farther ones blurred."""
    rng = scene.rng
    scene.fade(0, 1, tint(rng, COLOURS), tint(rng, COLOURS), rng.uniform(0, 0.4))
    for _ in range(rng.integers(1, 4)):
        large = np.exp(rng.uniform(np.log(0.02), np.log(0.35)))
        shapes(scene, int(min(rng.uniform(0.2, 1.5) / large**1.5, 160)), large)
        if rng.random() < 0.6:
            scene.blur(0.001, 0.02)


def shapes(scene: Scene, count: int, large: float) -> None:
    """Polygons, ovals, bars and strokes of about `large` sides of the photo, in a few colours."""
    rng = scene.rng
    colours = [tint(rng, COLOURS) for _ in range(rng.integers(2, 7))]
    kinds = rng.integers(0, 4, 2)
    for _ in range(count):
        x, y, w, h, angle = rng.uniform((-0.1, -0.1, 0.3, 0.3, 0), (1.1, 1.1, 1.5, 1.5, 180))
        outline = {
            0: circle(20),
            1: np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float),
            2: circle(6)[: rng.integers(3, 7)] * rng.uniform(0.4, 1.2, (1, 1)),
            3: np.array([(-3, -0.15), (3, -0.15), (3, 0.15), (-3, 0.15)]),
        }[int(pick(rng, [*kinds]))]
        upright = angle if rng.random() < 0.5 else 0
        placed = (outline * (w * large, h * large)) @ turn(2, upright)[:2, :2] + (x, y)
        scene.poly(placed, pick(rng, colours) * np.float32(rng.uniform(0.7, 1.25)))
