"""How a person's body gets from three dimensions onto a layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from src.sources.synthetic.basics import Array, Rng, Shape, circle, normalised, sweep
from src.sources.synthetic.layer import Cloth, Layer
from src.sources.synthetic.skeleton import Person


class Brush:
    """Paints one person on a layer: `unit` pixels are a head, `ground` (x, y) is the ground under the pelvis.

    Points on the body are (3,) in heads, from the pelvis, with x to the picture's right, y up and z nearer.
    """

    def __init__(self, layer: Layer, person: Person, unit: float, ground: Array, rng: Rng):
        self.layer, self.person, self.unit, self.rng = layer, person, unit, rng
        self.look, self.paint = person.look, layer.paint
        self.front = bool(person.chest[2, 2] > -0.1)  # whether the chest is seen, not the back
        self.origin = ground + np.array([0, unit * person.ground])  # the pelvis (x, y) in pixels

    def flat(self, point: Array) -> Array:
        """(..., 3) in heads to (..., 2) in pixels."""
        return np.asarray(np.asarray(point)[..., :2] * [self.unit, -self.unit] + self.origin)

    def ball(self, centre: Array, radius: float) -> Array:
        """Points (24, 2) in pixels on the outline of a ball."""
        return self.flat(centre) + circle(24) * (self.unit * radius)

    def disc(self, centre: Array, a: Array, b: Array) -> Array:
        """Points (28, 2) in pixels on the ellipse with half axes `a` and `b`."""
        return self.flat(centre + circle(28) @ np.stack([a, b]))

    def ring(self, centre: Array, axis: Array, radius: float) -> Array:
        """A circle across an axis."""
        axis = normalised(axis)
        a = normalised(np.cross(axis, [0.31, 0.17, 0.93]))
        return self.disc(centre, a * radius, np.cross(axis, a) * radius)

    def chain(self, points: Sequence[Array] | Array, radii: Any) -> Shape:
        """What a ball sweeps from point to point, in heads."""
        return sweep([self.ball(p, float(r)) for p, r in zip(points, radii, strict=True)])

    def tube(self, path: Sequence[Array], ts: Any, rs: Any, start: float, end: float, *, cut: bool = False) -> Shape:
        """A limb along joints between two places on it (0: first joint, 1: second...); `cut`: it ends flat."""
        sections = []
        for place in np.unique([*np.linspace(start, end, 13), *(t for t in range(len(path)) if start < t < end)]):
            segment = min(int(place), len(path) - 2)
            axis, radius = path[segment + 1] - path[segment], float(np.interp(place, ts, rs))
            round_here = place in (int(place), start, end) and not (cut and place == end)
            centre = path[segment] + axis * (place - segment)
            sections.append(self.ball(centre, radius) if round_here else self.ring(centre, axis, radius))
        return sweep(sections)

    def stroke(self, points: Array, widths: Any, colour: Array, **options: Any) -> None:
        """A line through points (N, 3) with the given widths in heads."""
        self.paint(self.chain(points, np.asarray(widths) / 2), colour, **options)

    def crease(self, start: Array, end: Array, cloth: Cloth, width: float = 0.05) -> None:
        """A fold: a soft dark line with a lighter one beside it."""
        points, taper = np.linspace(start, end, 5), np.array([0.1, 0.7, 1, 0.7, 0.1]) * width
        light = np.minimum(cloth.colour * 1.15 + 0.05, 1)
        for shift, colour, opacity in ((0.0, cloth.colour * 0.5, 0.34), (width, light, 0.2)):
            moved = points + np.array([shift, shift, 0])
            self.stroke(moved, taper, colour, soft=self.unit * width * 0.5, inside=True, opacity=opacity)

    def joint_creases(self, path: Sequence[Array], cloth: Cloth, radius: float) -> None:
        """Folds around an elbow or a knee."""
        axis = normalised(path[2] - path[1])
        across = normalised(np.cross(axis, [0, 0, 1])) * radius
        for offset, slant in self.rng.uniform((-0.22, -0.12), (0.28, 0.12), (3, 2)):
            middle = path[1] + axis * offset
            self.crease(middle - across, middle + across * 0.4 + axis * slant, cloth)
