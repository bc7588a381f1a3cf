"""What garments are made of: a colour, and a pattern that runs along them."""

from typing import NamedTuple

import numpy as np

from src.sources.synthetic.basics import Array

PRINTS = ("stripes", "pins", "checks", "plaid", "dots", "blots", "marble", "blocks")


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
