"""Paints arms, hands, legs and feet, and what is worn on them."""

import numpy as np

from src.sources.synthetic.basics import Array, normalised, sweep
from src.sources.synthetic.brush import Brush
from src.sources.synthetic.layer import Grid

# Radii in heads along an arm: 0 is the shoulder, 1 the elbow, 2 the wrist.
ARM_T, ARM_R = (0, 0.3, 0.7, 1, 1.25, 1.6, 2), (0.215, 0.20, 0.165, 0.145, 0.16, 0.13, 0.095)
LONG = ("long", "jacket", "hoodie", "shirt")  # tops with long sleeves


def sleeve(brush: Brush, side: int) -> tuple[list[Array], Array, Array, float]:
    """An arm's joints, its radii, those of the sleeve on it and the place where the sleeve ends."""
    look = brush.look
    radii = np.array(ARM_R) * look.limb * (0.92 if look.child else 1)
    end = look.sleeve if look.top not in LONG else 1.93 if look.sleeve > 0.6 or look.thick else 1.5
    ease = look.ease * 0.7 + (0.05 if look.thick else 0.015)
    loose = radii + np.interp(ARM_T, [0, end, 3], [ease * 0.5, ease + (0.02 if end > 1 else 0.04), ease + 0.02])
    return brush.person.limb(f"shoulder{side}", f"elbow{side}", f"wrist{side}"), radii, loose, end


def arm(brush: Brush, side: int) -> None:
    """An arm with its hand and sleeve."""
    look, unit = brush.look, brush.unit
    path, radii, loose, end = sleeve(brush, side)
    if not brush.person.pose.pockets:
        hand(brush, side)
    if end < 1.9:
        bare = 0 if look.top == "dress" else end - 0.02
        brush.paint(brush.tube(path, ARM_T, radii, bare, 2), look.skin, unit * 0.17, shadow=0.3)
    if look.top == "dress":
        return
    root = brush.flat(path[0])
    grid = Grid(root, normalised(brush.flat(path[1]) - root + 1e-3), unit)
    shape = brush.tube(path, ARM_T, loose, 0, end, cut=True)
    fuse = (root, unit * 0.58)
    brush.paint(shape, look.outer, unit * 0.2, shadow=0.35, folds=0.5, fuse=fuse, grid=grid)
    if end > 1.2:
        brush.joint_creases(path, look.outer, 0.14)
    if brush.person.pose.pockets:  # the hand shows through the cloth
        down = -brush.person.hands[side][:, 1]
        edge = path[2] + np.outer((-0.17, 0, 0.17), brush.person.pelvis[:, 0])
        hidden = brush.chain([path[2] + down * 0.1, path[2] + down * 0.4], (0.14, 0.12))
        brush.paint(hidden, look.legs, unit * 0.12, inside=True)
        brush.stroke(edge, (0.03, 0.05, 0.03), look.legs.colour * np.float32(0.55), inside=True, soft=unit * 0.01)


def hand(brush: Brush, side: int) -> None:
    """Palm, four fingers and a thumb; the forearm's frame has the thumb at z and the palm towards the body."""
    frame, wrist, skin = brush.person.hands[side], brush.person.joints[f"wrist{side}"], brush.look.skin
    size = 1.0 - 0.1 * brush.look.female
    down, thumb, palm = -frame[:, 1] * size, frame[:, 2] * size, -frame[:, 0] * side * size
    curl = brush.person.pose.arms[0 if side == 1 else 1].curl
    palm_discs = [brush.disc(wrist + down * y, thumb * w, palm * 0.08) for y, w in ((0.16, 0.15), (0.36, 0.17))]
    shape, gaps = sweep([brush.ball(wrist, 0.095), *palm_discs]), []
    for k, length in enumerate((0.30, 0.35, 0.33, 0.26)):
        points = [wrist + down * (0.36 - 0.012 * k**1.5) + thumb * (0.125 - 0.083 * k)]
        for joint, share in enumerate((0.45, 0.32, 0.23)):
            bent = np.radians(curl * (1 + 0.1 * k) * (joint + 1))
            step = down * np.cos(bent) + palm * np.sin(bent) + thumb * (0.09 - 0.06 * k)
            points.append(points[-1] + step * length * share)
        shape += brush.chain(points, (0.05, 0.047, 0.042, 0.034))
        gaps.append(np.array([points[0], (points[0] + points[2]) / 2]) - thumb * 0.042)
    base = wrist + down * 0.07 + thumb * 0.08
    tips = [base, base + down * 0.12 + thumb * 0.12 + palm * 0.04, base + down * 0.27 + thumb * 0.15 + palm * 0.08]
    shape += brush.chain(tips, (0.075, 0.06, 0.042))
    brush.paint(shape, skin * np.float32(0.98), brush.unit * 0.08, shadow=0.3)
    for gap in gaps[:3]:
        brush.stroke(gap, (0.012, 0.02), skin * np.float32(0.55), inside=True, opacity=0.5)


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
