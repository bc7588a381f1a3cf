"""Paints what a person is and wears below the waist."""

import numpy as np

from src.sources.synthetic.brush import Brush
from src.sources.synthetic.cloth import Grid
from src.sources.synthetic.geometry import Array, normalised, sweep

# Radii in heads along a leg: 0 is the hip, 1 the knee, 2 the ankle.
LEG_T, LEG_R = (0, 0.3, 0.7, 1, 1.3, 1.7, 2), (0.40, 0.37, 0.28, 0.225, 0.25, 0.17, 0.125)


def trouser(brush: Brush, side: int) -> tuple[list[Array], Array, Array]:
    """A leg's joints, its radii and those of the trouser leg."""
    radii = np.array(LEG_R) * brush.look.limb
    wider, wide = np.array([(0.02, 0.03, 0.04, 0.05, 0.03, 0.06, 0.09), (0, 0, 0.5, 0.6, 0.7, 1, 1)])
    loose = radii + wider + brush.look.ease * wide
    return brush.person.limb(f"hip{side}", f"knee{side}", f"ankle{side}"), radii, loose


def hips(brush: Brush) -> None:
    """The seat of the trousers, or what the skirt hangs from."""
    bare = brush.look.skirted
    levels = np.linspace(-0.1 if bare else -0.34, 0.75, 12)
    shape = sweep([brush.disc(*brush.person.trunk(y, 0.03)) for y in levels])
    for side in () if bare else (1, -1):  # the thighs' roots, so that the light runs on into the legs
        path, _, loose = trouser(brush, side)
        shape += brush.tube(path, LEG_T, loose, 0, 0.25)
    brush.paint(shape, brush.look.legs, brush.unit * 0.35, folds=0.3)


def leg(brush: Brush, side: int, fused: bool) -> None:
    """A leg with its shoe; `fused`: the trouser leg shows no edge on the hips."""
    look, unit = brush.look, brush.unit
    path, radii, loose = trouser(brush, side)
    shoe(brush, side)
    bare = look.bottom not in ("trousers", "coat")
    if bare:
        start = 0.6 if look.bottom == "shorts" else 0
        brush.paint(brush.tube(path, LEG_T, radii, start, 2), look.skin, unit * 0.26, shadow=0.25)
    if look.bottom in ("trousers", "shorts", "coat"):
        root = brush.flat(path[0])
        grid = Grid(root, normalised(brush.flat(path[1]) - root), unit)
        shape = brush.tube(path, LEG_T, loose, 0, 0.82 if bare else 1.93, cut=True)
        fuse = (root, unit * 0.75) if fused else None
        brush.paint(shape, look.legs, unit * 0.3, shadow=0.3, folds=0.5, fuse=fuse, grid=grid)
        if not bare:
            brush.joint_creases(path, look.legs, 0.24)
        elif path[1][2] - path[0][2] > 0.6:  # the knee comes forwards, out of the leg of the shorts
            brush.paint(brush.tube(path, LEG_T, radii, 0.98, 2), look.skin, unit * 0.26, shadow=0.3)


def shoe(brush: Brush, side: int) -> None:
    """Sole, shoe and laces."""
    frame, ankle, look = brush.person.feet[side], brush.person.joints[f"ankle{side}"], brush.look

    def slab(y: float, z: float, wide: float, high: float) -> Array:
        centre, (a, b, c) = ankle + frame @ [0, y, z], frame.T * np.array([[wide], [high], [wide]])
        return np.concatenate([brush.disc(centre, a, b), brush.disc(centre, a, c), brush.disc(centre, b, c)])

    sole = ((-0.24, -0.12, 0.135, 0.04), (-0.24, 0.3, 0.175, 0.04), (-0.24, 0.5, 0.11, 0.04))
    heel = ((-0.1, -0.12, 0.13, 0.14), (-0.05, 0.06, 0.13, 0.16))
    toes = ((-0.14, 0.3, 0.165, 0.09), (-0.165, 0.49, 0.105, 0.06))
    brush.paint(sweep([slab(*part) for part in sole]), look.sole, brush.unit * 0.06, shadow=0.2)
    shaft = brush.chain([ankle, ankle + frame @ [0, -0.1, 0.02]], (0.13, 0.14))
    brush.paint(sweep([slab(*part) for part in heel + toes]) + shaft, look.shoes, brush.unit * 0.12)
    for z in (0.12, 0.19, 0.26):
        lace = np.array([ankle + frame @ [x, 0.05 - z * 0.45, z] for x in (-0.07, 0.07)])
        brush.stroke(lace, (0.025, 0.025), look.sole, opacity=0.8, inside=True)


def skirt(brush: Brush) -> None:
    """From the waist to around both legs."""
    look, person, unit = brush.look, brush.person, brush.unit
    cloth = look.outer if look.bottom == "coat" else look.legs
    length, hems = 0.55 + look.sleeve * 0.6, []
    for side in (1, -1):
        path = person.limb(f"hip{side}", f"knee{side}", f"ankle{side}")
        place = path[int(length)] + (path[int(length) + 1] - path[int(length)]) * (length % 1)
        hems.append(brush.ring(place, person.pelvis[:, 1], 0.42 + 1.2 * look.ease))
    waist = [brush.disc(*person.trunk(y, 0.04)) for y in np.linspace(0.8, -0.1, 8)]
    top = brush.flat(person.trunk(0.8)[0])
    grid = Grid(top, normalised(np.concatenate(hems).mean(0) - top), unit)
    shape = sweep([*waist, np.concatenate(hems)])
    brush.paint(shape, cloth, unit * 0.38, shadow=0.35, folds=0.7, grid=grid)
    knees = np.mean(person.limb("knee1", "knee-1"), 0)
    for x in brush.rng.uniform(-0.5, 0.5, 5):
        start = person.surface(x * 100 + (0 if brush.front else 180), 0.3, 0.04)
        brush.crease(start, start + (knees - start) * 0.8 + person.pelvis[:, 0] * x * 0.6, cloth, 0.09)
