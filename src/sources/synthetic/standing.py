"""Puts a person into a picture: where they stand, what they sit on, their shadow, and what hides a part of them."""

from typing import NamedTuple

import cv2
import numpy as np

from src.sources.synthetic.bags import BAGS
from src.sources.synthetic.basics import Array, Rng, Shape, ellipse, pick, rect, turn
from src.sources.synthetic.brush import Brush
from src.sources.synthetic.figure import paint_person
from src.sources.synthetic.layer import Layer, Light, ground_shadow
from src.sources.synthetic.look import draw_look, wild_look
from src.sources.synthetic.palette import CLOTHS, LEAVES, SURFACES, VIVID, tint
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


def stand_in(rng: Rng, light: Light, place: Place, picture: Array, alpha: Array, *, wild: bool = False) -> None:
    """Puts a person, its seat and shadows into the picture (S, S, 3) and into the alpha (S, S) of all persons.

    `wild`: in any cloth, and a third of all people have a bag.
    """
    size = len(picture)
    pose, yaw = draw_pose(rng, low=not place.by_crown)
    person = Person(wild_look(rng) if wild else draw_look(rng), pose, yaw, rng.uniform(2, 10), rng)
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
    if wild and rng.random() < 0.35:
        pick(rng, BAGS)(brush)
    if y < size * 1.05:
        ground_shadow(picture, layer.alpha, y, light)
    layer.onto(picture)
    alpha += layer.alpha * (1 - alpha)


def stand_before(rng: Rng, light: Light, picture: Array, alpha: Array) -> None:
    """Hides a part of the picture and of the persons behind leaves, a post or a table with things on it."""
    size = len(picture)
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
    layer.onto(picture)
    alpha *= 1 - layer.alpha
