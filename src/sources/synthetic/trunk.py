"""Paints the trunk, the neck and what is worn on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from src.sources.synthetic.basics import Array, circle, normalised, pick, sweep
from src.sources.synthetic.brush import Brush
from src.sources.synthetic.layer import Grid
from src.sources.synthetic.limbs import ARM_T, sleeve

# What lies on the front of a garment: colour ("shirt" or a factor of the garment's), relief, shadow and corners
# (degrees from the front, height; None: the hem). Those right of the front are mirrored to the left.
FRONTS: dict[str, tuple[tuple[Any, float, float, Any], ...]] = {
    "jacket": (
        (
            "shirt",
            0.2,
            0,
            [(-16, None), (16, None), (20, 1.2), (16, 1.9), (20, 2.38), (-20, 2.38), (-16, 1.9), (-20, 1.2)],
        ),
        (1.06, 0.06, 0.4, [(20, 1.25), (48, 1.85), (38, 1.98), (42, 2.1), (26, 2.42), (15, 2.3)]),
    ),
    "hoodie": (
        (0.95, 0.08, 0.3, [(-42, 0.35), (42, 0.35), (42, 0.6), (28, 0.95), (-28, 0.95), (-42, 0.6)]),
        (1.5, 0, 0, [(8, 2.28), (11, 2.28), (13, 1.75), (10, 1.75)]),
    ),
    "shirt": (
        (0.93, 0, 0, [(-3.5, None), (3.5, None), (3.5, 2.3), (-3.5, 2.3)]),
        (0.9, 0.04, 0.3, [(24, 1.3), (48, 1.3), (48, 1.62), (24, 1.62)]),
    ),
    "polo": ((0.93, 0, 0, [(-3.5, 1.6), (3.5, 1.6), (3.5, 2.3), (-3.5, 2.3)]),),
}
FLAP = ((0.2, 0.2, -0.02), (0.03, -0.2, 0.24), (0.2, -0.34, 0.28), (0.36, -0.04, 0.05), (0.3, 0.1, -0.05))  # a collar's
NECKLINES = {"tee": 0.17, "dress": 0.3, "long": 0.14, "hoodie": 0.12, "jacket": 0.14}  # how deep; others 0.2


def torso(brush: Brush) -> None:
    """What is worn on the trunk, with its folds."""
    look, unit, person = brush.look, brush.unit, brush.person
    ease = look.ease + (0.05 if look.thick else 0)
    levels = np.linspace(look.hem, 2.46, 30)
    shape = sweep([brush.disc(*person.trunk(y, ease * min(1, (2.5 - y) * 2))) for y in levels])
    for side in (1, -1):  # shoulders, so that the light runs on into the sleeves
        path, _, loose, _ = sleeve(brush, side)
        root = person.trunk(2.36)[0] + person.chest @ [side * 0.22, -0.06, 0]
        shape += brush.chain([root, path[0]], (0.1, loose[0]))
        shape += brush.tube(path, ARM_T, loose, 0, 0.3) if look.top != "dress" else []
    top, low = brush.flat(person.trunk(2.4)[0]), brush.flat(person.trunk(0.0)[0])
    grid = Grid(top, normalised(low - top), unit)
    shadow = 0.0 if look.bottom == "dress" else 0.35
    brush.paint(shape, look.outer, unit * 0.42, shadow=shadow, folds=0.35, grid=grid)
    base = 0 if person.chest[2, 2] > 0 else 180
    for side, drop in zip((1, -1) * 4, brush.rng.uniform(0.05, 0.3, 8), strict=True):
        y, angle = brush.rng.uniform(0.3, 1.0), base + side * brush.rng.uniform(20, 75)
        ends = person.surface(angle, y, ease), person.surface(angle - side * 35, y - drop, ease)
        brush.crease(*ends, look.outer, 0.07)
    if person.chest[2, 2] > 0.15:
        torso_front(brush, ease, grid)


def patch(brush: Brush, corners: Any, ease: float) -> Array:
    """A polygon (N, 2) in pixels on the trunk through (degrees, y), as far round it as is seen; None: the hem."""
    yaw = np.degrees(np.arctan2(brush.person.chest[0, 2], brush.person.chest[2, 2]))
    rows = np.array([(a, brush.look.hem if y is None else y) for a, y in corners])
    dense = np.concatenate([np.linspace(p, q, 7)[:-1] for p, q in zip(rows, np.roll(rows, -1, 0), strict=True)])
    dense[:, 0] = np.clip(dense[:, 0], -88 - yaw, 88 - yaw)
    return brush.flat(np.array([brush.person.surface(a, y, ease) for a, y in dense]))


def torso_front(brush: Brush, ease: float, grid: Grid) -> None:
    """What is seen on the front of a garment: lapels, pockets, buttons, a belt or hem, prints."""
    look, unit, colour = brush.look, brush.unit, brush.look.outer.colour
    for tone, relief, shadow, corners in FRONTS.get(look.top, ()):
        cloth = look.shirt if tone == "shirt" else np.minimum(colour * np.float32(tone), 1)
        for side in (1, -1) if min(a for a, _ in corners) > 0 else (1,):
            shape = [patch(brush, [(side * a, y) for a, y in corners], ease + 0.015)]
            brush.paint(shape, cloth, unit * relief, shadow=shadow, inside=True, grid=grid)
    if look.top in ("shirt", "polo"):
        for y in np.arange(2.15, look.hem if look.top == "shirt" else 1.6, -0.27):
            button = brush.ball(brush.person.surface(0, y, ease), 0.028)
            brush.paint([button], colour * np.float32(0.4) + np.float32(0.3), unit * 0.02, inside=True)
    if look.bottom == "dress":
        belt = patch(brush, [(-180, 0.75), (180, 0.75), (180, 0.87), (-180, 0.87)], ease + 0.01)
        brush.paint([belt], look.outer.ink, unit * 0.06, inside=True)
    else:
        low = look.hem + 0.07
        band = patch(brush, [(-180, None), (180, None), (180, low), (-180, low)], ease)
        brush.paint([band], colour * np.float32(0.6), opacity=0.35, inside=True)
    if look.top in ("tee", "long") and look.shirt.kind == "plain":
        y = brush.rng.uniform(1.35, 1.6)
        prints: Sequence[Any] = (
            [[(a, y), (a + 9, y), (a + 9, y + 0.2), (a, y + 0.2)] for a in (-26, -12, 2, 16)],
            [[(26 * x, y + 0.25 * z) for x, z in circle(12)]],
            [[(-180, y), (180, y), (180, y + 0.35), (-180, y + 0.35)]],
            [],
        )
        for corners in pick(brush.rng, prints):
            brush.paint([patch(brush, corners, ease)], look.shirt.ink, inside=True, opacity=0.9)


def neck(brush: Brush) -> None:
    """The neck and, in front, the neckline with its collar."""
    look, joints, chest, unit = brush.look, brush.person.joints, brush.person.chest, brush.unit
    radius = (0.235 - 0.045 * look.female) * (1 + 0.12 * look.weight)
    root, skull = joints["neck"], joints["head"] + brush.person.head @ [0, -0.22, -0.08]
    sections = [brush.ball(skull, radius * 0.95), brush.ball(root + chest @ [0, 0.05, 0.02], radius)]
    if not brush.front:
        brush.paint(sweep(sections), look.skin * np.float32(0.94), unit * 0.2)
        return
    deep = chest @ [0, -NECKLINES.get(look.top, 0.2), 0.2]
    centre, side, front = root + 0.45 * deep, chest[:, 0] * (radius + 0.04), deep * 0.75
    brush.paint(sweep([*sections, brush.disc(centre, side, front)]), look.skin * np.float32(0.96), unit * 0.2)
    if look.top in ("shirt", "polo", "jacket") and chest[2, 2] > 0.4:
        for s in (1, -1):
            points = [brush.flat(root + (np.array(FLAP) * [s, 1, 1]) @ chest.T)]
            brush.paint(points, look.shirt.colour * np.float32(1.05), unit * 0.06, shadow=0.35)
    elif look.top != "dress":
        angle = np.radians(np.linspace(-108, 108, 19))[:, None]
        rim = centre + side * np.sin(angle) + front * np.cos(angle)
        brush.stroke(rim, [0.045] * 19, look.outer.colour * np.float32(0.82), shadow=0.2, relief=unit * 0.04)


def collar(brush: Brush) -> None:
    """What closes a garment behind the neck; seen from the back it covers the neck."""
    chest, top = brush.person.chest, brush.look.top
    thick = {"hoodie": 0.24, "tee": 0.05, "long": 0.05, "dress": 0.03}.get(top, 0.08)
    centre = brush.person.joints["neck"] + chest @ [0, -0.02 if top == "hoodie" else 0.03, -0.1]
    points = [centre + chest @ [x, -0.6 * x * x, 0.5 * abs(x)] for x in (-0.26, -0.15, 0, 0.15, 0.26)]
    colour = brush.look.outer.colour * np.float32(0.85)
    brush.paint(brush.chain(points, [thick] * 5), colour, brush.unit * max(thick, 0.08))
