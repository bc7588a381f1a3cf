"""What may stand between the camera and a person."""

import numpy as np

from src.sources.synthetic.chance import Rng
from src.sources.synthetic.geometry import ellipse, rect, turn
from src.sources.synthetic.layer import Layer
from src.sources.synthetic.light import Light
from src.sources.synthetic.palette import LEAVES, SURFACES, VIVID, tint


def foreground(rng: Rng, size: int, light: Light) -> Layer:
    """Something near the camera that may hide a part of a person: leaves, a post or a table with things on it."""
    layer, kind, x = Layer(size, light), rng.integers(3), rng.uniform(0.1, 0.9)
    tone = tint(rng, SURFACES + VIVID)
    if kind == 0:
        leaf, blade = tint(rng, LEAVES), ellipse(0, 0, 1, 0.3)
        for _ in range(60):
            spot, turned = rng.normal((x, 1.0), (0.16, 0.09)) * size, turn(2, rng.uniform(0, 180))[:2, :2]
            shape = [spot + blade @ turned * rng.uniform(0.03, 0.06) * size]
            layer.paint(shape, leaf * np.float32(rng.uniform(0.6, 1.15)), size * 0.012, shadow=0.3)
    elif kind == 1:
        wide = rng.uniform(0.02, 0.05)
        layer.paint([np.array(rect(x, -0.1, x + wide, 1.1)) * size], tone * np.float32(0.8), size * wide * 0.5)
    else:
        top = rng.uniform(0.8, 0.9)
        layer.paint([np.array(rect(-0.1, top, 1.1, 1.1)) * size], tone, size * 0.02)
        for x, w, h in rng.uniform((0, 0.02, 0.04), (0.95, 0.06, 0.14), (rng.integers(1, 5), 3)):
            thing = [np.array(rect(x, top + 0.03 - h, x + w, top + 0.03)) * size]
            layer.paint(thing, tint(rng, VIVID), size * w * 0.4, shadow=0.3)
    return layer
