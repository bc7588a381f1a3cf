"""The shape of a head, and where things on it are seen."""

from typing import Any

import cv2
import numpy as np

from src.sources.synthetic.basics import Array, Shape, circle, normalised
from src.sources.synthetic.brush import Brush
from src.sources.synthetic.layer import View

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
