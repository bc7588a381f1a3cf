"""Backgrounds that show nothing in particular: patterns, shapes and textures of every scale, without a person."""

import cv2
import numpy as np

from src.sources.synthetic.basics import Array, Rng, circle, noise, pick, turn
from src.sources.synthetic.palette import GOODS, LEAVES, SKINS, STONES, SURFACES, WOODS, tint
from src.sources.synthetic.scenes import Scene

COLOURS = (*GOODS, *SURFACES, *STONES, *LEAVES, *WOODS, *SKINS)


def clutter(scene: Scene) -> None:
    """Textures and shapes in layers, the farther ones blurred."""
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


def moved(rng: Rng, image: Array) -> Array:
    """A part of `image` (S, S, 3) uint8 at the size of the whole, perhaps mirrored or turned, with other colours."""
    size = len(image)
    share = rng.uniform(0.35, 1)
    side = max(2, int(size * share))
    top, left = rng.integers(0, size - side + 1, 2)
    part = image[top : top + side, left : left + side]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    part = np.rot90(part, int(rng.integers(1, 4))) if rng.random() < 0.15 else part
    part = cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:  # other colours: the channels mixed
        mix = np.eye(3) + rng.normal(0, 0.18, (3, 3))
        part = np.clip(part @ (mix / mix.sum(1, keepdims=True)).T, 0, 255).astype(np.uint8)
    return textured(rng, part.astype(np.float32) / 255, rng.uniform(0, 0.35)) * np.float32(255)


def textured(rng: Rng, picture: Array, strength: float) -> Array:
    """`picture` (S, S, 3) float32 with the roughness of real surfaces: noise of several scales, grey and coloured."""
    shape = picture.shape[:2]
    rough = np.zeros(shape, np.float32)
    for octave in range(3, 8):
        *cells, weight = rng.uniform((0.4, 0.4, 0), (1, 1, 0.5))
        rough += noise(rng, shape, (cells[0] * 2**octave, cells[1] * 2**octave)) * np.float32(weight)
    return np.clip(picture * (1 + np.float32(strength) * rough[..., None]), 0, 1)
