"""Puts a whole person into a picture, and their seat, their shadow and what hides a part of them."""

from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

from src.sources.synthetic.bags import BAGS
from src.sources.synthetic.basics import Array, Rng, Shape, ellipse, pick, rect, turn
from src.sources.synthetic.brush import Brush
from src.sources.synthetic.hair import back_hair, beard, cap_of_hair, hat, side_locks
from src.sources.synthetic.head import Head, ear, face, spectacles
from src.sources.synthetic.layer import Layer, Light, ground_shadow
from src.sources.synthetic.limbs import arm, hips, leg, skirt
from src.sources.synthetic.look import draw_look, wild_look
from src.sources.synthetic.palette import CLOTHS, LEAVES, SURFACES, VIVID, tint
from src.sources.synthetic.poses import draw_pose
from src.sources.synthetic.skeleton import Person
from src.sources.synthetic.trunk import collar, neck, torso


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


def paint_person(brush: Brush) -> None:
    """A whole person, part by part, from back to front."""
    person, joints, head = brush.person, brush.person.joints, Head(brush)
    depths = [np.mean([joints[f"elbow{s}"][2], joints[f"wrist{s}"][2]]) - person.trunk(1.2)[0][2] for s in (1, -1)]
    arms = sorted(zip(depths, (1, -1), strict=True))
    legs = sorted((joints[f"knee{s}"][2] + 0.5 * joints[f"ankle{s}"][2], s) for s in (1, -1))
    middle = np.mean([joints[name][2] for name in ("neck", "hip1", "hip-1")])
    lap = (joints["knee1"][2] + joints["knee-1"][2]) / 2 - middle > 0.7  # the thighs come forwards, over the trunk
    facing = person.head[2, 2] > 0.3
    trunk = (collar, torso, neck) if brush.front else (neck, torso, collar)
    if facing:
        back_hair(head, 0.75)
    for depth, side in arms:
        if depth < -0.1:
            arm(brush, side)
    lower = [partial(leg, side=side, fused=not lap) for _, side in legs] + [skirt] * brush.look.skirted
    for part in (hips, *trunk, *lower) if lap else (hips, *lower, *trunk):
        part(brush)
    paint_head(head)
    if not facing:
        back_hair(head, 1)
    for depth, side in arms:
        if depth >= -0.1:
            arm(brush, side)


def paint_head(head: Head) -> None:
    """A head, from the ear on its far side to the hat."""
    look, frame, shape = head.look, head.frame, head.outline()
    for side in (1, -1):
        if frame[2, 0] * side < 0.2:
            ear(head, side)
    head.brush.paint(shape, look.skin, head.unit * 0.3, shadow=0.45)
    for side in (1, -1):
        if frame[2, 0] * side >= 0.2:  # the ear on the near side lies on the head
            ear(head, side)
    smile = head.brush.rng.uniform(-0.01, 0.035)
    if frame[2, 2] > 0:
        face(head, smile)
    if look.beard:
        beard(head, shape)
    cap_of_hair(head)
    side_locks(head)
    if look.hat and look.style[1] < 1.2:
        hat(head)
    if look.glasses and frame[2, 2] > 0:
        spectacles(head)


def stand_in(rng: Rng, light: Light, place: Place, picture: Array, alpha: Array, *, wild: bool = False) -> None:
    """Puts a person, its seat and shadows into the picture (S, S, 3) and into the alpha (S, S) of all persons.

    `wild`: in any cloth, with the arms of any pose, seen from higher or lower; and two in five carry something.
    """
    size = len(picture)
    pose, yaw = draw_pose(rng, low=not place.by_crown)
    if wild:
        pitch = rng.uniform(-8, 22)
        if rng.random() < 0.5 and not pose.pockets:
            pose = pose._replace(arms=draw_pose(rng, low=True)[0].arms)
        look = wild_look(rng)
    else:
        look, pitch = draw_look(rng), rng.uniform(2, 10)
    person = Person(look, pose, yaw, pitch, rng)
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
    if wild and rng.random() < 0.4:
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
