"""Paints what people carry: a bag in the hand, across the body or on the back, a telephone. It counts as person."""

import numpy as np

from src.sources.synthetic.basics import Array, pick
from src.sources.synthetic.brush import Brush
from src.sources.synthetic.palette import CLOTHS, VIVID, WOODS, tint

LEATHERS = (*WOODS, *CLOTHS[:8], *CLOTHS[:4], *VIVID)


def hand_bag(brush: Brush) -> None:
    """A bag that hangs from a hand by two handles."""
    side = pick(brush.rng, (1, -1))
    wide, tall, drop = brush.rng.uniform((0.35, 0.4, 0.15), (0.85, 1.0, 0.6))
    fist = brush.person.joints[f"wrist{side}"] - brush.person.hands[side][:, 1] * 0.3
    colour = tint(brush.rng, LEATHERS)
    for x in (-0.5, 0.5):
        ends = np.array([fist, fist + np.array([x * wide * 0.8, -drop, 0])])
        brush.stroke(ends, (0.06, 0.06), colour * np.float32(0.7), shadow=0.2)
    flare = brush.rng.uniform(0.8, 1.15)
    body(brush, fist - np.array([0, drop, 0]), (wide, tall, flare), colour)


def shoulder_bag(brush: Brush) -> None:
    """A bag at the hip on a strap that runs across the trunk, or down from the shoulder on its own side."""
    person, side = brush.person, pick(brush.rng, (1, -1))
    wide, tall = brush.rng.uniform((0.6, 0.5), (1.1, 0.95))
    colour, across = tint(brush.rng, LEATHERS), side * pick(brush.rng, (-1, 1))
    facing = 0 if brush.front else 180
    shoulder = person.surface(facing + across * 45, 2.25, 0.08)
    hip = person.surface(facing + side * 60, brush.rng.uniform(0.0, 0.7), 0.15)
    middle = person.surface(facing + (side + across) * 25, 1.4, 0.14)
    brush.stroke(np.array([shoulder, middle, hip]), (0.09, 0.08, 0.09), colour * np.float32(0.75), shadow=0.3)
    body(brush, hip, (wide, tall, brush.rng.uniform(0.85, 1.1)), colour)


def backpack(brush: Brush) -> None:
    """Two straps in front, or the bag itself on a back."""
    person, colour = brush.person, tint(brush.rng, LEATHERS)
    if not brush.front:
        size = brush.rng.uniform((0.9, 1.2), (1.3, 1.9))
        body(brush, person.surface(180, 2.15, 0.1), (*size, 1.1), colour)
        return
    for side in (1, -1):
        points = [person.surface(side * angle, y, 0.06) for angle, y in ((38, 2.3), (40, 1.8), (70, 1.3))]
        brush.stroke(np.array(points), (0.16, 0.14, 0.1), colour, shadow=0.3, relief=brush.unit * 0.05)


def telephone(brush: Brush) -> None:
    """A telephone, camera or book in a hand."""
    side = pick(brush.rng, (1, -1))
    wide, tall = brush.rng.uniform((0.2, 0.3), (0.7, 0.8))
    fist = brush.person.joints[f"wrist{side}"] - brush.person.hands[side][:, 1] * 0.3
    body(brush, fist + np.array([0, 0.6 * tall, 0]), (wide, tall, 1), tint(brush.rng, LEATHERS))


def body(brush: Brush, top: Array, size: tuple[float, float, float], colour: Array) -> None:
    """A bag below `top`; its `size` is width and height in heads, and how many times as wide the bottom is."""
    wide, tall, flare = size
    corners = np.array([(-0.5, 0), (0.5, 0), (0.5 * flare, -1), (-0.5 * flare, -1)]) * (wide, tall)
    brush.paint([brush.flat(top[:2] + corners)], colour, brush.unit * 0.12, shadow=0.35)
    flap = np.array([(-0.5, 0), (0.5, 0), (0.5, -0.4), (-0.5, -0.4)]) * (wide, tall)
    if brush.rng.random() < 0.5:
        brush.paint([brush.flat(top[:2] + flap)], colour * np.float32(0.85), brush.unit * 0.05, shadow=0.3)


BAGS = (hand_bag, hand_bag, shoulder_bag, shoulder_bag, backpack, telephone, telephone)
