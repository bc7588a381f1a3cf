"""A posed person in three dimensions: where the joints are, and how thick the trunk is around them."""

from functools import partial

import numpy as np
from scipy.interpolate import PchipInterpolator

from src.sources.synthetic.basics import Array, Rng, turn
from src.sources.synthetic.look import Look
from src.sources.synthetic.poses import Arm, Leg, Pose

# Half widths and half depths of a trunk by height above the hip joints: y, width m/f, depth m/f, centre forwards m/f.
TRUNK = np.array(
    [
        [-0.34, 0.50, 0.52, 0.38, 0.40, -0.04, -0.06],
        [-0.05, 0.67, 0.72, 0.46, 0.49, -0.08, -0.12],
        [0.35, 0.64, 0.67, 0.43, 0.42, -0.03, -0.05],
        [0.85, 0.59, 0.50, 0.40, 0.35, 0.01, 0.00],
        [1.30, 0.68, 0.56, 0.43, 0.39, 0.03, 0.03],
        [1.70, 0.77, 0.63, 0.47, 0.49, 0.05, 0.10],
        [1.98, 0.78, 0.64, 0.41, 0.39, 0.02, 0.03],
        [2.18, 0.66, 0.55, 0.32, 0.30, -0.03, -0.03],
        [2.34, 0.45, 0.38, 0.25, 0.23, -0.05, -0.05],
        [2.46, 0.27, 0.23, 0.23, 0.20, -0.05, -0.04],
    ]
)


def trunk_profile(look: Look) -> PchipInterpolator:
    """A function of the height above the hip joints: half width, half depth and how far forwards the centre is."""
    table = TRUNK[:, [1, 3, 5]] * (1 - look.female) + TRUNK[:, [2, 4, 6]] * look.female
    belly = np.exp(-(((TRUNK[:, 0] - 0.75) / 0.6) ** 2))[:, None] * (0.16 * max(look.weight, 0))
    table = table * [1 + 0.10 * look.weight, 1 + 0.12 * look.weight, 1] + belly * [1.0, 1.3, 0.8]
    if look.child:  # a child has no waist or hips yet
        table[:, 0] = 0.5 * table[:, 0] + 0.5 * np.minimum(table[:, 0], 0.58)
    return PchipInterpolator(TRUNK[:, 0], table)


class Person:
    """A posed person in front of the camera.

    Positions are (3,) in heads from the pelvis, with the picture's x right, y up and z nearer. `camera`, `pelvis`,
    `chest` and `head`, and by side (1: picture's right, -1) `hands` and `feet`, are (3, 3) frames whose columns are
    their x, y and z. `joints` are positions by name and side ("knee1"), `ground` is the y of the lowest point.
    """

    def __init__(self, look: Look, pose: Pose, yaw: float, pitch: float, rng: Rng):
        self.look, self.pose = look, pose
        self.camera = turn(0, pitch) @ turn(1, yaw)
        jitter = partial(rng.normal, 0)
        forwards, sideways, twist = pose.trunk
        self.pelvis = self.camera @ turn(2, pose.roll)
        lean = turn(1, twist + jitter(3)) @ turn(0, forwards + jitter(2)) @ turn(2, sideways - pose.roll + jitter(2))
        self.chest = self.pelvis @ lean
        self.profile = trunk_profile(look)
        self.joints: dict[str, Array] = {}
        self.hands: dict[int, Array] = {}
        self.feet: dict[int, Array] = {}
        for side, arm, leg in zip((1, -1), pose.arms, pose.legs, strict=True):
            self.bend_leg(side, Leg(*(a + jitter(2) for a in leg)))
            self.bend_arm(side, Arm(*(a + jitter(4) for a in arm)))
        aside, nod = float(np.clip(jitter(16), -40, 40)), pose.nod - 0.6 * max(forwards, 0) + jitter(6)
        self.head = self.chest @ turn(1, aside) @ turn(0, nod) @ turn(2, -0.6 * sideways + jitter(4))
        neck = self.trunk(2.44)[0]
        self.joints["neck"] = neck
        self.joints["head"] = neck + self.chest @ [0, 0.20, 0.07] + self.head @ [0, 0.44 * look.head, 0.03]
        soles = [self.joints[f"ankle{s}"] + self.feet[s] @ [0, -0.28, z] for s in (1, -1) for z in (-0.2, 0.3, 0.52)]
        self.ground = min(*(p[1] for p in soles), *(self.joints[f"knee{s}"][1] - 0.25 for s in (1, -1)))

    def bend_leg(self, side: int, leg: Leg) -> None:
        """Places the joints of a leg; `side` 1 is the picture's right of who faces the camera."""
        length = self.look.leg
        frame = self.pelvis @ turn(0, -leg.flex) @ turn(2, side * leg.abduct)
        hip = self.pelvis @ [side * (0.33 + 0.04 * self.look.female), 0, 0]
        knee = hip + frame @ [0, -1.85 * length, 0]
        ankle = knee + frame @ turn(1, side * 8) @ turn(0, leg.bend) @ [0, -1.72 * length, 0]
        heading = turn(1, side * (12 if leg.bend < 60 else 4 + leg.abduct))
        self.feet[side] = self.pelvis @ turn(2, -self.pose.roll) @ heading @ turn(0, leg.toes)
        self.joints |= {f"hip{side}": hip, f"knee{side}": knee, f"ankle{side}": ankle}

    def bend_arm(self, side: int, arm: Arm) -> None:
        """Places the joints of an arm."""
        raised = float(np.clip((arm.abduct - 50) / 100, 0, 1))  # an arm that goes up takes the shoulder with it
        at = [side * (self.look.shoulder - 0.14 * raised), 0.28 * raised, 0]
        shoulder = self.trunk(1.96)[0] + self.chest @ at
        upper = self.chest @ turn(0, -arm.flex) @ turn(2, side * arm.abduct)
        elbow = shoulder + upper @ [0, -1.33, 0]
        self.hands[side] = upper @ turn(1, -side * arm.twist) @ turn(0, -arm.bend)
        wrist = elbow + self.hands[side] @ [0, -1.12, 0]
        self.joints |= {f"shoulder{side}": shoulder, f"elbow{side}": elbow, f"wrist{side}": wrist}

    def trunk(self, y: float, ease: float = 0.0) -> tuple[Array, Array, Array]:
        """The trunk's cross-section at height y: its centre and its half axes to the side and forwards."""
        centre = self.pelvis @ [0, min(y, 0.8), 0] + self.chest @ [0, max(y - 0.8, 0), 0]
        mix = np.clip((y - 0.3) / 1.0, 0, 1)
        frame = (1 - mix) * self.pelvis + mix * self.chest
        wide, deep, ahead = self.profile(y)
        return centre + frame[:, 2] * ahead, frame[:, 0] * (wide + ease), frame[:, 2] * (deep + ease)

    def surface(self, angle: float, y: float, ease: float) -> Array:
        """A point on the trunk, `angle` degrees from the front to the picture's right."""
        centre, side, front = self.trunk(y, ease)
        return np.asarray(centre + side * np.sin(np.radians(angle)) + front * np.cos(np.radians(angle)))

    def limb(self, *names: str) -> list[Array]:
        """The positions of the named joints."""
        return [self.joints[name] for name in names]
