"""The shape of a head, where things on it are seen, its face and its spectacles."""

from typing import Any

import cv2
import numpy as np

from src.sources.synthetic.basics import Array, Shape, circle, ellipse, normalised
from src.sources.synthetic.brush import Brush
from src.sources.synthetic.layer import View
from src.sources.synthetic.palette import rgb

# Bones of the face: points and radii in the head's axes; and the nose.
BONES = (
    ((0, -0.41, 0.27), 0.085),
    ((0.215, -0.24, 0.06), 0.11),
    ((-0.215, -0.24, 0.06), 0.11),
    ((0.24, -0.02, 0.2), 0.12),
    ((-0.24, -0.02, 0.2), 0.12),
    ((0, -0.2, 0.36), 0.07),
)
NOSE = (((0, 0.05, 0.40), 0.03), ((0, -0.12, 0.475), 0.045), ((0, -0.15, 0.40), 0.04))
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


class Head:
    """The head of who `brush` paints.

    Its axes are x to the picture's right when it faces the camera, y up and z to where it looks, from its centre; 1 in
    them is its height.
    """

    def __init__(self, brush: Brush):
        self.brush, self.look, self.frame = brush, brush.look, brush.person.head
        self.size = brush.look.head  # in heads
        self.unit = brush.unit * self.size  # in pixels

    def at(self, points: Any) -> Array:
        """(..., 3) in the head's axes to the picture's."""
        return np.asarray(self.brush.person.joints["head"] + np.asarray(points, float) * self.size @ self.frame.T)

    def lift(self, xy: Any, out: float = 0.0) -> Array:
        """Points (N, 2) on the face's x and y to the picture's (N, 3)."""
        x, y = np.asarray(xy, float).T
        depth = 0.43 * np.sqrt(np.clip(1 - (x / 0.42) ** 2 - (y / 0.66) ** 2, 0.02, 1)) + out
        return self.at(np.stack([x, y, depth], -1))

    def seen(self, x: float) -> bool:
        """Whether the face at x looks towards the camera."""
        normal = [x / 0.42**2, 0, np.sqrt(max(1 - (x / 0.42) ** 2, 0.05)) / 0.43]
        return bool((self.frame @ normalised(np.array(normal)))[2] > 0.12)

    def ellipsoid(self, centre: Any, radii: Any) -> tuple[View, Array, Array, Array] | None:
        """What the picture sees of an ellipsoid in the head's axes: the window, how far inside the outline it is (H, W)
        in heads, its points (H, W, 3) in the head's axes and the light on it (H, W, 3)."""
        unit, frame, radii = self.unit, self.frame.astype(np.float32), np.asarray(radii, np.float32)
        middle = self.brush.flat(self.at(centre))
        view = self.brush.layer.window(middle[None], unit * float(max(radii)) * 1.15)
        if view is None:
            return None
        rows, columns = np.mgrid[view].astype(np.float32)
        x, y = (columns - np.float32(middle[0])) / np.float32(unit), (np.float32(middle[1]) - rows) / np.float32(unit)
        matrix = frame.T / radii[:, None]
        across = x[..., None] * matrix[:, 0] + y[..., None] * matrix[:, 1]
        a, b, c = float(matrix[:, 2] @ matrix[:, 2]), across @ matrix[:, 2], (across**2).sum(-1)
        z = (-b + np.sqrt(np.maximum(b * b - a * (c - 1), 0))) / a
        edge = (1 - np.sqrt(np.maximum(c - b * b / a, 0))) * float(radii.mean())
        local = np.stack([x, y, z], -1) @ frame
        normal = (local / radii**2) @ frame.T
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
        lit = self.brush.layer.light.on(normal[..., 0], -normal[..., 1], normal[..., 2])
        return view, edge, local + np.asarray(centre, np.float32), lit

    def outline(self) -> Shape:
        """The head without ears, hair and hat: a hull of skull and bones, and the nose."""
        # The outline of an ellipsoid seen from z is the ellipse of the upper left of its shape matrix.
        spread = np.linalg.cholesky(((self.frame * np.array([0.375, 0.37, 0.455]) ** 2) @ self.frame.T)[:2, :2])
        skull = self.brush.flat(self.at([0, 0.13, -0.03])) + circle(32) @ spread.T * [self.unit, -self.unit]
        points = [skull, *(self.brush.ball(self.at(p), r * self.size) for p, r in BONES)]
        hull: Array = cv2.convexHull(np.concatenate(points).astype(np.float32))[:, 0]
        return [hull, *self.brush.chain([self.at(p) for p, _ in NOSE], [r * self.size for _, r in NOSE])]

    def cover(self, distance: Array) -> Array:
        """Coverage 0..1 from a distance in heads inside of an edge."""
        return np.clip(distance * np.float32(self.unit) + 0.5, 0, 1)


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
