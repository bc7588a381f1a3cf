"""The default data source: photo-like pictures of people that are drawn here, so that it needs no network.

Every photo is a function of (seed, index) and the size alone. A person is a posed 3D skeleton seen by an orthographic
camera; limbs, clothes and head are sweeps of balls and discs along it, painted back to front with a relief that one
light shades. A person's layer keeps its own alpha, so the mask is exactly what was painted. Lengths on bodies are in
heads (a head is 1, an adult about 7.4); body axes are x to the picture's right, y up, z towards the camera; pixels are
(x, y) with y down; backgrounds are in sides of the photo, y down.
"""

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.interpolate import PchipInterpolator
from tqdm.contrib.concurrent import process_map

from src.stage import Section

Array = NDArray[Any]
Rng = np.random.Generator
Shape = list[Array]  # polygons, each (N, 2) in pixels, whose union is the shape
View = tuple[slice, slice]  # rows and columns of a picture

CYCLE = 12  # of every so many photos one is each of CASES, in an order of its own
CASES = ("small", "cut", "grey", "glare")

# fmt: off
SKINS = ("#f6d7c3", "#eec1a2", "#e0ac87", "#d09a70", "#b97f56", "#9a6440", "#7a4b2e", "#62402a", "#4e3222")
HAIRS = ("#17120f", "#2b1c14", "#3f2a1b", "#5c3b22", "#7e5530", "#b08a52", "#d8bd84", "#8f3f1f", "#8d8a86", "#d2d0cc")
CLOTHS = ("#20242c", "#3b4250", "#6d7684", "#b9bec6", "#eceae4", "#d8cbb0", "#9c8461", "#6a4c35", "#7c1f26", "#b3392f",
          "#d9763c", "#e3b23c", "#7d8b3c", "#3c6b45", "#1f4d46", "#2d7f86", "#4f8fc0", "#2c5aa0", "#222f5c", "#5b3f7d",
          "#a1548a", "#d88aa0", "#c9a3b8", "#e8d5c4")
TROUSERS = ("#1f2733", "#2d3f5e", "#4a6284", "#7690ad", "#23211f", "#4b4a48", "#8a7a5f", "#b7a688", "#5a4433",
    "#39422f")
SHOES = ("#1b1918", "#3b2a20", "#6e4a2d", "#e9e7e2", "#8c8f94", "#a63a34", "#2a3b66")
SOLES = ("#f2f0ea", "#26221f", "#b08a5c")
SURFACES = ("#b9a58c", "#a5533f", "#c7b9a4", "#8c8b88", "#d6c7a1", "#7b6a5c", "#9fb0ba", "#c98f6a", "#8a9a83",
    "#e0d8cc")
VIVID = ("#c2362f", "#e0a526", "#2f74b5", "#3a8f57", "#8a4fa0", "#e27a2e", "#e8e4da", "#2a2d33", "#d9a07e", "#8b5a3c",
         "#e9c3a6", "#27a0a8")
LEAVES = ("#4e7a3a", "#6b8f3f", "#3c6339", "#8a9a3e", "#3f6a48", "#b0793a")
STONES = ("#8b8b8b", "#a39b90", "#77797d", "#b5ac9e")
WOODS = ("#9c7b56", "#b58d62", "#7a5a3f", "#5a4636", "#c8b08e")
SKIES = (("#5d93cf", "#cfe2f0"), ("#9fb4c6", "#dfe5e8"), ("#7fb0dc", "#f3e6d2"), ("#5c6f93", "#eab98f"),
    ("#c3ccd4", "#eceff0"))


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
    "run": Pose((Arm(48, 8, 30, 92, 70), Arm(-48, 12, 15, 85, 70)), (Leg(-26, 1, 42, 50), Leg(62, 1, 88, 8)),
        (15, 0, -12)),
    "wave": Pose((Arm(8, 112, -75, 70, 4), DOWN), STAND, (0, 4, 0)),
    "cheer": Pose((Arm(6, 148, -80, 22, 5), Arm(0, 140, -80, 30, 5)), (Leg(2, 8, 3), Leg(-2, 8, 3)), (-4, 0, 0), 0, -8),
    "hips": Pose((Arm(-24, 44, 70, 92, 40), Arm(-24, 44, 70, 92, 40)), (Leg(0, 8, 2), Leg(2, 8, 4))),
    "hip_one": Pose((Arm(-24, 42, 70, 92, 40), DOWN), (Leg(0, 2, 1), Leg(12, 12, 22)), (2, -6, 0), 7),
    "folded": Pose((Arm(26, 6, 72, 98), Arm(16, 6, 72, 102)), STAND),
    "pockets": Pose((Arm(-10, 18, 52, 42),) * 2, (Leg(0, 3, 1), Leg(8, 8, 14)), (1, -3, 0), 3, 0, False, True),
    "sit": Pose((Arm(34, 8, 12, 42), Arm(30, 10, 15, 48)), (Leg(84, 8, 84), Leg(86, 9, 88)), (4, 0, 0), 0, 0, True),
    "sit_lean": Pose((Arm(50, 6, 40, 62), Arm(48, 8, 45, 66)), (Leg(88, 16, 92), Leg(84, 17, 80)), (26, 0, 0),
        0, -14, True),
    "sit_cross": Pose((Arm(30, 10, 35, 62), Arm(24, 12, 20, 52)), (Leg(84, 2, 88), Leg(98, -14, 66, 25)), (-2, 0, 4),
        0, 0, True),
    "crouch": Pose((Arm(58, 8, 40, 60), Arm(52, 10, 45, 66)), (Leg(104, 15, 138, 34), Leg(100, 15, 134, 34)),
        (28, 0, 0), 0, -20),
    "kneel": Pose((Arm(42, 6, 35, 62), Arm(4, 12, 15, 22)), (Leg(88, 6, 90), Leg(4, 6, 96, 80)), (8, 0, 0)),
    "stroll": Pose((Arm(-6, 12, 30, 40), Arm(30, 8, 60, 92)), (Leg(14, 2, 4, -6), Leg(-12, 2, 16, 24)), (2, 0, 6)),
    "dance": Pose((Arm(10, 118, -80, 55, 10), Arm(35, 52, 45, 60, 15)), (Leg(14, 14, 26), Leg(-8, 16, 12, 16)),
        (0, -13, 14), 9),
    "star": Pose((Arm(4, 96, -60, 14, 6), Arm(4, 92, -60, 22, 6)), (Leg(0, 20, 4), Leg(2, 18, 6)), (0, 3, 0)),
    "point": Pose((Arm(74, 30, 10, 12, 25), Arm(-10, 16, 30, 40)), (Leg(10, 5, 6), Leg(-10, 6, 6))),
    "think": Pose((Arm(38, 4, 42, 132, 50), Arm(18, 6, 70, 92)), STAND, (4, 0, 0), 0, 8),
    "bend": Pose((Arm(70, 6, 10, 30), Arm(62, 8, 10, 36)), (Leg(22, 6, 26), Leg(14, 6, 20)), (52, 0, 0), 0, -18),
}
LOW = ("sit", "sit_lean", "sit_cross", "crouch", "kneel",
    "bend")  # poses that only make sense with the legs in the photo
YAWS = ((0, 25), (0, 25), (25, 65), (25, 65), (65, 100), (140, 180))  # ranges of the turn of a body, to either side

# Half widths and half depths of a trunk by height above the hip joints: y, width m/f, depth m/f, centre forwards m/f.
TRUNK = np.array([
    [-0.34, 0.50, 0.52, 0.38, 0.40, -0.04, -0.06], [-0.05, 0.67, 0.72, 0.46, 0.49, -0.08, -0.12],
    [0.35, 0.64, 0.67, 0.43, 0.42, -0.03, -0.05], [0.85, 0.59, 0.50, 0.40, 0.35, 0.01, 0.00],
    [1.30, 0.68, 0.56, 0.43, 0.39, 0.03, 0.03], [1.70, 0.77, 0.63, 0.47, 0.49, 0.05, 0.10],
    [1.98, 0.78, 0.64, 0.41, 0.39, 0.02, 0.03], [2.18, 0.66, 0.55, 0.32, 0.30, -0.03, -0.03],
    [2.34, 0.45, 0.38, 0.25, 0.23, -0.05, -0.05], [2.46, 0.27, 0.23, 0.23, 0.20, -0.05, -0.04]])
# Radii along a limb: 0 shoulder or hip, 1 elbow or knee, 2 wrist or ankle.
ARM_T, ARM_R = (0, 0.3, 0.7, 1, 1.25, 1.6, 2), (0.215, 0.20, 0.165, 0.145, 0.16, 0.13, 0.095)
LEG_T, LEG_R = (0, 0.3, 0.7, 1, 1.3, 1.7, 2), (0.40, 0.37, 0.28, 0.225, 0.25, 0.17, 0.125)
BONES = (((0, -0.41, 0.27), 0.085), ((0.215, -0.24, 0.06), 0.11), ((-0.215, -0.24, 0.06), 0.11),
         ((0.24, -0.02, 0.2), 0.12), ((-0.24, -0.02, 0.2), 0.12), ((0, -0.2, 0.36),
          0.07))  # of the face, (point, radius)
NOSE = (((0, 0.05, 0.40), 0.03), ((0, -0.12, 0.475), 0.045), ((0, -0.15, 0.40), 0.04))

# Hairline: height on the head (centre 0, crown 0.5) at these degrees from the nose.
HAIRLINE_AT = (0, 30, 55, 70, 85, 100, 125, 180)
HAIRLINES = {
    "short": (0.33, 0.34, 0.26, 0.10, -0.06, 0.02, -0.26, -0.34),
        "fringe": (0.19, 0.18, 0.16, 0.02, -0.12, 0, -0.30, -0.38),
    "high": (0.45, 0.47, 0.40, 0.16, -0.04, 0.02, -0.24, -0.32),
        "tied": (0.32, 0.33, 0.28, 0.15, 0, 0.06, -0.22, -0.34),
    "long": (0.33, 0.30, 0.16, 0.06, -0.05, -0.16, -0.3, -0.36),
        "long_fringe": (0.18, 0.16, 0.08, 0.04, -0.05, -0.16, -0.3, -0.36),
}
# Style: hairline, swell of the hair over the skull, how far it hangs below the head's centre, what else.
MEN = (("short", 1.05, 0, ""), ("short", 1.12, 0, ""), ("high", 1.03, 0, ""), ("short", 1.02, 0, ""),
    ("fringe", 1.09, 0, ""),
       ("short", 1.30, 0, "curls"), ("short", 1.52, 0, "afro"), ("tied", 1.05, 0, "bun"), ("", 1, 0, "bald"))
WOMEN = (("long", 1.09, 0.75, ""), ("long", 1.10, 1.5, ""), ("long_fringe", 1.09, 0.7, ""),
    ("long_fringe", 1.09, 1.2, ""),
         ("tied", 1.05, 0, "bun"), ("tied", 1.05, 0, "tail"), ("fringe", 1.09, 0, ""), ("long", 1.22, 0.55, "curls"),
         ("short", 1.52, 0, "afro"), ("short", 1.05, 0, ""))
HATS = ("",) * 6 + ("cap", "beanie", "brim")


@cache
def circle(count: int) -> Array:
    """(count, 2) points on the unit circle."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 20) -> Array:
    """(count, 2) points."""
    return circle(count) * (rx, ry) + (x, y)


# The face on the head's x and y: where (both sides, the side away from the light, the middle), colour, opacity, blur,
# and the points of a polygon (x, y) or of a line (x, y, width).
FACE: tuple[tuple[str, str, float, float, Any], ...] = (
    ("both", "dark", 0.35, 0.03, ellipse(0.165, 0.035, 0.10, 0.065)),
    ("both", "white", 1, 0, [(0.087, 0.015), (0.125, 0.045), (0.165, 0.052), (0.21, 0.041), (0.243, 0.019),
     (0.205, -0.007), (0.165, -0.013), (0.12, -0.005)]),
    ("both", "iris", 1, 0, ellipse(0.165, 0.019, 0.033, 0.033)),
    ("both", "black", 1, 0, ellipse(0.165, 0.019, 0.016, 0.016)),
    ("both", "glint", 1, 0, ellipse(0.156, 0.031, 0.009, 0.009)),
    ("both", "lid", 1, 0, [(0.08, 0.015, 0.01), (0.125, 0.045, 0.022), (0.165, 0.054, 0.024), (0.21, 0.042, 0.024),
     (0.25, 0.015, 0.014)]),
    ("both", "dark", 0.5, 0, [(0.08, 0.015, 0.005), (0.125, -0.007, 0.01), (0.165, -0.015, 0.01),
     (0.21, -0.005, 0.01), (0.25, 0.015, 0.005)]),
    ("both", "brow", 0.85, 0.004, [(0.065, 0.10, 0.036), (0.125, 0.12, 0.036), (0.195, 0.127, 0.03),
     (0.275, 0.09, 0.012)]),
    ("both", "blush", 0.35, 0.04, ellipse(0.22, -0.13, 0.09, 0.06)),
    ("away", "dark", 0.5, 0.022, [(0, 0.06), (0.045, 0), (0.09, -0.14), (0.01, -0.15)]),
    ("mid", "light", 0.6, 0.02, ellipse(0, -0.105, 0.035, 0.04)),
    ("mid", "dark", 0.65, 0.006, [(-0.075, -0.135, 0.01), (-0.045, -0.16, 0.025), (0, -0.168, 0.02),
     (0.045, -0.16, 0.025), (0.075, -0.135, 0.01)]),
    ("mid", "lips", 0.85, 0.004, [(-0.125, -0.265), (-0.07, -0.25), (-0.03, -0.239), (0, -0.247), (0.03, -0.239),
     (0.07, -0.25), (0.125, -0.265), (0.07, -0.302), (0, -0.325), (-0.07, -0.302)]),
    ("mid", "lid", 0.9, 0, [(-0.13, -0.263, 0.008), (-0.07, -0.273, 0.012), (0, -0.276, 0.014), (0.07, -0.273, 0.012),
     (0.13, -0.263, 0.008)]),
    ("mid", "dark", 0.3, 0.02, ellipse(0, -0.355, 0.07, 0.02)),
)
# What lies on the front of a garment: colour ("shirt" or a factor of the garment's), relief, shadow and corners
# (degrees from the front, height; None: the hem). Those right of the front are mirrored to the left.
FRONTS: dict[str, tuple[tuple[Any, float, float, Any], ...]] = {
    "jacket": (("shirt", 0.2, 0, [(-16, None), (16, None), (20, 1.2), (16, 1.9), (20, 2.38), (-20, 2.38), (-16, 1.9),
        (-20, 1.2)]),
               (1.06, 0.06, 0.4, [(20, 1.25), (48, 1.85), (38, 1.98), (42, 2.1), (26, 2.42), (15, 2.3)])),
    "hoodie": ((0.95, 0.08, 0.3, [(-42, 0.35), (42, 0.35), (42, 0.6), (28, 0.95), (-28, 0.95), (-42, 0.6)]),
               (1.5, 0, 0.3, [(8, 2.28), (11, 2.28), (13, 1.75), (10, 1.75)])),
    "shirt": ((0.93, 0, 0, [(-3.5, None), (3.5, None), (3.5, 2.3), (-3.5, 2.3)]), (0.9, 0.04, 0.3, [(24, 1.3),
        (48, 1.3), (48, 1.62), (24, 1.62)])),
    "polo": ((0.93, 0, 0, [(-3.5, 1.6), (3.5, 1.6), (3.5, 2.3), (-3.5, 2.3)]),),
}
FLAP = ((0.2, 0.2, -0.02), (0.03, -0.2, 0.24), (0.2, -0.34, 0.28), (0.36, -0.04, 0.05),
    (0.3, 0.1, -0.05))  # of a collar
LONG = ("long", "jacket", "hoodie", "shirt")  # tops with long sleeves
NECKLINES = {"tee": 0.17, "dress": 0.3, "long": 0.14, "hoodie": 0.12, "jacket": 0.14}  # how deep; others 0.2


def rect(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def column(wide: float, low: float, high: float) -> list[tuple[Any, Any]]:
    """A round upright thing as parts of a prop: strips that are lit from one side."""
    tones = (0.95, 1.1, 1.05, 0.95, 0.82, 0.68, 0.55)
    edges = np.sin(np.linspace(-np.pi / 2, np.pi / 2, len(tones) + 1)) * wide
    return [(tone, rect(a, low, b, high)) for tone, a, b in zip(tones, edges[:-1], edges[1:], strict=True)]


# Things in backgrounds: colour (a factor of the thing's paint, or fixed) and a polygon, or an oval (x, y, rx, ry), with
# y up and the thing's height as the unit.
PROPS: dict[str, list[tuple[Any, Any]]] = {
    "car": [("#202020", (0, 0.02, 1.75, 0.1)), (1, [(-1.65, 0.15), (-1.65, 0.5), (-1.05, 0.58), (-0.65, 1), (0.6, 1),
        (1.1, 0.58), (1.65, 0.46), (1.65, 0.15)]),
            (0.7, rect(-1.65, 0.15, 1.65, 0.33)), ("#3d4a55", [(-0.9, 0.6), (-0.6, 0.93), (0, 0.93), (0, 0.6)]),
             ("#46545f", [(0.07, 0.6), (0.07, 0.93), (0.53, 0.93), (0.9, 0.6)]),
            ("#f3e7b8", rect(1.5, 0.36, 1.65, 0.48)), ("#b02a22", rect(-1.65, 0.36, -1.52, 0.48))]
           + [(c, (x, 0.16, r, r)) for x in (-1, 1) for r, c in ((0.25, "#1a1a1a"), (0.12, "#8f9296"))],
    "lamp": [*column(0.012, 0, 0.95), ("#f4ecd2", [(-0.025, 0.95), (0.025, 0.95), (0.04, 1.02), (-0.04, 1.02)]),
        ("#2b2e31", rect(-0.045, 1.02, 0.045, 1.035))],
    "sign": [*column(0.014, 0, 1), ("#eeeeee", (0, 1, 0.13, 0.13)), (1, (0, 1, 0.11, 0.11)),
        ("#eeeeee", rect(-0.07, 0.98, 0.07, 1.02))],
    "bollard": [*column(0.09, 0, 1), (1.05, (0, 1, 0.09, 0.08)), ("#e8e8e8", rect(-0.09, 0.75, 0.09, 0.85))],
    "bin": [*column(0.3, 0, 0.95), (0.5, (0, 0.95, 0.3, 0.06)), (0.6, rect(-0.3, 0.7, 0.3, 0.76))],
    "column": [*column(0.13, 0, 1), (0.9, (0, 1, 0.13, 0.03)), ("#f0ede4", rect(-0.1, 0.45, 0.06, 0.75)),
        (1.3, (-0.02, 0.6, 0.05, 0.08))],
    "cone": [("#e0662b", [(-0.3, 0), (-0.04, 1), (0.04, 1), (0.3, 0)]), ("#f2f2f2", [(-0.2, 0.35), (-0.13, 0.6),
        (0.13, 0.6), (0.2, 0.35)]), ("#b9501f", rect(-0.38, 0, 0.38, 0.06))],
    "bench": [(1.05, rect(-1, 0.8, 1, 0.97)), (0.95, rect(-1, 0.58, 1, 0.75)), (0.85, rect(-1, 0.38, 1, 0.5)),
        ("#2e2e2e", rect(-0.9, 0, -0.8, 0.4)), ("#2e2e2e", rect(0.8, 0, 0.9, 0.4))],
    "parasol": [("#e6e2da", rect(-0.02, 0, 0.02, 1))] + [(1 if k % 2 else 0.4, [(0, 1),
        (0.5 * np.cos(np.pi * (1 - k / 6)), 0.7 + 0.1 * np.sin(np.pi * k / 6)), (0.5 * np.cos(np.pi * (5 - k) / 6),
        0.7 + 0.1 * np.sin(np.pi * (k + 1) / 6))]) for k in range(6)],
    "towel": [(1, [(-0.9, 0), (-0.7, 0.4), (1, 0.45), (0.9, 0.04)]), (0.75, [(0.4, 0.02), (0.5, 0.43), (0.6, 0.43),
        (0.5, 0.02)])],
    "sofa": [("#2a241f", (0, 0.02, 1.3, 0.08)), (0.85, rect(-1.25, 0.06, 1.25, 1)),
        *[(t, rect(x, 0.45, x + 0.74, 0.94)) for t, x in ((1.05, -1.13), (0.98, -0.37),
        (0.9, 0.39))], (1.1, rect(-1.2, 0.28, 1.2, 0.5)), (0.78, rect(-1.35, 0.06, -1.1, 0.68)),
        (0.72, rect(1.1, 0.06, 1.35, 0.68))],
    "floor lamp": [("#333333", rect(-0.01, 0, 0.01, 0.8)), ("#333333", (0, 0.01, 0.1, 0.02)), ("#f3dfb4", [(-0.08, 1),
        (0.08, 1), (0.14, 0.75), (-0.14, 0.75)])],
    "coats": [("#4b3a2c", rect(-0.01, 0, 0.01, 1)), ("#4b3a2c", rect(-0.12, 0.93, 0.12, 0.95)), (0.8, [(0.02, 0.92),
        (0.13, 0.84), (0.17, 0.3), (0.0, 0.3)]),
              (1, [(-0.05, 0.93), (0.05, 0.86), (0.06, 0.38), (-0.17, 0.36), (-0.14, 0.84)]), (0.7, [(-0.05, 0.85),
               (-0.03, 0.37), (-0.06, 0.37)]), (0.75, [(-0.1, 0.82), (-0.1, 0.37), (-0.13, 0.37)]),
               (1.2, (0, 1, 0.08, 0.03))],
    "window": [("#efece4", rect(-0.31, -0.03, 0.31, 1.03)), ("#dbe9f2", rect(-0.28, 0, 0.28, 1)),
        ("#b9cfae", (-0.1, 0.1, 0.17, 0.14)), ("#a5bf9a", (0.12, 0.07, 0.15, 0.12)),
        ("#efece4", rect(-0.28, -0.03, 0.28, 0.04)),
               ("#efece4", rect(-0.015, 0, 0.015, 1)), ("#efece4", rect(-0.28, 0.5, 0.28, 0.525))] + [(t, rect(x,
                -0.3, x + 0.05, 1.08)) for x in (-0.4, 0.25) for x, t in ((x, 1), (x + 0.05, 0.85), (x + 0.1, 1.05))],
    "pot": [*column(0.5, 0, 1), (0.5, (0, 1, 0.5, 0.1))],
    "softbox": [("#262626", rect(-0.008, 0, 0.008, 0.8)), ("#f5f2ea", [(-0.12, 1), (0.13, 0.97), (0.12, 0.7),
        (-0.11, 0.68)])],
}
GOODS = VIVID + CLOTHS + SKINS[1:6]
# fmt: on
STREET_THINGS = (("lamp", 2.0), ("sign", 1.25), ("bollard", 0.5), ("bin", 0.5), ("cone", 0.35), ("column", 0.95))


class Data(Section):
    """The block `synthetic.data` of params.yaml."""

    seed: int = Field(ge=0)
    labelled: int = Field(ge=1)
    test: int = Field(ge=1)
    size: int = Field(ge=64)


def rgb(code: str) -> Array:
    """'#rrggbb' as (3,) float32 in 0..1."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


def pick(rng: Rng, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def tint(rng: Rng, codes: Sequence[str], spread: float = 0.05) -> Array:
    """One of the colours, a little changed: (3,) float32."""
    return np.clip(rgb(pick(rng, codes)) * rng.uniform(1 - spread, 1 + spread, 3), 0.02, 1).astype(np.float32)


def noise(rng: Rng, shape: tuple[int, int], cells: tuple[float, float]) -> Array:
    """Smooth noise of `shape`, float32 about -1..1, with `cells` (down, across) of it in the picture."""
    coarse = rng.uniform(-1, 1, (max(2, round(cells[0])), max(2, round(cells[1])))).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def turn(axis: int, degrees: float) -> Array:
    """(3, 3) rotation about axis 0, 1 or 2."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i], matrix[j, j], matrix[i, j], matrix[j, i] = c, c, -s, s
    return matrix


def normalised(vector: Array) -> Array:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def smooth(knots: Any, count: int) -> Array:
    """(count, N) points on a curve through the knots (K, N)."""
    return np.asarray(
        PchipInterpolator(np.arange(len(knots)), np.asarray(knots))(np.linspace(0, len(knots) - 1, count))
    )


def sweep(sections: Sequence[Array]) -> Shape:
    """The hulls of every two neighbours in a row of point sets: the outline of what is swept along them."""
    return [cv2.convexHull(np.concatenate(pair).astype(np.float32))[:, 0] for pair in pairwise(sections)]


class Light(NamedTuple):
    """Where the light comes from (3,) in the picture's axes (x right, y down, z nearer) and its colours (3,)."""

    direction: Array
    key: Array
    ambient: Array


class Cloth(NamedTuple):
    """What a garment is made of: its colour, its pattern's name, colour and period in heads."""

    colour: Array
    kind: str
    ink: Array
    pitch: float

    def weave(self, across: Array, along: Array) -> Array:
        """Colour (H, W, 3) at distances in heads across and along the garment."""

        def wave(x: Array) -> Array:
            return np.clip(0.5 + 2.5 * np.sin(2 * np.pi * x / self.pitch), 0, 1).astype(np.float32)

        weight = {
            "stripes": lambda: wave(along),
            "pins": lambda: wave(across) * 0.7,
            "checks": lambda: (wave(along) + wave(across)) * 0.5,
            "plaid": lambda: 0.45 * wave(along) + 0.3 * wave(across * 2) * wave(across * 0.5) + 0.15,
            "dots": lambda: wave(along) * wave(across),
        }[self.kind]()
        return self.colour + weight[..., None] * (self.ink - self.colour)


class Layer:
    """A picture with alpha, painted back to front: rgb (S, S, 3) premultiplied and alpha (S, S), float32 in 0..1."""

    def __init__(self, size: int, light: Light):
        self.size, self.light = size, light
        self.rng = np.random.default_rng(0)  # of folds only, because how much they draw depends on the photo's size
        self.rgb = np.zeros((size, size, 3), np.float32)
        self.alpha = np.zeros((size, size), np.float32)

    def window(self, points: Array, margin: float) -> View | None:
        """The part of the picture around the points (N, 2), or None where they are outside of it."""
        low = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
        high = np.minimum(np.ceil(points.max(0) + margin) + 1, self.size).astype(int)
        return None if (high <= low).any() else (slice(low[1], high[1]), slice(low[0], high[0]))

    def onto(self, picture: Array) -> None:
        """Lays the layer over a picture (S, S, 3) float32."""
        picture *= 1 - self.alpha[..., None]
        picture += self.rgb

    def blend(self, view: View, cover: Array, colour: Array) -> None:
        cover = cover.astype(np.float32)
        self.rgb[view] += cover[..., None] * (colour.astype(np.float32) - self.rgb[view])
        self.alpha[view] += cover * (1 - self.alpha[view])

    def fill(self, shape: Shape, view: View) -> Array:
        """(H, W) uint8, 255 in the union of the polygons, with smooth edges."""
        origin = np.array([view[1].start, view[0].start])
        mask = np.zeros((view[0].stop - view[0].start, view[1].stop - view[1].start), np.uint8)
        for polygon in shape:
            corners = np.round(np.clip((polygon - origin) * 16, -(2**20), 2**20)).astype(np.int32)
            cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
        return mask

    def lit(self, x: Array, y: Array, z: Array) -> Array:
        """Light (H, W, 3) on normals of the picture's axes, y down."""
        facing = np.maximum(x * self.light.direction[0] + y * self.light.direction[1] + z * self.light.direction[2], 0)
        return self.light.ambient + self.light.key * facing[..., None].astype(np.float32)

    def shade(self, mask: Array, relief: float, folds: float) -> Array:
        """Light (H, W, 3) on a cushion that has the shape of mask (H, W) uint8 and a rim `relief` pixels wide."""
        step = max(1, int(relief / 6))  # the light is smooth, so it is worked out on a coarse grid
        size = (max(2, mask.shape[1] // step), max(2, mask.shape[0] // step))
        sigma = max(0.45 * relief / step, 0.6)
        height: Array = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        height = cv2.GaussianBlur(height, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) * np.float32(sigma * 3.6)
        if folds:
            cells = (size[1] / sigma / 2.6, size[0] / sigma / 1.5)
            height += noise(self.rng, (size[1], size[0]), cells) * np.float32(folds * sigma * 0.45)
        dx, dy = (cv2.Sobel(height, cv2.CV_32F, i, 1 - i, scale=0.125) for i in (1, 0))
        steep = np.sqrt(1 + dx * dx + dy * dy)
        lit = self.lit(-dx / steep, -dy / steep, 1 / steep)
        return np.asarray(cv2.resize(lit, mask.shape[::-1], interpolation=cv2.INTER_LINEAR))

    def paint(
        self, shape: Shape, cloth: Cloth | Array, relief: float = 0.0, *, opacity: float = 1.0, soft: float = 0.0,
        inside: bool = False, shadow: float = 0.0, folds: float = 0.0, fuse: tuple[Array, float] | None = None,
        grid: tuple[Array, Array, float] | None = None,
    ) -> None:  # fmt: skip
        """Paints the union of the polygons.

        relief: width of the rounded rim in pixels (0: flat). soft: blur of the edge. inside: only over what is painted.
        shadow: how dark it makes what lies under it, next to it. fuse: (point, radius) around which it blends into
        what it overlaps, so that a joint shows no edge. grid: (origin, direction along, pixels in a head) of a pattern.
        """
        view = self.window(np.concatenate(shape), 3 * soft + (1.3 * relief if shadow else 0) + 2)
        if view is None:
            return
        mask = self.fill(shape, view)
        cover: Array = mask.astype(np.float32) / 255
        if soft > 0.3:
            cover = cv2.GaussianBlur(cover, (0, 0), soft, borderType=cv2.BORDER_REPLICATE)
        rows, columns = np.ogrid[view]
        joined: Any = 1
        if fuse:
            distance = np.hypot(columns - fuse[0][0], rows - fuse[0][1]) / fuse[1]
            joined = np.clip(2 * distance - 1, 0, 1).astype(np.float32)
        if shadow:
            away = -0.5 * relief * self.light.direction[:2]
            move = np.array([[1, 0, away[0]], [0, 1, away[1]]])
            cast = cv2.warpAffine(cover, move, mask.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
            cast = cv2.blur(cast, (max(1, round(0.8 * relief)),) * 2)
            self.rgb[view] *= (1 - np.float32(shadow) * joined * cast)[..., None]
        cover *= np.float32(opacity)
        if inside:
            cover *= self.alpha[view]
        if fuse:
            cover *= np.maximum(joined, 1 - self.alpha[view])
        colour = cloth.colour if isinstance(cloth, Cloth) else cloth
        if grid and isinstance(cloth, Cloth) and cloth.kind != "plain":
            (x, y), (dx, dy), scale = grid
            across = ((columns - x) * -dy + (rows - y) * dx) / scale
            along = ((columns - x) * dx + (rows - y) * dy) / scale
            colour = cloth.weave(across, along + 0.12 * across**2)
        self.blend(view, cover, colour * self.shade(mask, relief, folds) if relief else colour)


class Look(NamedTuple):
    """How a person is built (female 0..1, weight about -1..1, the others factors near 1), groomed and dressed."""

    female: float
    weight: float
    limb: float
    leg: float
    head: float
    shoulder: float
    skin: Array
    hair: Array
    style: tuple[str, float, float, str]
    hat: str
    hat_colour: Array
    beard: bool
    glasses: bool
    top: str
    bottom: str
    shirt: Cloth
    outer: Cloth
    legs: Cloth
    shoes: Array
    sole: Array
    ease: float
    hem: float
    sleeve: float


def draw_look(rng: Rng) -> Look:
    """A random person."""
    child, feminine = bool(rng.random() < 0.14), bool(rng.random() < 0.5)
    female = 0.5 if child else float(np.clip(feminine + rng.uniform(-0.15, 0.15), 0, 1))
    weight = float(np.clip(rng.normal(0, 0.45), -0.7, 1.3))
    bottom = pick(rng, ("trousers",) * 3 + ("shorts",) + ("skirt", "dress") * feminine)
    wide_tops = ("tee", "tee", "long", "jacket", "hoodie", "shirt", "polo")
    top = pick(rng, ("dress", "dress", "tee", "long") if bottom == "dress" else wide_tops)
    ink, kinds = tint(rng, CLOTHS), ("plain", "plain", "plain", "stripes", "checks", "plaid", "dots", "pins")
    shirt = Cloth(tint(rng, CLOTHS), pick(rng, kinds), ink, float(rng.uniform(0.16, 0.4)))
    jacket = Cloth(tint(rng, CLOTHS + TROUSERS), "plain", ink, 1)
    leg_kind = pick(rng, ("plain",) * 6 + ("plaid",))
    legs = Cloth(tint(rng, CLOTHS if bottom == "skirt" else TROUSERS), leg_kind, ink, 0.3)
    tone = int(rng.integers(len(SKINS)))
    return Look(
        female=female,
        weight=weight,
        limb=float(1.0 - 0.12 * female + 0.14 * weight),
        leg=float(rng.uniform(0.95, 1.04) * (0.9 if child else 1)),
        head=float(rng.uniform(1.2, 1.45) if child else rng.uniform(0.97, 1.06)),
        shoulder=float((0.81 - 0.12 * female) * rng.uniform(0.96, 1.05) * (0.95 if child else 1)),
        skin=tint(rng, SKINS[tone : tone + 1], 0.03),
        hair=tint(rng, HAIRS if tone < 4 else HAIRS[:3]),
        style=pick(rng, WOMEN if feminine else MEN[:-1] if child else MEN),
        hat=pick(rng, HATS),
        hat_colour=tint(rng, CLOTHS),
        beard=bool(rng.random() < 0.4) and not feminine and not child,
        glasses=bool(rng.random() < 0.2),
        top=top,
        bottom=bottom,
        shirt=shirt,
        outer=jacket if top in ("jacket", "hoodie") else shirt,
        legs=shirt if bottom == "dress" else legs,
        shoes=tint(rng, SHOES),
        sole=tint(rng, SOLES),
        ease=float(rng.uniform(0.03, 0.10)),
        hem=0.2 if bottom == "dress" else float(rng.uniform(-0.3, 0.25)),
        sleeve=float(rng.uniform(0.55, 0.8)),
    )


class Person:
    """A posed person in front of the camera; positions are (3,) in heads with the picture's x right, y up, z nearer."""

    def __init__(self, look: Look, pose: Pose, yaw: float, pitch: float, rng: Rng):
        self.look, self.pose, self.rng = look, pose, rng
        self.camera = turn(0, pitch) @ turn(1, yaw)
        jitter = partial(rng.normal, 0)
        forwards, sideways, twist = pose.trunk
        self.pelvis = self.camera @ turn(2, pose.roll)
        lean = turn(1, twist + jitter(3)) @ turn(0, forwards + jitter(2)) @ turn(2, sideways - pose.roll + jitter(2))
        self.chest = self.pelvis @ lean
        table = TRUNK[:, [1, 3, 5]] * (1 - look.female) + TRUNK[:, [2, 4, 6]] * look.female
        belly = np.exp(-(((TRUNK[:, 0] - 0.75) / 0.6) ** 2))[:, None] * (0.16 * max(look.weight, 0))
        table = table * [1 + 0.10 * look.weight, 1 + 0.12 * look.weight, 1] + belly * [1.0, 1.3, 0.8]
        if look.head > 1.15:  # a child has no waist or hips yet
            table[:, 0] = 0.5 * table[:, 0] + 0.5 * np.minimum(table[:, 0], 0.58)
        self.profile = PchipInterpolator(TRUNK[:, 0], table)
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
        length = self.look.leg
        frame = self.pelvis @ turn(0, -leg.flex) @ turn(2, side * leg.abduct)
        hip = self.pelvis @ [side * (0.33 + 0.04 * self.look.female), 0, 0]
        knee = hip + frame @ [0, -1.85 * length, 0]
        ankle = knee + frame @ turn(1, side * 8) @ turn(0, leg.bend) @ [0, -1.72 * length, 0]
        heading = turn(1, side * (12 if leg.bend < 60 else 4 + leg.abduct))
        self.feet[side] = self.pelvis @ turn(2, -self.pose.roll) @ heading @ turn(0, leg.toes)
        self.joints |= {f"hip{side}": hip, f"knee{side}": knee, f"ankle{side}": ankle}

    def bend_arm(self, side: int, arm: Arm) -> None:
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
        return [self.joints[name] for name in names]


class Painter:
    """Paints one person on a layer: `unit` pixels are a head, `origin` (x, y) is the ground under the pelvis."""

    def __init__(self, layer: Layer, person: Person, unit: float, origin: Array):
        self.layer, self.person, self.unit = layer, person, unit
        self.look, self.rng, self.front = person.look, person.rng, bool(person.chest[2, 2] > -0.1)
        self.origin = origin + np.array([0, unit * person.ground])
        self.size = self.look.head  # of this head, in heads

    # -- geometry --------------------------------------------------------------------------------------------------

    def flat(self, point: Array) -> Array:
        """(..., 3) in heads to (..., 2) in pixels."""
        return np.asarray(np.asarray(point)[..., :2] * [self.unit, -self.unit] + self.origin)

    def ball(self, centre: Array, radius: float) -> Array:
        return self.flat(centre) + circle(24) * (self.unit * radius)

    def disc(self, centre: Array, a: Array, b: Array) -> Array:
        return self.flat(centre + circle(28) @ np.stack([a, b]))

    def ring(self, centre: Array, axis: Array, radius: float) -> Array:
        """A circle across an axis."""
        axis = normalised(axis)
        a = normalised(np.cross(axis, [0.31, 0.17, 0.93]))
        return self.disc(centre, a * radius, np.cross(axis, a) * radius)

    def chain(self, points: Sequence[Array] | Array, radii: Any) -> Shape:
        """What a ball sweeps from point to point, in heads."""
        return sweep([self.ball(p, float(r)) for p, r in zip(points, radii, strict=True)])

    def tube(self, path: Sequence[Array], ts: Any, rs: Any, start: float, end: float, *, cut: bool = False) -> Shape:
        """A limb along joints between two places on it (0: first joint, 1: second...); `cut`: it ends flat."""
        sections = []
        for place in np.unique([*np.linspace(start, end, 13), *(t for t in range(len(path)) if start < t < end)]):
            segment = min(int(place), len(path) - 2)
            axis, radius = path[segment + 1] - path[segment], float(np.interp(place, ts, rs))
            round_here = place in (int(place), start, end) and not (cut and place == end)
            centre = path[segment] + axis * (place - segment)
            sections.append(self.ball(centre, radius) if round_here else self.ring(centre, axis, radius))
        return sweep(sections)

    def stroke(self, points: Array, widths: Any, colour: Array, **options: Any) -> None:
        """A line through points (N, 3) with the given widths in heads."""
        self.layer.paint(self.chain(points, np.asarray(widths) / 2), colour, **options)

    def crease(self, start: Array, end: Array, cloth: Cloth, width: float = 0.05) -> None:
        """A fold: a soft dark line with a lighter one beside it."""
        points, taper = np.linspace(start, end, 5), np.array([0.1, 0.7, 1, 0.7, 0.1]) * width
        light = np.minimum(cloth.colour * 1.15 + 0.05, 1)
        for shift, colour, opacity in ((0.0, cloth.colour * 0.5, 0.34), (width, light, 0.2)):
            moved = points + np.array([shift, shift, 0])
            self.stroke(moved, taper, colour, soft=self.unit * width * 0.5, inside=True, opacity=opacity)

    def joint_creases(self, path: Sequence[Array], cloth: Cloth, radius: float) -> None:
        """Folds around an elbow or a knee."""
        axis = normalised(path[2] - path[1])
        across = normalised(np.cross(axis, [0, 0, 1])) * radius
        for offset, slant in self.rng.uniform((-0.22, -0.12), (0.28, 0.12), (3, 2)):
            middle = path[1] + axis * offset
            self.crease(middle - across, middle + across * 0.4 + axis * slant, cloth)

    # -- the whole -------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Everything, back to front."""
        joints, person = self.person.joints, self.person
        depths = [np.mean([joints[f"elbow{s}"][2], joints[f"wrist{s}"][2]]) - person.trunk(1.2)[0][2] for s in (1, -1)]
        arms = sorted(zip(depths, (1, -1), strict=True))
        legs = sorted((joints[f"knee{s}"][2] + 0.5 * joints[f"ankle{s}"][2], s) for s in (1, -1))
        middle = np.mean([joints[name][2] for name in ("neck", "hip1", "hip-1")])
        lap = (joints["knee1"][2] + joints["knee-1"][2]) / 2 - middle > 0.7  # the thighs come forwards, over the trunk
        facing = person.head[2, 2] > 0.3
        trunk = (self.collar, self.torso, self.neck) if self.front else (self.neck, self.torso, self.collar)
        if facing:
            self.back_hair(0.75)
        for depth, side in arms:
            if depth < -0.1:
                self.arm(side)
        self.hips()
        if lap:
            for part in trunk:
                part()
        for _, side in legs:
            self.leg(side, not lap)
        if self.look.bottom in ("skirt", "dress"):
            self.skirt()
        if not lap:
            for part in trunk:
                part()
        self.draw_head()
        if not facing:
            self.back_hair(1)
        for depth, side in arms:
            if depth >= -0.1:
                self.arm(side)

    # -- lower body ------------------------------------------------------------------------------------------------

    def trouser(self, side: int) -> tuple[list[Array], Array, Array]:
        """A leg's joints, its radii and those of the trouser leg."""
        radii = np.array(LEG_R) * self.look.limb
        wider, wide = np.array([(0.02, 0.03, 0.04, 0.05, 0.03, 0.06, 0.09), (0, 0, 0.5, 0.6, 0.7, 1, 1)])
        loose = radii + wider + self.look.ease * wide
        return self.person.limb(f"hip{side}", f"knee{side}", f"ankle{side}"), radii, loose

    def hips(self) -> None:
        bare = self.look.bottom in ("skirt", "dress")
        levels = np.linspace(-0.1 if bare else -0.34, 0.75, 12)
        shape = sweep([self.disc(*self.person.trunk(y, 0.03)) for y in levels])
        for side in () if bare else (1, -1):  # the thighs' roots, so that the light runs on into the legs
            path, _, loose = self.trouser(side)
            shape += self.tube(path, LEG_T, loose, 0, 0.25)
        self.layer.paint(shape, self.look.legs, self.unit * 0.35, folds=0.3)

    def leg(self, side: int, fused: bool) -> None:
        look, unit = self.look, self.unit
        path, radii, loose = self.trouser(side)
        self.shoe(side)
        bare = look.bottom != "trousers"
        if bare:
            start = 0.6 if look.bottom == "shorts" else 0
            self.layer.paint(self.tube(path, LEG_T, radii, start, 2), look.skin, unit * 0.26, shadow=0.25)
        if look.bottom in ("trousers", "shorts"):
            grid = (self.flat(path[0]), normalised(self.flat(path[1]) - self.flat(path[0])), unit)
            shape = self.tube(path, LEG_T, loose, 0, 0.82 if bare else 1.93, cut=True)
            fuse = (grid[0], unit * 0.75) if fused else None
            self.layer.paint(shape, look.legs, unit * 0.3, shadow=0.3, folds=0.5, fuse=fuse, grid=grid)
            if not bare:
                self.joint_creases(path, look.legs, 0.24)
            elif path[1][2] - path[0][2] > 0.6:  # the knee comes forwards, out of the leg of the shorts
                self.layer.paint(self.tube(path, LEG_T, radii, 0.98, 2), look.skin, unit * 0.26, shadow=0.3)

    def shoe(self, side: int) -> None:
        frame, ankle, look = self.person.feet[side], self.person.joints[f"ankle{side}"], self.look

        def slab(y: float, z: float, wide: float, high: float) -> Array:
            centre, (a, b, c) = ankle + frame @ [0, y, z], frame.T * np.array([[wide], [high], [wide]])
            return np.concatenate([self.disc(centre, a, b), self.disc(centre, a, c), self.disc(centre, b, c)])

        sole = ((-0.24, -0.12, 0.135, 0.04), (-0.24, 0.3, 0.175, 0.04), (-0.24, 0.5, 0.11, 0.04))
        heel, toes = (
            ((-0.1, -0.12, 0.13, 0.14), (-0.05, 0.06, 0.13, 0.16)),
            ((-0.14, 0.3, 0.165, 0.09), (-0.165, 0.49, 0.105, 0.06)),
        )
        self.layer.paint(sweep([slab(*part) for part in sole]), look.sole, self.unit * 0.06, shadow=0.2)
        shaft = self.chain([ankle, ankle + frame @ [0, -0.1, 0.02]], (0.13, 0.14))
        self.layer.paint(sweep([slab(*part) for part in heel + toes]) + shaft, look.shoes, self.unit * 0.12)
        for z in (0.12, 0.19, 0.26):
            lace = np.array([ankle + frame @ [x, 0.05 - z * 0.45, z] for x in (-0.07, 0.07)])
            self.stroke(lace, (0.025, 0.025), look.sole, opacity=0.8, inside=True)

    def skirt(self) -> None:
        look, person, unit = self.look, self.person, self.unit
        length, hems = 0.55 + look.sleeve * 0.6, []
        for side in (1, -1):
            path = person.limb(f"hip{side}", f"knee{side}", f"ankle{side}")
            place = path[int(length)] + (path[int(length) + 1] - path[int(length)]) * (length % 1)
            hems.append(self.ring(place, person.pelvis[:, 1], 0.42 + 1.2 * look.ease))
        waist = [self.disc(*person.trunk(y, 0.04)) for y in np.linspace(0.8, -0.1, 8)]
        top = self.flat(person.trunk(0.8)[0])
        grid = (top, normalised(np.concatenate(hems).mean(0) - top), unit)
        shape = sweep([*waist, np.concatenate(hems)])
        self.layer.paint(shape, look.legs, unit * 0.38, shadow=0.35, folds=0.7, grid=grid)
        knees = np.mean(person.limb("knee1", "knee-1"), 0)
        for x in self.rng.uniform(-0.5, 0.5, 5):
            start = person.surface(x * 100 + (0 if self.front else 180), 0.3, 0.04)
            self.crease(start, start + (knees - start) * 0.8 + person.pelvis[:, 0] * x * 0.6, look.legs, 0.09)

    # -- trunk -----------------------------------------------------------------------------------------------------

    def torso(self) -> None:
        look, unit, person = self.look, self.unit, self.person
        ease = look.ease + (0.05 if look.top in ("jacket", "hoodie") else 0)
        levels = np.linspace(look.hem, 2.46, 30)
        shape = sweep([self.disc(*person.trunk(y, ease * min(1, (2.5 - y) * 2))) for y in levels])
        for side in (1, -1):  # shoulders, so that the light runs on into the sleeves
            path, _, loose, _ = self.sleeve(side)
            collar = person.trunk(2.36)[0] + person.chest @ [side * 0.22, -0.06, 0]
            shape += self.chain([collar, path[0]], (0.1, loose[0]))
            shape += self.tube(path, ARM_T, loose, 0, 0.3) if look.top != "dress" else []
        top, low = self.flat(person.trunk(2.4)[0]), self.flat(person.trunk(0.0)[0])
        grid = (top, normalised(low - top), unit)
        shadow = 0.0 if look.bottom == "dress" else 0.35
        self.layer.paint(shape, look.outer, unit * 0.42, shadow=shadow, folds=0.35, grid=grid)
        base = 0 if person.chest[2, 2] > 0 else 180
        for side, drop in zip((1, -1) * 4, self.rng.uniform(0.05, 0.3, 8), strict=True):
            y, angle = self.rng.uniform(0.3, 1.0), base + side * self.rng.uniform(20, 75)
            ends = person.surface(angle, y, ease), person.surface(angle - side * 35, y - drop, ease)
            self.crease(*ends, look.outer, 0.07)
        if person.chest[2, 2] > 0.15:
            self.torso_front(ease, grid)

    def patch(self, corners: Any, ease: float) -> Array:
        """A polygon (N, 2) in pixels on the trunk through (degrees, y), as far round it as is seen; None: the hem."""
        yaw = np.degrees(np.arctan2(self.person.chest[0, 2], self.person.chest[2, 2]))
        rows = np.array([(a, self.look.hem if y is None else y) for a, y in corners])
        dense = np.concatenate([np.linspace(p, q, 7)[:-1] for p, q in zip(rows, np.roll(rows, -1, 0), strict=True)])
        dense[:, 0] = np.clip(dense[:, 0], -88 - yaw, 88 - yaw)
        return self.flat(np.array([self.person.surface(a, y, ease) for a, y in dense]))

    def torso_front(self, ease: float, grid: tuple[Array, Array, float]) -> None:
        look, unit, layer, colour = self.look, self.unit, self.layer, self.look.outer.colour
        for tone, relief, shadow, corners in FRONTS.get(look.top, ()):
            cloth = look.shirt if tone == "shirt" else np.minimum(colour * np.float32(tone), 1)
            for side in (1, -1) if min(a for a, _ in corners) > 0 else (1,):
                shape = [self.patch([(side * a, y) for a, y in corners], ease + 0.015)]
                layer.paint(shape, cloth, unit * relief, shadow=shadow if relief else 0, inside=True, grid=grid)
        if look.top in ("shirt", "polo"):
            for y in np.arange(2.15, look.hem if look.top == "shirt" else 1.6, -0.27):
                button = self.ball(self.person.surface(0, y, ease), 0.028)
                layer.paint([button], colour * np.float32(0.4) + np.float32(0.3), unit * 0.02, inside=True)
        if look.bottom == "dress":
            belt = self.patch([(-180, 0.75), (180, 0.75), (180, 0.87), (-180, 0.87)], ease + 0.01)
            layer.paint([belt], look.outer.ink, unit * 0.06, inside=True)
        else:
            low = look.hem + 0.07
            band = self.patch([(-180, None), (180, None), (180, low), (-180, low)], ease)
            layer.paint([band], colour * np.float32(0.6), opacity=0.35, inside=True)
        if look.top in ("tee", "long") and look.shirt.kind == "plain":
            y = self.rng.uniform(1.35, 1.6)
            prints: Sequence[Any] = (
                [[(a, y), (a + 9, y), (a + 9, y + 0.2), (a, y + 0.2)] for a in (-26, -12, 2, 16)],
                [[(26 * x, y + 0.25 * z) for x, z in circle(12)]],
                [[(-180, y), (180, y), (180, y + 0.35), (-180, y + 0.35)]],
                [],
            )
            for corners in pick(self.rng, prints):
                layer.paint([self.patch(corners, ease)], look.shirt.ink, inside=True, opacity=0.9)

    def neck(self) -> None:
        """The neck and, in front, the neckline with its collar."""
        look, joints, chest, unit = self.look, self.person.joints, self.person.chest, self.unit
        radius = (0.235 - 0.045 * look.female) * (1 + 0.12 * look.weight)
        root, skull = joints["neck"], joints["head"] + self.person.head @ [0, -0.22, -0.08]
        sections = [self.ball(skull, radius * 0.95), self.ball(root + chest @ [0, 0.05, 0.02], radius)]
        if not self.front:
            self.layer.paint(sweep(sections), look.skin * np.float32(0.94), unit * 0.2)
            return
        deep = chest @ [0, -NECKLINES.get(look.top, 0.2), 0.2]
        centre, side, front = root + 0.45 * deep, chest[:, 0] * (radius + 0.04), deep * 0.75
        self.layer.paint(sweep([*sections, self.disc(centre, side, front)]), look.skin * np.float32(0.96), unit * 0.2)
        if look.top in ("shirt", "polo", "jacket") and chest[2, 2] > 0.4:
            for s in (1, -1):
                points = [self.flat(root + (np.array(FLAP) * [s, 1, 1]) @ chest.T)]
                self.layer.paint(points, look.shirt.colour * np.float32(1.05), unit * 0.06, shadow=0.35)
        elif look.top != "dress":
            angle = np.radians(np.linspace(-108, 108, 19))[:, None]
            rim = centre + side * np.sin(angle) + front * np.cos(angle)
            self.stroke(rim, [0.045] * 19, look.outer.colour * np.float32(0.82), shadow=0.2, relief=unit * 0.04)

    def collar(self) -> None:
        """What closes a garment behind the neck; seen from the back it covers the neck."""
        chest, top = self.person.chest, self.look.top
        thick = {"hoodie": 0.24, "tee": 0.05, "long": 0.05, "dress": 0.03}.get(top, 0.08)
        centre = self.person.joints["neck"] + chest @ [0, -0.02 if top == "hoodie" else 0.03, -0.1]
        points = [centre + chest @ [x, -0.6 * x * x, 0.5 * abs(x)] for x in (-0.26, -0.15, 0, 0.15, 0.26)]
        colour = self.look.outer.colour * np.float32(0.85)
        self.layer.paint(self.chain(points, [thick] * 5), colour, self.unit * max(thick, 0.08))

    # -- arms ------------------------------------------------------------------------------------------------------

    def sleeve(self, side: int) -> tuple[list[Array], Array, Array, float]:
        """An arm's joints, its radii, those of the sleeve on it and the place where the sleeve ends."""
        look, thick = self.look, self.look.top in ("jacket", "hoodie")
        radii = np.array(ARM_R) * look.limb * (0.92 if look.head > 1.15 else 1)
        end = look.sleeve if look.top not in LONG else 1.93 if look.sleeve > 0.6 or thick else 1.5
        ease = look.ease * 0.7 + (0.05 if thick else 0.015)
        loose = radii + np.interp(ARM_T, [0, end, 3], [ease * 0.5, ease + (0.02 if end > 1 else 0.04), ease + 0.02])
        return self.person.limb(f"shoulder{side}", f"elbow{side}", f"wrist{side}"), radii, loose, end

    def arm(self, side: int) -> None:
        look, unit = self.look, self.unit
        path, radii, loose, end = self.sleeve(side)
        if not self.person.pose.pockets:
            self.hand(side)
        if end < 1.9:
            bare = 0 if look.top == "dress" else end - 0.02
            self.layer.paint(self.tube(path, ARM_T, radii, bare, 2), look.skin, unit * 0.17, shadow=0.3)
        if look.top == "dress":
            return
        root = self.flat(path[0])
        grid = (root, normalised(self.flat(path[1]) - root + 1e-3), unit)
        shape = self.tube(path, ARM_T, loose, 0, end, cut=True)
        fuse = (root, unit * 0.58)
        self.layer.paint(shape, look.outer, unit * 0.2, shadow=0.35, folds=0.5, fuse=fuse, grid=grid)
        if end > 1.2:
            self.joint_creases(path, look.outer, 0.14)
        if self.person.pose.pockets:  # the hand shows through the cloth
            down = -self.person.hands[side][:, 1]
            edge = path[2] + np.outer((-0.17, 0, 0.17), self.person.pelvis[:, 0])
            hidden = self.chain([path[2] + down * 0.1, path[2] + down * 0.4], (0.14, 0.12))
            self.layer.paint(hidden, look.legs, unit * 0.12, inside=True)
            self.stroke(edge, (0.03, 0.05, 0.03), look.legs.colour * np.float32(0.55), inside=True, soft=unit * 0.01)

    def hand(self, side: int) -> None:
        """Palm, four fingers and a thumb; the forearm's frame has the thumb at z and the palm towards the body."""
        frame, wrist, skin = self.person.hands[side], self.person.joints[f"wrist{side}"], self.look.skin
        size = 1.0 - 0.1 * self.look.female
        down, thumb, palm = -frame[:, 1] * size, frame[:, 2] * size, -frame[:, 0] * side * size
        curl = self.person.pose.arms[0 if side == 1 else 1].curl
        palm_discs = [self.disc(wrist + down * y, thumb * w, palm * 0.08) for y, w in ((0.16, 0.15), (0.36, 0.17))]
        shape, gaps = sweep([self.ball(wrist, 0.095), *palm_discs]), []
        for k, length in enumerate((0.30, 0.35, 0.33, 0.26)):
            points = [wrist + down * (0.36 - 0.012 * k**1.5) + thumb * (0.125 - 0.083 * k)]
            for joint, share in enumerate((0.45, 0.32, 0.23)):
                bent = np.radians(curl * (1 + 0.1 * k) * (joint + 1))
                step = down * np.cos(bent) + palm * np.sin(bent) + thumb * (0.09 - 0.06 * k)
                points.append(points[-1] + step * length * share)
            shape += self.chain(points, (0.05, 0.047, 0.042, 0.034))
            gaps.append(np.array([points[0], (points[0] + points[2]) / 2]) - thumb * 0.042)
        base = wrist + down * 0.07 + thumb * 0.08
        tips = [base, base + down * 0.12 + thumb * 0.12 + palm * 0.04, base + down * 0.27 + thumb * 0.15 + palm * 0.08]
        shape += self.chain(tips, (0.075, 0.06, 0.042))
        self.layer.paint(shape, skin * np.float32(0.98), self.unit * 0.08, shadow=0.3)
        for gap in gaps[:3]:
            self.stroke(gap, (0.012, 0.02), skin * np.float32(0.55), inside=True, opacity=0.5)

    # -- head ------------------------------------------------------------------------------------------------------

    def at_head(self, points: Any) -> Array:
        """(..., 3) in the head's axes to the picture's."""
        return np.asarray(self.person.joints["head"] + np.asarray(points, float) * self.size @ self.person.head.T)

    def lift(self, xy: Any, out: float = 0.0) -> Array:
        """Points (N, 2) on the face's x and y to the picture's (N, 3)."""
        x, y = np.asarray(xy, float).T
        depth = 0.43 * np.sqrt(np.clip(1 - (x / 0.42) ** 2 - (y / 0.66) ** 2, 0.02, 1)) + out
        return self.at_head(np.stack([x, y, depth], -1))

    def seen(self, x: float) -> bool:
        """Whether the face at x looks towards the camera."""
        normal = [x / 0.42**2, 0, np.sqrt(max(1 - (x / 0.42) ** 2, 0.05)) / 0.43]
        return bool((self.person.head @ normalised(np.array(normal)))[2] > 0.12)

    def draw_head(self) -> None:
        look, frame, unit = self.look, self.person.head, self.unit * self.size
        # The outline of an ellipsoid seen from z is the ellipse of the upper left of its shape matrix.
        outline = np.linalg.cholesky(((frame * np.array([0.375, 0.37, 0.455]) ** 2) @ frame.T)[:2, :2])
        skull = self.flat(self.at_head([0, 0.13, -0.03])) + circle(32) @ outline.T * [unit, -unit]
        points = [skull, *(self.ball(self.at_head(p), r * self.size) for p, r in BONES)]
        shape: Shape = [cv2.convexHull(np.concatenate(points).astype(np.float32))[:, 0]]
        shape += self.chain([self.at_head(p) for p, _ in NOSE], [r * self.size for _, r in NOSE])
        near = [side for side in (1, -1) if frame[2, 0] * side >= 0.2]
        for side in {1, -1}.difference(near):
            self.ear(side)
        self.layer.paint(shape, look.skin, unit * 0.3, shadow=0.45)
        for side in near:
            self.ear(side)
        smile = self.rng.uniform(-0.01, 0.035)
        if frame[2, 2] > 0:
            self.face(smile)
        if look.beard:
            self.beard(shape)
        self.cap_of_hair()
        self.side_locks()
        if look.hat and look.style[1] < 1.2:
            self.hat()
        if look.glasses and frame[2, 2] > 0:
            self.spectacles()

    def ear(self, side: int) -> None:
        frame, skin, unit = self.person.head, self.look.skin, self.unit * self.size
        centre = self.at_head([side * 0.375, -0.03, -0.04])
        out, up = (frame[:, 2] * -0.07 + frame[:, 0] * side * 0.06) * self.size, frame[:, 1] * self.size
        self.layer.paint([self.disc(centre, out, up * 0.125)], skin, unit * 0.06, shadow=0.2)
        inner = [self.disc(centre + out * 0.1, out * 0.5, up * 0.07)]
        self.layer.paint(inner, skin * np.float32(0.62), soft=unit * 0.02, opacity=0.6, inside=True)

    def face(self, smile: float) -> None:
        """Paints FACE; `smile` lifts the corners of the mouth."""
        skin, unit, female = self.look.skin, self.unit * self.size, self.look.female
        dark = skin * np.array([0.5, 0.4, 0.36], np.float32)
        tones = {
            "dark": dark,
            "lid": dark * np.float32(0.5),
            "white": np.array([0.9, 0.89, 0.87], np.float32) * self.layer.light.key.mean() * np.float32(1.1),
            "iris": rgb("#3a2718") if skin.mean() < 0.72 else rgb("#46606e"),
            "black": np.full(3, 0.04, np.float32),
            "glint": np.ones(3, np.float32),
            "brow": self.look.hair * np.float32(0.8),
            "blush": skin * np.array([1.05, 0.75, 0.7], np.float32),
            "light": np.minimum(skin * np.float32(1.25), 1),
            "lips": skin * np.array([0.85, 0.62 - 0.12 * female, 0.58 - 0.1 * female], np.float32),
        }
        away = -1 if self.layer.light.direction[0] > 0 else 1
        for where, tone, opacity, soft, knots in FACE:
            for side in {"both": (1, -1), "away": (away,), "mid": (1,)}[where]:
                points = np.array(knots, float) * ([side, 1] if np.shape(knots)[1] == 2 else [side, 1, 1])
                if where == "both" and not self.seen(side * 0.165):
                    continue
                points[:, 1] += np.where(points[:, 1] < -0.2, smile * (points[:, 0] / 0.125) ** 2, 0)
                options: dict[str, Any] = {"opacity": opacity, "soft": soft * unit, "inside": True}
                if points.shape[1] == 3:
                    self.stroke(self.lift(points[:, :2], 0.01), points[:, 2] * self.size, tones[tone], **options)
                else:
                    self.layer.paint([self.flat(self.lift(points))], tones[tone], **options)

    def on_ellipsoid(self, centre: Any, radii: Any) -> tuple[View, Array, Array, Array] | None:
        """What the picture sees of an ellipsoid in the head's axes: the window, how far inside the outline it is (H, W)
        in heads, its points (H, W, 3) in the head's axes and the light on it (H, W, 3)."""
        unit, frame, radii = self.unit * self.size, self.person.head.astype(np.float32), np.asarray(radii, np.float32)
        middle = self.flat(self.at_head(centre))
        view = self.layer.window(middle[None], unit * float(max(radii)) * 1.15)
        if view is None:
            return None
        rows, columns = np.mgrid[view].astype(np.float32)
        x, y = (columns - np.float32(middle[0])) / np.float32(unit), (np.float32(middle[1]) - rows) / np.float32(unit)
        matrix = frame.T / radii[:, None]
        across = x[..., None] * matrix[:, 0] + y[..., None] * matrix[:, 1]
        a, b, c = float(matrix[:, 2] @ matrix[:, 2]), across @ matrix[:, 2], (across**2).sum(-1)
        z = (-b + np.sqrt(np.maximum(b * b - a * (c - 1), 0))) / a
        edge = (1 - np.sqrt(np.maximum(c - b * b / a, 0))) * float(radii.mean())
        local = np.stack([x, y, z], -1) @ frame
        normal = (local / radii**2) @ frame.T
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
        lit = self.layer.lit(normal[..., 0], -normal[..., 1], normal[..., 2])
        return view, edge, local + np.asarray(centre, np.float32), lit

    def cover(self, distance: Array) -> Array:
        """Coverage 0..1 from a distance in heads inside of an edge."""
        return np.clip(distance * np.float32(self.unit * self.size) + 0.5, 0, 1)

    def cap_of_hair(self) -> None:
        """The hair that lies on the skull, down to the hairline."""
        name, swell, _, extra = self.look.style
        found = self.on_ellipsoid([0, 0.13, -0.04], np.array([0.385, 0.385, 0.465]) * swell) if name else None
        if found is None:
            return
        view, edge, local, lit = found
        x, y, z = np.moveaxis(local, -1, 0)
        curly = extra in ("curls", "afro")
        ragged = noise(self.rng, edge.shape, (30, 30) if curly else (8, 34))
        line = np.interp(np.degrees(np.arctan2(np.abs(x), z)), HAIRLINE_AT, HAIRLINES[name]).astype(np.float32)
        inside = np.minimum(edge + ragged * (0.014 if curly else 0.006), y - line + ragged * (0.01 if curly else 0.02))
        if self.person.head[2, 2] > 0.3:  # the face hides the nape
            inside = np.minimum(inside, np.maximum(np.abs(x) - 0.32, y + 0.05))
        strands = ragged * 0.16
        if not curly:  # they run down from the crown
            around = np.arctan2(x, 0.25 + np.abs(y - 0.5)) * 26 + z * 9
            strands = strands + 0.07 * np.sin(around * 2.1) + 0.05 * np.sin(around * 5.3 + y * 4)
        gloss = np.exp(-(((y - 0.36) / 0.07) ** 2)) * (0.05 + 0.3 * strands) * lit.mean(-1)
        self.layer.blend(
            view, self.cover(inside), self.look.hair * lit * (0.95 + strands)[..., None] + gloss[..., None]
        )

    def lock(self, knots: Any, radii: Any, colour: Array, shadow: float = 0.3) -> None:
        """A lock of hair along knots in the head's axes, with strands on it."""
        places, unit = self.at_head(smooth(knots, 17)), self.unit * self.size
        radii = smooth(np.array(radii)[:, None], 17)[:, 0] * self.size
        self.layer.paint(self.chain(places, radii), colour, unit * float(radii.max()) * 0.9, folds=0.6, shadow=shadow)
        for share in (-0.6, -0.2, 0.2, 0.6):
            strand = places[1:-1] + np.outer(radii[1:-1] * share, normalised(self.person.head[:, 0] * [1, 1, 0]))
            tone = colour * np.float32(self.rng.choice((0.6, 1.45)))
            self.stroke(strand, [0.02] * 15, tone, inside=True, opacity=0.35, soft=unit * 0.008)

    def side_locks(self) -> None:
        """Long hair beside the face and over the shoulders."""
        _, swell, length, _ = self.look.style
        for side in (1, -1) if length else ():
            if self.person.head[2, 0] * side < -0.5:  # on the far side of the head
                continue
            low = -0.25 - 0.4 * length
            knots = [(0.25, 0.34, 0.12), (0.37, 0.1, 0.06), (0.41, -0.25, 0), (0.43, low, 0.04), (0.4, -length, 0.08)]
            self.lock(np.array(knots) * [side * swell / 1.09, 1, 1], (0.03, 0.09, 0.12, 0.11, 0.03), self.look.hair)

    def back_hair(self, tone: float) -> None:
        """Hair behind the head: long hair, a bun or a tail."""
        _, swell, length, extra = self.look.style
        hair = self.look.hair * np.float32(tone)
        for x in (-0.3, 0.3, -0.15, 0.15, 0) if length else ():
            knots = [(x * 0.7, 0.3, -0.2), (x, 0, -0.3), (x * 1.15, -0.5 * length, -0.3), (x * swell, -length, -0.26)]
            self.lock(np.array(knots), (0.2, 0.22 * swell, 0.2, 0.06), hair, 0.12)
        if extra == "bun":
            self.lock([(-0.08, 0.42, -0.38), (0.02, 0.44, -0.42), (0.06, 0.38, -0.38)], (0.15, 0.2, 0.14), hair)
        if extra == "tail":
            knots = [(0, 0.3, -0.46), (0, 0.22, -0.66), (0.03, -0.1, -0.72), (0.05, -0.5, -0.62), (0.04, -0.8, -0.55)]
            self.lock(knots, (0.08, 0.14, 0.16, 0.12, 0.02), hair)

    def beard(self, head: Shape) -> None:
        found = self.on_ellipsoid([0, -0.03, 0.0], (0.375, 0.5, 0.43))
        if found is None:
            return
        view, _, local, lit = found
        x, y, z = np.moveaxis(local, -1, 0)
        azimuth = np.degrees(np.arctan2(np.abs(x), z))
        line = np.interp(azimuth, (0, 25, 45, 65, 80, 90), (-0.17, -0.22, -0.22, -0.12, 0.05, 0.1)).astype(np.float32)
        mouth = (np.hypot(x / 0.12, (y + 0.28) / 0.055) - 1) * 0.06
        moustache = np.where(z > 0, (1 - np.hypot(x / 0.17, (y + 0.215) / 0.03)) * 0.03, -1)
        inside = np.minimum(np.maximum(np.minimum(line - y, mouth), moustache), (92 - azimuth) * 0.006)
        cover = self.cover(0.5 * (inside + noise(self.rng, y.shape, (30, 30)) * 0.012))
        cover = cover * (self.layer.fill(head, view) / 255) * 0.85
        self.layer.blend(view, cover, self.look.hair * np.float32(0.9) * lit)

    def hat(self) -> None:
        kind, colour, frame = self.look.hat, self.look.hat_colour, self.person.head * self.size
        tall = 0.45 if kind == "beanie" else 0.43
        found = self.on_ellipsoid([0, 0.14, -0.03], (0.42, tall, 0.5))
        if kind == "brim":
            edge = self.disc(self.at_head([0, 0.17, 0]), frame[:, 0] * 0.72, frame[:, 2] * 0.78 - frame[:, 1] * 0.09)
            self.layer.paint([edge], colour * np.float32(0.92), self.unit * 0.12, shadow=0.5)
        if found:
            view, edge, local, lit = found
            cut = local[..., 1] + 0.12 * local[..., 2] - (0.16 if kind == "beanie" else 0.2)
            tone = np.ones_like(cut)
            if kind == "beanie":
                tone[cut < 0.16] = 0.85 + 0.08 * np.sin(np.arctan2(local[..., 0], local[..., 2]) * 45)[cut < 0.16]
            if kind == "brim":
                tone[cut < 0.12] = 0.5
            self.layer.blend(view, self.cover(np.minimum(edge, cut)), colour * lit * tone[..., None])
        if kind == "cap" and frame[2, 2] > -0.2:
            slabs = [(0.15 - 0.05 * t, 0.36 + 0.38 * t, 0.37 - 0.1 * t) for t in (0, 0.5, 1)]
            brim = [self.disc(self.at_head([0, y, z]), frame[:, 0] * wide, frame[:, 2] * 0.1) for y, z, wide in slabs]
            self.layer.paint(sweep(brim), colour * np.float32(0.9), self.unit * 0.08, shadow=0.5)

    def spectacles(self) -> None:
        tone, glass = np.full(3, 0.08, np.float32), np.array([0.75, 0.82, 0.88], np.float32)
        for side in (1, -1):
            if self.seen(side * 0.17):
                rim = self.lift(ellipse(side * 0.17, 0, 0.115, 0.095)[[*range(20), 0]], 0.03)
                self.layer.paint([self.flat(rim)], glass, opacity=0.16, inside=True)
                self.stroke(rim, [0.022] * len(rim), tone)
                temple = np.stack([self.lift([(side * 0.28, 0.02)], 0.03)[0], self.at_head([side * 0.385, 0.02, 0.05])])
                self.stroke(temple, (0.022, 0.022), tone)
        self.stroke(self.lift([(-0.06, 0.02), (0, 0.035), (0.06, 0.02)], 0.05), [0.022] * 3, tone)


class Scene:
    """A background picture (S, S, 3) uint8 that is drawn far to near; positions are in sides of the photo, y down."""

    def __init__(self, size: int, horizon: float, rng: Rng):
        self.size, self.horizon, self.rng = size, horizon, rng
        self.image = np.full((size, size, 3), 200, np.uint8)

    def poly(self, points: Any, colour: Array) -> None:
        corners = np.round(np.asarray(points, float) * self.size * 16).astype(np.int32)
        tone = tuple(float(c) for c in np.clip(colour * 255, 0, 255))
        cv2.fillPoly(self.image, [corners], tone, cv2.LINE_AA, 4)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Array) -> None:
        self.poly(ellipse(x, y, rx, ry, 28), colour)

    def fade(self, y0: float, y1: float, top: Array, bottom: Array, grain: float = 0.0) -> None:
        """A vertical gradient over the full width with patches of noise that lie flat."""
        a, b = (int(np.clip(v, 0, 1) * self.size) for v in (y0, y1))
        ramp = np.linspace(0, 1, max(b - a, 1), dtype=np.float32)[:, None, None]
        colour = np.repeat(top + (bottom - top) * ramp, self.size, 1)
        for cells in ((4, 3), (30, 14), (90, 50)):
            colour = colour * (1 + np.float32(grain * 0.5) * noise(self.rng, colour.shape[:2], cells)[..., None])
        self.image[a:b] = np.clip(colour * 255, 0, 255)[: b - a]

    def prop(self, name: str, x: float, base: float, height: float, paint: Array | None = None) -> None:
        """One of PROPS, standing at (x, base); mirrored half of the time."""
        paint = tint(self.rng, VIVID + CLOTHS + SURFACES) if paint is None else paint
        flip = pick(self.rng, (-1, 1))
        for tone, points in PROPS[name]:
            colour = rgb(tone) if isinstance(tone, str) else paint * tone
            outline = ellipse(*points) if len(points) == 4 and np.ndim(points) == 1 else np.array(points, float)
            self.poly(outline * [flip * height, -height] + [x, base], colour)

    def leaves(self, x: float, y: float, rx: float, ry: float, colour: Array, *, count: int = 60) -> None:
        """A clump of foliage, lighter at the top."""
        for t in np.sort(self.rng.uniform(0, 1, count)):
            angle, reach, r = self.rng.uniform(0, (2 * np.pi, 1, 1))
            dx, dy = np.sqrt(reach) * np.cos(angle), np.sqrt(reach) * np.sin(angle)
            size = 0.1 + 0.18 * r
            tone = colour * (0.55 + 0.5 * t - 0.28 * dy + self.rng.uniform(-0.1, 0.1))
            self.oval(x + dx * rx * 0.85, y + dy * ry * 0.85, rx * size, ry * size, tone)

    def tree(self, x: float, base: float, height: float) -> None:
        bark, leaf = tint(self.rng, WOODS) * 0.7, tint(self.rng, LEAVES)
        for tone, points in column(0.035, 0, 0.62):
            self.poly(np.array(points) * [height, -height] + [x, base], bark * tone)
        for dx, up in self.rng.uniform((-0.2, 0.55), (0.2, 0.95), (4, 2)):
            self.leaves(x + dx * height, base - height * up, height * 0.24, height * 0.2, leaf, count=45)

    def blur(self, low: float, high: float) -> None:
        """Depth blur by a sigma in sides of the photo."""
        sigma = self.rng.uniform(low, high) * self.size
        if sigma > 0.3:
            self.image = np.asarray(cv2.GaussianBlur(self.image, (0, 0), sigma))

    def street_things(self, base: float, height: float, count: int) -> None:
        for _ in range(count):
            name, tall = pick(self.rng, STREET_THINGS)
            x, y = self.rng.uniform(0, 1), base + self.rng.uniform(-0.02, 0.02)
            ground = self.image[int(np.clip(y, 0, 0.99) * self.size), 0]
            self.oval(x + 0.02, y, 0.02 + 0.06 * height * tall, 0.006, ground / 400)
            self.prop(name, x, y, height * tall)

    def facade(self, quad: Array, wall: Array) -> None:
        """A building's front: quad (4, 2) from the top left clockwise, with rows of windows in perspective."""
        self.poly(quad, wall)
        warp = cv2.getPerspectiveTransform(np.array(rect(0, 0, 1, 1), np.float32), np.asarray(quad, np.float32))
        columns, rows = (int(n) for n in self.rng.integers((2, 3), (7, 7)))
        glass, frame = tint(self.rng, ("#4a5a68", "#6f8698", "#2f3a44", "#a9bccb")), tint(self.rng, SURFACES) * 1.1
        for i, j in np.ndindex(columns, rows):
            x, y, w, h = (i + 0.22) / columns, (j + 0.2) / (rows + 0.3), 0.56 / columns, 0.6 / (rows + 0.3)
            h *= 1.4 if j == rows - 1 else 1  # shop windows and doors
            for rim, colour in ((0.015, frame), (0, glass * self.rng.uniform(0.7, 1.35))):
                pane = np.array(rect(x - rim, y - rim, x + w + rim, y + h + rim), np.float32)
                self.poly(cv2.perspectiveTransform(pane[None], warp)[0], colour)


def sky(scene: Scene) -> None:
    top, low = pick(scene.rng, SKIES)
    scene.fade(0, scene.horizon + 0.02, rgb(top), rgb(low))
    shape = (int(scene.size * scene.horizon), scene.size)
    cloud = noise(scene.rng, shape, (5, 3)) + 0.5 * noise(scene.rng, shape, (16, 9)) - 0.1
    cloud = np.clip(cloud, 0, 1)[..., None] * 0.7
    scene.image[: shape[0]] = scene.image[: shape[0]] * (1 - cloud) + 250 * cloud


def street(scene: Scene) -> None:
    rng, h = scene.rng, scene.horizon
    sky(scene)
    for x in np.arange(0, 1, 0.09):
        scene.poly(rect(x, h - rng.uniform(0.08, 0.3), x + 0.1, h + 0.01), tint(rng, SURFACES) * 0.5 + 0.35)
    vanish = rng.uniform(0.25, 0.75)
    ground = tint(rng, STONES)
    scene.fade(h, 1, ground * 1.1, ground * 0.8, 0.12)
    left, right = vanish + rng.uniform(0.3, 0.8), vanish + rng.uniform(1.3, 2)
    scene.poly([(vanish, h), (left, 1), (right, 1)], tint(rng, ("#55575b", "#66676b", "#494b50")))
    scene.poly([(vanish, h), (left, 1), (left - 0.03, 1)], ground * 1.2)
    for side in (-1, 1):
        edges = [1.3, *np.sort(rng.uniform(0.12, 0.95, 3))[::-1], 0.05]
        for near, far in pairwise(edges):
            top, wall = rng.uniform(0.5, 1.1), tint(rng, SURFACES + VIVID[:1]) * (0.85 if side < 0 else 1)
            corners = ((near, -top), (far, -top), (far, 0.18), (near, 0.18))
            quad = [(vanish + side * 0.75 * d, h + v * d) for d, v in corners]
            scene.facade(np.array(quad)[[0, 1, 2, 3] if side < 0 else [1, 0, 3, 2]], wall)
    scene.blur(0.001, 0.004)
    for depth in np.sort(rng.uniform(0.04, 0.3, rng.integers(1, 4))):
        scene.prop("car", rng.uniform(-0.1, 1.1), h + depth, 0.05 + depth * 0.5)
    if rng.random() < 0.5:
        scene.tree(rng.uniform(0, 1), h + 0.12, rng.uniform(0.4, 0.8))
    scene.street_things(h + rng.uniform(0.05, 0.2), rng.uniform(0.15, 0.4), int(rng.integers(2, 6)))


def park(scene: Scene) -> None:
    rng, h = scene.rng, scene.horizon
    sky(scene)
    leaf = tint(rng, LEAVES[:5])
    for x in np.linspace(-0.05, 1.05, 9):
        tone = leaf * rng.uniform(0.65, 0.9) + 0.12  # pale with distance
        scene.leaves(x, h - rng.uniform(0.02, 0.1), 0.11, rng.uniform(0.08, 0.2), tone, count=40)
    grass = tint(rng, ("#7d9b4e", "#6c8f48", "#9aa75a", "#5f8548"))
    scene.fade(h, 1, grass, grass * 0.75, 0.3)
    x, bend, near = rng.uniform(0.2, 0.8), rng.uniform(-0.3, 0.3), np.linspace(0, 1, 12)
    middle, wide = x + bend * (1 - near), 0.02 + 0.3 * near**1.6
    edge = [np.stack([middle + s * wide, h + (1 - h) * near], -1) for s in (-1, 1)]
    scene.poly(np.concatenate([edge[0], edge[1][::-1]]), tint(rng, ("#c9b896", "#b5a58c", "#bdbab2")))
    scene.blur(0.001, 0.005)
    for depth in np.sort(rng.uniform(0.02, 0.22, rng.integers(2, 5))):
        scene.tree(rng.uniform(-0.05, 1.05), h + depth, 0.35 + depth * 3.5)
    for depth in np.sort(rng.uniform(0.02, 0.25, rng.integers(1, 5))):
        r = 0.06 + depth * 0.4
        scene.leaves(rng.uniform(0, 1), h + depth - r * 0.5, r * 1.3, r, tint(rng, LEAVES))
    if rng.random() < 0.6:
        scene.prop("bench", rng.uniform(0.1, 0.9), h + rng.uniform(0.08, 0.2), rng.uniform(0.12, 0.2), tint(rng, WOODS))
    scene.street_things(h + rng.uniform(0.05, 0.2), rng.uniform(0.15, 0.4), int(rng.integers(0, 4)))


def room(scene: Scene) -> None:
    rng = scene.rng
    floor = float(np.clip(scene.horizon + rng.uniform(0.12, 0.3), 0.45, 0.95))
    walls = ("#d9d2c5", "#b8c4c2", "#c9b7a2", "#8fa3a6", "#e5e0d6", "#b98f7a", "#a8b094", "#6f7b86", "#d7b9a0")
    wall, wood = tint(rng, walls), tint(rng, WOODS)
    scene.fade(0, 1, wall * 1.03, wall * 0.82, 0.05)
    scene.fade(floor, 1, wood * 0.9, wood * 1.05, 0.1)
    for x in np.linspace(-2, 3, 26):
        far = 0.5 + (x - 0.5) * 0.55
        scene.poly([(far, floor), (far + 0.003, floor), (x + 0.006, 1), (x, 1)], wood * 0.72)
    scene.poly(rect(0, floor - 0.03, 1, floor), wall * 0.5 + 0.5)
    for slot in rng.permutation(4)[: int(rng.integers(3, 5))]:
        x, kind = (slot + 0.5) / 4 + rng.uniform(-0.03, 0.03), pick(rng, ("window", "picture", "shelf", "coats"))
        if kind == "shelf":
            shelf(scene, x - 0.12, floor)
        elif kind == "picture":
            picture_frame(scene, x - 0.1, floor - rng.uniform(0.5, 0.75))
        else:
            scene.prop(kind, x, floor + (0.03 if kind == "coats" else -0.25), 0.7 if kind == "coats" else 0.4)
    scene.blur(0.0005, 0.004)
    for name, height, chance in (("sofa", 0.27, 0.7), ("floor lamp", 0.6, 0.5)):
        if rng.random() < chance:
            scene.prop(name, rng.uniform(0.05, 0.95), floor + 0.06, height * rng.uniform(0.9, 1.1))
    if rng.random() < 0.6:
        x = rng.uniform(0.02, 0.98)
        scene.prop("pot", x, floor + 0.07, 0.1)
        scene.leaves(x, floor - 0.14, 0.1, 0.14, rgb("#4c7a4a"), count=40)


def picture_frame(scene: Scene, x: float, y: float) -> None:
    w, h = scene.rng.uniform(0.1, 0.22, 2)
    scene.poly(rect(x + 0.006, y + 0.008, x + w + 0.008, y + h + 0.01), np.full(3, 0.35))
    scene.poly(rect(x, y, x + w, y + h), tint(scene.rng, ("#2b2622", "#8b6a45", "#f0ede6")))
    scene.poly(rect(x + 0.012, y + 0.012, x + w - 0.012, y + h - 0.012), tint(scene.rng, SURFACES))
    for a, b, r in scene.rng.uniform((0.3, 0.3, 0.05), (0.7, 0.7, 0.2), (6, 3)):
        scene.oval(x + w * a, y + h * b, w * r, h * r, tint(scene.rng, VIVID))


def shelf(scene: Scene, x: float, floor: float) -> None:
    """A shelf of books, in every colour that people wear or have."""
    rng, rows = scene.rng, int(scene.rng.integers(3, 6))
    w, tall, wood = rng.uniform(0.2, 0.3), rng.uniform(0.5, 0.85), tint(rng, (*WOODS, "#3c3a39"))
    scene.poly(rect(x, floor - tall, x + w, floor + 0.02), wood * 0.55)
    for y in floor - tall + tall / rows * np.arange(1, rows + 1):
        at = x + 0.012
        while at < x + w - 0.03:
            thick, high = rng.uniform(0.008, 0.026), tall / rows * rng.uniform(0.45, 0.85)
            if rng.random() < 0.85:
                scene.poly(rect(at, y - high, at + thick, y), tint(rng, VIVID + CLOTHS + SURFACES))
            at += thick + 0.002
        scene.poly(rect(x, y, x + w, y + 0.012), wood)


def beach(scene: Scene) -> None:
    rng, h = scene.rng, scene.horizon
    sky(scene)
    shore = h + rng.uniform(0.06, 0.2)
    deep, sand = tint(rng, ("#3f7f9f", "#4b95a8", "#5f8fa8", "#37698a")), tint(rng, ("#e2cfa6", "#d6bd92", "#cdb897"))
    scene.fade(h, shore, deep, deep * 0.6 + 0.38, 0.18)
    scene.fade(shore, 1, sand * 0.86, sand * 1.02, 0.12)
    for x, near, w in rng.uniform((0, 0, 0.03), (1, 1, 0.2), (40, 3)):
        y = (shore - h) * near**0.6
        scene.oval(x, h + y, w * (0.2 + y * 6), 0.0012 + y * 0.012, deep * 0.4 + 0.55)
    scene.oval(0.5, shore, 0.9, 0.006, np.full(3, 0.95))
    scene.blur(0.001, 0.003)
    for x, y, tall in rng.uniform((0, 0.03, 0.2), (1, 0.2, 0.42), (rng.integers(1, 4), 3)):
        scene.oval(x + tall * 0.15, shore + y, tall * 0.4, tall * 0.05, sand * 0.7)
        scene.prop("parasol", x, shore + y, tall, tint(rng, VIVID) * 0.5 + 0.4)
    for x, y in rng.uniform((0, 0.1), (1, 0.4), (rng.integers(0, 4), 2)):
        scene.prop("towel", x, shore + y, 0.14, tint(rng, VIVID))
    scene.street_things(shore + rng.uniform(0.03, 0.15), 0.25, int(rng.integers(1, 4)))


def studio(scene: Scene) -> None:
    rng = scene.rng
    tones = ("#8d9197", "#c9c5be", "#55606e", "#a58f7d", "#e6e3de", "#7d8f8a", "#b9848a", "#3d4148")
    y, x = np.mgrid[0 : scene.size, 0 : scene.size].astype(np.float32) / scene.size
    spot = np.exp(-((x - rng.uniform(0.3, 0.7)) ** 2 + (y - rng.uniform(0.25, 0.5)) ** 2) / 0.28)
    floor = 0.12 / (1 + np.exp(-(y - scene.horizon - 0.25) * 30))
    scene.image = np.clip(tint(rng, tones) * (0.62 + 0.5 * spot + floor)[..., None] * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        scene.prop("softbox", rng.choice((0.07, 0.93)), 0.95, 0.9)


def shop(scene: Scene) -> None:
    """Shelves of goods, or rails of clothes with nobody in them."""
    rng = scene.rng
    floor = float(np.clip(scene.horizon + rng.uniform(0.18, 0.3), 0.5, 0.95))
    base, rows, rail = tint(rng, ("#cfc9c0", "#9aa3a8", "#b5a793")), int(rng.integers(3, 7)), rng.random() < 0.4
    scene.fade(0, floor, base * 0.35, base * 0.42)
    scene.fade(floor, 1, base * 1.1, base * 0.85, 0.06)
    step = floor / rows
    for y in step * np.arange(1, rows + 1):
        x = rng.uniform(-0.04, 0)
        while x < 1:
            w, tall, tone = rng.uniform(0.025, 0.07), step * rng.uniform(0.5, 0.85), tint(rng, GOODS)
            if rail:
                side = [(x + w, y - step * 0.75), (x + w, y - step * 0.1)]
                scene.poly([(x + w / 2, y - step * 0.95), *side, (x, y - step * 0.1), (x, y - step * 0.75)], tone)
                scene.poly([(x + w * 0.8, y - step * 0.75), *side, (x + w * 0.7, y - step * 0.1)], tone * 0.75)
            for k in range(0 if rail else rng.integers(1, 4)):
                left = x + k * w
                scene.poly(rect(left, y - tall, left + w * 0.94, y), tone)
                scene.poly(rect(left + w * 0.7, y - tall, left + w * 0.94, y), tone * 0.75)
                scene.poly(rect(left + w * 0.1, y - tall * 0.6, left + w * 0.84, y - tall * 0.3), tone * 0.4 + 0.55)
                x += w * (k > 0)
            x += w + rng.uniform(0, 0.012)
        scene.poly(rect(0, y - 0.012, 1, y + 0.006), base * 1.05)
    scene.blur(0.001, 0.005)
    scene.street_things(floor + 0.08, 0.3, int(rng.integers(1, 4)))


def bricks(scene: Scene) -> None:
    rng = scene.rng
    floor = float(np.clip(scene.horizon + rng.uniform(0.2, 0.32), 0.5, 0.95))
    brick, joint = tint(rng, ("#a3543f", "#8f4a3a", "#b97a5a", "#c9b9a4", "#7d7a78")), tint(rng, ("#b8aca0", "#8d857d"))
    scene.fade(0, floor, joint, joint * 0.9)
    tall = rng.uniform(0.02, 0.034)
    for j, i in np.ndindex(int(floor / tall) + 1, int(1 / (tall * 2.6)) + 2):
        x, y = (i - 1 + 0.5 * (j % 2)) * tall * 2.6, j * tall
        scene.poly(rect(x, y, x + tall * 2.45, y + tall * 0.86), brick * rng.uniform(0.82, 1.15))
    for _ in range(rng.integers(0, 8)):  # graffiti
        knots = rng.uniform((0, 0.02), (1, floor - 0.05)) + np.cumsum(rng.normal(0, 0.1, (8, 2)), 0)
        curve = np.round(smooth(np.clip(knots, 0.01, floor - 0.05), 50) * scene.size * 16).astype(np.int32)
        ink, thick = tint(rng, VIVID), max(1, round(scene.size * rng.uniform(0.008, 0.035)))
        cv2.polylines(scene.image, [curve], False, tuple(float(c) * 255 for c in ink), thick, cv2.LINE_AA, 4)
    ground = tint(rng, STONES)
    scene.fade(floor, 1, ground * 0.9, ground, 0.15)
    scene.blur(0.0005, 0.004)
    scene.street_things(floor + rng.uniform(0.03, 0.1), rng.uniform(0.2, 0.4), int(rng.integers(1, 5)))


SCENES: tuple[Callable[[Scene], None], ...] = (street, street, park, park, room, room, beach, studio, shop, bricks)


class Place(NamedTuple):
    """Where a person stands, in sides of the photo: a head's height, x, y of the ground or (`by_crown`) the crown."""

    head: float
    x: float
    y: float
    by_crown: bool = False


CLOSE = {  # framings that are placed by the crown: ranges of the height of a head and of the crown's y
    "knee": (0.13, 0.165, 0.04, 0.14),
    "waist": (0.19, 0.26, 0.04, 0.14),
    "bust": (0.33, 0.46, 0.05, 0.16),
    "pair_close": (0.19, 0.24, 0.06, 0.16),
}
FRAMINGS = ("full", "full", "full", "full", "pair", "pair", "knee", "waist", "bust", "pair_close")


def case_of(seed: int, index: int) -> str:
    """Which hard case a photo is, or ''."""
    order = np.random.default_rng([seed, index // CYCLE, 7]).permutation(CYCLE)
    return (*CASES, *[""] * CYCLE)[int(order[index % CYCLE])]


def plan(rng: Rng, case: str, cycle: int) -> tuple[str, list[Place]]:
    """The framing: its name and the place of each person."""
    middle = rng.uniform(0.4, 0.6)
    if case == "small":
        return case, [Place(rng.uniform(0.03, 0.052), rng.uniform(0.15, 0.85), rng.uniform(0.62, 0.92))]
    if case == "cut":
        kind, head = ("left", "top", "right", "low")[cycle % 4], rng.uniform(0.14, 0.24)
        x = {"left": rng.uniform(-0.04, 0.06), "right": rng.uniform(0.94, 1.04)}.get(kind, middle)
        y = {"top": -head * rng.uniform(1.2, 3.2), "low": rng.uniform(0.5, 0.7)}.get(kind, rng.uniform(0.05, 0.25))
        return case, [Place(head, x, y, True)]
    kind = pick(rng, FRAMINGS)
    if kind == "full":
        return kind, [Place(rng.uniform(0.105, 0.126), rng.uniform(0.3, 0.7), rng.uniform(0.9, 0.97))]
    if kind == "pair":
        head, gap, low = rng.uniform(0.098, 0.118), rng.uniform(0.15, 0.22), rng.uniform(0.01, 0.04)
        return kind, [Place(head * (1 + 0.03 * s), middle + s * gap, 0.93 + s * low) for s in (-1, 1)]
    small, large, high, low = CLOSE[kind]
    head, y, gap = rng.uniform(small, large), rng.uniform(high, low), rng.uniform(0.22, 0.28)
    if kind == "pair_close":
        return kind, [Place(head, middle + s * gap, y + 0.02 * s, True) for s in (-1, 1)]
    return kind, [Place(head, middle, y, True)]


def draw_light(rng: Rng) -> Light:
    """A light from above, from the left or from the right, warm over cool or cool over warm."""
    side, power, warm = pick(rng, (-1, 1)), rng.uniform(0.5, 0.75), rng.uniform(-0.06, 0.08)
    towards = normalised(np.array([side * rng.uniform(0.35, 0.8), -rng.uniform(0.3, 0.8), rng.uniform(0.5, 0.9)]))
    key = np.array([1 + warm, 1, 1 - warm], np.float32) * np.float32(power)
    ambient = np.array([1 - warm, 1, 1 + warm], np.float32) * np.float32(1.0 - power * 0.75)
    return Light(towards.astype(np.float32), key, ambient)


def seat_under(painter: Painter, layer: Layer) -> None:
    """A box to sit on, which is painted behind the person."""
    person, tone = painter.person, tint(painter.rng, SURFACES + CLOTHS)
    centre = np.mean(person.limb("hip1", "hip-1"), 0) - [0, 0.38, 0]
    corners = np.array([(-0.85, 0, -0.9), (0.85, 0, -0.9), (0.85, 0, 0.55), (-0.85, 0, 0.55)])
    top = centre + corners @ person.camera.T
    box = painter.flat(np.concatenate([top, top - [0, centre[1] - person.ground, 0]]))
    outline: Shape = [cv2.convexHull(box.astype(np.float32))[:, 0]]
    layer.paint(outline, tone * np.float32(0.6), painter.unit * 0.15)
    layer.paint([painter.flat(top)], tone * np.float32(1.05))


def ground_shadow(picture: Array, alpha: Array, feet: float, light: Light) -> None:
    """Darkens the picture (S, S, 3) where the shape (S, S) falls on the ground at y `feet`, away from the light."""
    size = len(alpha)
    small, y = cv2.resize(alpha, (size // 4, size // 4), interpolation=cv2.INTER_AREA), feet / 4
    lean = float(np.clip(-light.direction[0] * 1.1, -0.9, 0.9))
    for squash, slant, soft, dark in ((0.28, lean, 0.012, 0.44), (0.07, 0.1 * lean, 0.02, 0.48)):
        move = np.array([[1, -slant, slant * y], [0, squash, y * (1 - squash)]])
        cast = cv2.GaussianBlur(cv2.warpAffine(small, move, small.shape), (0, 0), max(0.5, soft * size / 4))
        picture *= 1 - np.float32(dark) * cv2.resize(cast, (size, size), interpolation=cv2.INTER_LINEAR)[..., None]


def stand_in(rng: Rng, light: Light, place: Place, picture: Array, alpha: Array) -> None:
    """Puts a person, its seat and shadows into the picture (S, S, 3) and into the alpha (S, S) of all persons."""
    size = len(picture)
    pose = POSES[pick(rng, [name for name in POSES if not (place.by_crown and name in LOW)])]
    if rng.random() < 0.5:  # mirrored
        forwards, sideways, twist = pose.trunk
        trunk = (forwards, -sideways, -twist)
        pose = pose._replace(arms=pose.arms[::-1], legs=pose.legs[::-1], trunk=trunk, roll=-pose.roll)
    yaw = float(rng.uniform(*pick(rng, YAWS))) * pick(rng, (-1, 1))
    if pose.seat:  # seen from behind, the seat would have to hide the legs
        yaw = float(np.clip(yaw, -65, 65))
    person = Person(draw_look(rng), pose, yaw, rng.uniform(2, 10), rng)
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
    painter = Painter(layer, person, float(unit), np.array([x, y]))
    if pose.seat:
        seat_under(painter, seat)
        ground_shadow(picture, seat.alpha, y, light)
        seat.onto(picture)
        alpha *= 1 - seat.alpha
    painter.draw()
    if y < size * 1.05:
        ground_shadow(picture, layer.alpha, y, light)
    layer.onto(picture)
    alpha += layer.alpha * (1 - alpha)


def foreground(rng: Rng, size: int, light: Light) -> Layer:
    """Something near the camera that may hide a part of a person: leaves, a post or a table with things on it."""
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
    return layer


def develop(rng: Rng, picture: Array, case: str, person: float) -> Array:
    """What a camera does to a picture (S, S, 3) float32, in place: exposure, contrast, glare, grey, grain; as uint8.

    Glare comes from the side where the person, at x `person`, is not, so that it hides a part of them at most.
    """
    size = len(picture)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    exposure, vignette, contrast = rng.uniform((0.95, 0, -0.1), (1.15, 0.5, 0.3)).astype(np.float32)
    picture *= (exposure * (1 - vignette * (x * x + y * y)))[..., None]
    np.clip(picture, 0, 1, out=picture)
    picture *= (3 - 2 * picture) * (contrast * picture) + (1 - contrast)
    if case == "glare":
        picture *= 0.88  # what is white by itself is not glare
        cx, cy, wide, share = rng.uniform((0.15, -0.45, 0.15, 0.28), (0.45, 0, 0.3, 0.38))
        cx *= -1 if person > 0.5 else 1
        bloom = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / wide) + 0.03
        # The gain that blows out just this share of the pixels.
        picture += np.float32(np.quantile((1 - picture.min(-1)) / bloom, share)) * bloom[..., None]
    if case == "grey":
        picture[:] = picture @ np.array([[0.299], [0.587], [0.114]], np.float32)
    picture += rng.standard_normal((size, size, 1), np.float32) * np.float32(0.003)
    picture *= 255
    return np.asarray(np.clip(np.rint(picture, out=picture), 0, 255, out=picture).astype(np.uint8))


def photo(seed: int, index: int, size: int) -> tuple[Array, Array]:
    """Photo `index`: its picture (S, S, 3) uint8 and its mask (S, S, 3) uint8 of 0 and 1."""
    rng, case = np.random.default_rng([seed, index]), case_of(seed, index)
    framing, places = plan(rng, case, index // CYCLE)
    first = places[0]
    ground = first.y + 7.4 * first.head if first.by_crown else first.y
    # The camera is about as high as the eyes of who stands there, or higher for somebody far away.
    horizon = float(np.clip(ground - first.head * rng.uniform(6.2, 11 if case == "small" else 7.6), 0.22, 0.72))
    light, scene = draw_light(rng), Scene(size, horizon, rng)
    pick(rng, SCENES)(scene)
    if any(place.head > 0.17 for place in places):
        scene.blur(0.002, 0.014)
    picture, alpha = scene.image.astype(np.float32) / 255, np.zeros((size, size), np.float32)
    for place in places:
        stand_in(rng, light, place, picture, alpha)
    if not case and framing != "bust" and rng.random() < 0.2:
        layer = foreground(rng, size, light)
        layer.onto(picture)
        alpha *= 1 - layer.alpha
    mask = np.repeat((alpha >= 0.5).astype(np.uint8)[..., None], 3, 2)
    return develop(rng, picture, case, first.x), mask


def write(raw: Path, data: Data, index: int) -> None:
    """Draws photo `index` and, if it is labelled, its mask."""
    cv2.setNumThreads(0)  # the photos are what runs in parallel
    picture, mask = photo(data.seed, index, data.size)
    part, name = ("train" if index < data.labelled else "test"), f"{index + 1:04d}.png"
    cv2.imwrite(str(raw / part / "images" / name), picture[..., ::-1])
    if part == "train":
        cv2.imwrite(str(raw / part / "masks" / name), mask)


def fetch(data: Data, scratch: Path) -> Path:
    """Draws the photos of both parts and the masks of the labelled one, on all cores, below `scratch`."""
    raw = scratch / "drawn"
    for folder in ("train/images", "train/masks", "test/images"):
        (raw / folder).mkdir(parents=True, exist_ok=True)
    total = data.labelled + data.test
    step = max(1, min(16, total // 64))
    # A forked worker does not have the threads that OpenCV may have started here, and crashes or waits for them.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        process_map(
            partial(write, raw, data),
            range(total),
            max_workers=os.cpu_count(),
            chunksize=step,
            desc="drawing",
            unit="photo",
        )
    finally:
        cv2.setNumThreads(threads)
    return raw
