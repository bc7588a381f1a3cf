"""The one light of a photo, and the shadows it throws on the ground."""

from typing import NamedTuple

import cv2
import numpy as np

from src.sources.synthetic.basics import Array, Rng, normalised, pick


class Light(NamedTuple):
    """Where the light comes from (3,) in the picture's axes (x right, y down, z nearer) and its colours (3,)."""

    direction: Array
    key: Array
    ambient: Array

    def on(self, x: Array, y: Array, z: Array) -> Array:
        """Light (H, W, 3) on a surface with the unit normals x, y and z, each (H, W), in the picture's axes."""
        facing = np.maximum(x * self.direction[0] + y * self.direction[1] + z * self.direction[2], 0)
        return self.ambient + self.key * facing[..., None].astype(np.float32)


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
