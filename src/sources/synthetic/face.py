"""Paints the skin of a head, its features and spectacles."""

from typing import Any

import numpy as np

from src.sources.synthetic.basics import ellipse
from src.sources.synthetic.head import Head
from src.sources.synthetic.palette import rgb

# The face on the head's x and y: where (both sides, the side away from the light, the middle), colour, opacity, blur,
# and the points of a polygon (x, y) or of a line (x, y, width).
# fmt: off
FACE: tuple[tuple[str, str, float, float, Any], ...] = (
    ("both", "dark", 0.35, 0.03, ellipse(0.165, 0.035, 0.10, 0.065)),
    ("both", "white", 1, 0, [(0.087, 0.015), (0.125, 0.045), (0.165, 0.052), (0.21, 0.041),
                             (0.243, 0.019), (0.205, -0.007), (0.165, -0.013), (0.12, -0.005)]),
    ("both", "iris", 1, 0, ellipse(0.165, 0.019, 0.033, 0.033)),
    ("both", "black", 1, 0, ellipse(0.165, 0.019, 0.016, 0.016)),
    ("both", "glint", 1, 0, ellipse(0.156, 0.031, 0.009, 0.009)),
    ("both", "lid", 1, 0, [(0.08, 0.015, 0.01), (0.125, 0.045, 0.022), (0.165, 0.054, 0.024),
                           (0.21, 0.042, 0.024), (0.25, 0.015, 0.014)]),
    ("both", "dark", 0.5, 0, [(0.08, 0.015, 0.005), (0.125, -0.007, 0.01), (0.165, -0.015, 0.01),
                              (0.21, -0.005, 0.01), (0.25, 0.015, 0.005)]),
    ("both", "brow", 0.85, 0.004, [(0.065, 0.10, 0.036), (0.125, 0.12, 0.036), (0.195, 0.127, 0.03),
                                   (0.275, 0.09, 0.012)]),
    ("both", "blush", 0.35, 0.04, ellipse(0.22, -0.13, 0.09, 0.06)),
    ("away", "dark", 0.5, 0.022, [(0, 0.06), (0.045, 0), (0.09, -0.14), (0.01, -0.15)]),
    ("mid", "light", 0.6, 0.02, ellipse(0, -0.105, 0.035, 0.04)),
    ("mid", "dark", 0.65, 0.006, [(-0.075, -0.135, 0.01), (-0.045, -0.16, 0.025), (0, -0.168, 0.02),
                                  (0.045, -0.16, 0.025), (0.075, -0.135, 0.01)]),
    ("mid", "lips", 0.85, 0.004, [(-0.125, -0.265), (-0.07, -0.25), (-0.03, -0.239), (0, -0.247), (0.03, -0.239),
                                  (0.07, -0.25), (0.125, -0.265), (0.07, -0.302), (0, -0.325), (-0.07, -0.302)]),
    ("mid", "lid", 0.9, 0, [(-0.13, -0.263, 0.008), (-0.07, -0.273, 0.012), (0, -0.276, 0.014),
                            (0.07, -0.273, 0.012), (0.13, -0.263, 0.008)]),
    ("mid", "dark", 0.3, 0.02, ellipse(0, -0.355, 0.07, 0.02)),
)
# fmt: on


def ear(head: Head, side: int) -> None:
    """The ear on one side."""
    brush, frame, skin, unit = head.brush, head.frame, head.look.skin, head.unit
    centre = head.at([side * 0.375, -0.03, -0.04])
    out, up = (frame[:, 2] * -0.07 + frame[:, 0] * side * 0.06) * head.size, frame[:, 1] * head.size
    brush.paint([brush.disc(centre, out, up * 0.125)], skin, unit * 0.06, shadow=0.2)
    inner = [brush.disc(centre + out * 0.1, out * 0.5, up * 0.07)]
    brush.paint(inner, skin * np.float32(0.62), soft=unit * 0.02, opacity=0.6, inside=True)


def face(head: Head, smile: float) -> None:
    """Paints FACE; `smile` lifts the corners of the mouth."""
    brush, skin, unit, female = head.brush, head.look.skin, head.unit, head.look.female
    dark = skin * np.array([0.5, 0.4, 0.36], np.float32)
    tones = {
        "dark": dark,
        "lid": dark * np.float32(0.5),
        "white": np.array([0.9, 0.89, 0.87], np.float32) * brush.layer.light.key.mean() * np.float32(1.1),
        "iris": rgb("#3a2718") if skin.mean() < 0.72 else rgb("#46606e"),
        "black": np.full(3, 0.04, np.float32),
        "glint": np.ones(3, np.float32),
        "brow": head.look.hair * np.float32(0.8),
        "blush": skin * np.array([1.05, 0.75, 0.7], np.float32),
        "light": np.minimum(skin * np.float32(1.25), 1),
        "lips": skin * np.array([0.85, 0.62 - 0.12 * female, 0.58 - 0.1 * female], np.float32),
    }
    away = -1 if brush.layer.light.direction[0] > 0 else 1
    for where, tone, opacity, soft, knots in FACE:
        for side in {"both": (1, -1), "away": (away,), "mid": (1,)}[where]:
            points = np.array(knots, float) * ([side, 1] if np.shape(knots)[1] == 2 else [side, 1, 1])
            if where == "both" and not head.seen(side * 0.165):
                continue
            points[:, 1] += np.where(points[:, 1] < -0.2, smile * (points[:, 0] / 0.125) ** 2, 0)
            options: dict[str, Any] = {"opacity": opacity, "soft": soft * unit, "inside": True}
            if points.shape[1] == 3:
                brush.stroke(head.lift(points[:, :2], 0.01), points[:, 2] * head.size, tones[tone], **options)
            else:
                brush.paint([brush.flat(head.lift(points))], tones[tone], **options)


def spectacles(head: Head) -> None:
    """Spectacles with round glasses."""
    brush, tone, glass = head.brush, np.full(3, 0.08, np.float32), np.array([0.75, 0.82, 0.88], np.float32)
    for side in (1, -1):
        if head.seen(side * 0.17):
            rim = head.lift(ellipse(side * 0.17, 0, 0.115, 0.095)[[*range(20), 0]], 0.03)
            brush.paint([brush.flat(rim)], glass, opacity=0.16, inside=True)
            brush.stroke(rim, [0.022] * len(rim), tone)
            temple = np.stack([head.lift([(side * 0.28, 0.02)], 0.03)[0], head.at([side * 0.385, 0.02, 0.05])])
            brush.stroke(temple, (0.022, 0.022), tone)
    brush.stroke(head.lift([(-0.06, 0.02), (0, 0.035), (0.06, 0.02)], 0.05), [0.022] * 3, tone)
