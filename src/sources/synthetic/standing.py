"""Puts a person into a picture: where they stand, what they sit on and the shadow at their feet."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from src.sources.synthetic.brush import Brush
from src.sources.synthetic.chance import Rng
from src.sources.synthetic.figure import paint_person
from src.sources.synthetic.geometry import Array, Shape
from src.sources.synthetic.layer import Layer
from src.sources.synthetic.light import Light, ground_shadow
from src.sources.synthetic.look import Look, draw_look
from src.sources.synthetic.palette import CLOTHS, SURFACES, tint
from src.sources.synthetic.poses import draw_pose
from src.sources.synthetic.skeleton import Person


class Place(NamedTuple):
    """Where a person stands, in sides of the photo: a head's height, x, y of the ground or (`by_crown`) the crown."""

    head: float
    x: float
    y: float
    by_crown: bool = False


def seat_under(brush: Brush, layer: Layer) -> None:
    """A box to sit on, which is painted behind the person."""
    person, tone = brush.person, tint(brush.rng, SURFACES + CLOTHS)
    centre = np.mean(person.limb("hip1", "hip-1"), 0) - [0, 0.38, 0]
    corners = np.array([(-0.85, 0, -0.9), (0.85, 0, -0.9), (0.85, 0, 0.55), (-0.85, 0, 0.55)])
    top = centre + corners @ person.camera.T
    box = brush.flat(np.concatenate([top, top - [0, centre[1] - person.ground, 0]]))
    outline: Shape = [cv2.convexHull(box.astype(np.float32))[:, 0]]
    layer.paint(outline, tone * np.float32(0.6), brush.unit * 0.15)
    layer.paint([brush.flat(top)], tone * np.float32(1.05))


def stand_in(
    rng: Rng,
    light: Light,
    place: Place,
    picture: Array,
    alpha: Array,
    *,
    dress: Callable[[Rng], Look] = draw_look,
    carry: Callable[[Brush], None] = lambda _: None,
) -> None:
    """Puts a person, its seat and shadows into the picture (S, S, 3) and into the alpha (S, S) of all persons.

    `dress` draws who it is, `carry` paints what it holds.
    """
    size = len(picture)
    pose, yaw = draw_pose(rng, low=not place.by_crown)
    person = Person(dress(rng), pose, yaw, rng.uniform(2, 10), rng)
    spots = np.array(list(person.joints.values()))
    crown = person.joints["head"][1] + 0.54 * person.look.head
    x, y, unit = place.x * size, place.y * size, place.head * size
    if place.by_crown:
        x, y = x - unit * person.joints["head"][0], y + unit * (crown - person.ground)
    else:  # the whole body is to be seen; somebody low may be nearer
        tall = max(crown, spots[:, 1].max() + 0.5) - person.ground
        unit = min(unit * (1.3 if tall < 6 and place.head > 0.06 else 1), 0.95 * y / tall)
        x -= unit * (spots[:, 0].min() + spots[:, 0].max()) / 2
    layer, seat = Layer(size, light), Layer(size, light)
    brush = Brush(layer, person, float(unit), np.array([x, y]), rng)
    if pose.seat:
        seat_under(brush, seat)
        ground_shadow(picture, seat.alpha, y, light)
        seat.onto(picture)
        alpha *= 1 - seat.alpha
    paint_person(brush)
    carry(brush)
    if y < size * 1.05:
        ground_shadow(picture, layer.alpha, y, light)
    layer.onto(picture)
    alpha += layer.alpha * (1 - alpha)
