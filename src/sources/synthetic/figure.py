"""Paints a whole person, part by part, from back to front."""

from functools import partial

import numpy as np

from src.sources.synthetic.brush import Brush
from src.sources.synthetic.hair import back_hair, beard, cap_of_hair, hat, side_locks
from src.sources.synthetic.head import Head, ear, face, spectacles
from src.sources.synthetic.limbs import arm, hips, leg, skirt
from src.sources.synthetic.trunk import collar, neck, torso


def paint_person(brush: Brush) -> None:
    """Everything, from back to front."""
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
