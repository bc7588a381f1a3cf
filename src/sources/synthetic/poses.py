"""What a person may be doing: the angles of the joints."""

from typing import NamedTuple

import numpy as np

from src.sources.synthetic.basics import Rng, pick


class Arm(NamedTuple):
    """Angles in degrees: forwards, sideways, turn of the forearm inwards, bend of the elbow, curl of the fingers."""

    flex: float
    abduct: float
    twist: float
    bend: float
    curl: float = 22


class Leg(NamedTuple):
    """Angles in degrees: thigh forwards, thigh sideways, bend of the knee, toes down."""

    flex: float
    abduct: float
    bend: float
    toes: float = 0


class Pose(NamedTuple):
    """Arms and legs (picture's right first), trunk (forwards, sideways, twist), roll of the pelvis, nod, and props."""

    arms: tuple[Arm, Arm]
    legs: tuple[Leg, Leg]
    trunk: tuple[float, float, float] = (2, 0, 0)
    roll: float = 0
    nod: float = 0
    seat: bool = False
    pockets: bool = False


DOWN, STAND = Arm(4, 9, 15, 14), (Leg(1, 4, 2), Leg(-1, 4, 3))
POSES = {
    "stand": Pose((DOWN, Arm(2, 10, 20, 18)), STAND),
    "contrapposto": Pose((Arm(6, 14, 20, 24), DOWN), (Leg(-2, 1, 1), Leg(14, 10, 26)), (2, -7, 6), 7),
    "walk": Pose((Arm(28, 6, 15, 28), Arm(-26, 7, 10, 14)), (Leg(-20, 1, 18, 28), Leg(27, 1, 8, -14)), (4, 0, -8)),
    "run": Pose(
        (Arm(48, 8, 30, 92, 70), Arm(-48, 12, 15, 85, 70)), (Leg(-26, 1, 42, 50), Leg(62, 1, 88, 8)), (15, 0, -12)
    ),
    "wave": Pose((Arm(8, 112, -75, 70, 4), DOWN), STAND, (0, 4, 0)),
    "cheer": Pose((Arm(6, 148, -80, 22, 5), Arm(0, 140, -80, 30, 5)), (Leg(2, 8, 3), Leg(-2, 8, 3)), (-4, 0, 0), 0, -8),
    "hips": Pose((Arm(-24, 44, 70, 92, 40), Arm(-24, 44, 70, 92, 40)), (Leg(0, 8, 2), Leg(2, 8, 4))),
    "hip_one": Pose((Arm(-24, 42, 70, 92, 40), DOWN), (Leg(0, 2, 1), Leg(12, 12, 22)), (2, -6, 0), 7),
    "folded": Pose((Arm(26, 6, 72, 98), Arm(16, 6, 72, 102)), STAND),
    "pockets": Pose((Arm(-10, 18, 52, 42),) * 2, (Leg(0, 3, 1), Leg(8, 8, 14)), (1, -3, 0), 3, 0, False, True),
    "sit": Pose((Arm(34, 8, 12, 42), Arm(30, 10, 15, 48)), (Leg(84, 8, 84), Leg(86, 9, 88)), (4, 0, 0), 0, 0, True),
    "sit_lean": Pose(
        (Arm(50, 6, 40, 62), Arm(48, 8, 45, 66)), (Leg(88, 16, 92), Leg(84, 17, 80)), (26, 0, 0), 0, -14, True
    ),
    "sit_cross": Pose(
        (Arm(30, 10, 35, 62), Arm(24, 12, 20, 52)), (Leg(84, 2, 88), Leg(98, -14, 66, 25)), (-2, 0, 4), 0, 0, True
    ),
    "crouch": Pose(
        (Arm(58, 8, 40, 60), Arm(52, 10, 45, 66)), (Leg(104, 15, 138, 34), Leg(100, 15, 134, 34)), (28, 0, 0), 0, -20
    ),
    "kneel": Pose((Arm(42, 6, 35, 62), Arm(4, 12, 15, 22)), (Leg(88, 6, 90), Leg(4, 6, 96, 80)), (8, 0, 0)),
    "stroll": Pose((Arm(-6, 12, 30, 40), Arm(30, 8, 60, 92)), (Leg(14, 2, 4, -6), Leg(-12, 2, 16, 24)), (2, 0, 6)),
    "dance": Pose(
        (Arm(10, 118, -80, 55, 10), Arm(35, 52, 45, 60, 15)), (Leg(14, 14, 26), Leg(-8, 16, 12, 16)), (0, -13, 14), 9
    ),
    "star": Pose((Arm(4, 96, -60, 14, 6), Arm(4, 92, -60, 22, 6)), (Leg(0, 20, 4), Leg(2, 18, 6)), (0, 3, 0)),
    "point": Pose((Arm(74, 30, 10, 12, 25), Arm(-10, 16, 30, 40)), (Leg(10, 5, 6), Leg(-10, 6, 6))),
    "think": Pose((Arm(38, 4, 42, 132, 50), Arm(18, 6, 70, 92)), STAND, (4, 0, 0), 0, 8),
    "bend": Pose((Arm(70, 6, 10, 30), Arm(62, 8, 10, 36)), (Leg(22, 6, 26), Leg(14, 6, 20)), (52, 0, 0), 0, -18),
}
# Poses that only make sense with the legs in the photo.
LOW = ("sit", "sit_lean", "sit_cross", "crouch", "kneel", "bend")
YAWS = ((0, 25), (0, 25), (25, 65), (25, 65), (65, 100), (140, 180))  # ranges of the turn of a body, to either side


def draw_pose(rng: Rng, *, low: bool) -> tuple[Pose, float]:
    """A random pose, one of LOW only if `low`, and its turn in degrees to the picture's right."""
    pose = POSES[pick(rng, [name for name in POSES if low or name not in LOW])]
    if rng.random() < 0.5:  # mirrored
        forwards, sideways, twist = pose.trunk
        trunk = (forwards, -sideways, -twist)
        pose = pose._replace(arms=pose.arms[::-1], legs=pose.legs[::-1], trunk=trunk, roll=-pose.roll)
    yaw = float(rng.uniform(*pick(rng, YAWS))) * pick(rng, (-1, 1))
    if pose.seat:  # seen from behind, the seat would have to hide the legs
        yaw = float(np.clip(yaw, -65, 65))
    return pose, yaw
