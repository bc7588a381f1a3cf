"""Paints hats."""

import numpy as np

from src.sources.synthetic.geometry import sweep
from src.sources.synthetic.head import Head


def hat(head: Head) -> None:
    """A cap, a beanie or a hat with a brim all round."""
    brush = head.brush
    kind, colour, frame = head.look.hat, head.look.hat_colour, head.frame * head.size
    tall = 0.45 if kind == "beanie" else 0.43
    found = head.ellipsoid([0, 0.14, -0.03], (0.42, tall, 0.5))
    if kind == "brim":
        edge = brush.disc(head.at([0, 0.17, 0]), frame[:, 0] * 0.72, frame[:, 2] * 0.78 - frame[:, 1] * 0.09)
        brush.paint([edge], colour * np.float32(0.92), brush.unit * 0.12, shadow=0.5)
    if found:
        view, edge, local, lit = found
        cut = local[..., 1] + 0.12 * local[..., 2] - (0.16 if kind == "beanie" else 0.2)
        tone = np.ones_like(cut)
        if kind == "beanie":
            tone[cut < 0.16] = 0.85 + 0.08 * np.sin(np.arctan2(local[..., 0], local[..., 2]) * 45)[cut < 0.16]
        if kind == "brim":
            tone[cut < 0.12] = 0.5
        brush.layer.blend(view, head.cover(np.minimum(edge, cut)), colour * lit * tone[..., None])
    if kind == "cap" and frame[2, 2] > -0.2:
        slabs = [(0.15 - 0.05 * t, 0.36 + 0.38 * t, 0.37 - 0.1 * t) for t in (0, 0.5, 1)]
        brim = [brush.disc(head.at([0, y, z]), frame[:, 0] * wide, frame[:, 2] * 0.1) for y, z, wide in slabs]
        brush.paint(sweep(brim), colour * np.float32(0.9), brush.unit * 0.08, shadow=0.5)
