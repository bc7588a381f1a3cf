"""Points, outlines, rotations and chance: (N, 2) or (N, 3) arrays in whatever unit the caller measures in."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Array = NDArray[Any]
Rng = np.random.Generator
Shape = list[Array]  # polygons, each (N, 2) in pixels, whose union is the shape


@cache
def circle(count: int) -> Array:
    """(count, 2) points on the unit circle."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 20) -> Array:
    """(count, 2) points on an ellipse."""
    return circle(count) * (rx, ry) + (x, y)


def rect(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    """The corners of an upright rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def turn(axis: int, degrees: float) -> Array:
    """(3, 3) rotation about axis 0, 1 or 2."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i], matrix[j, j], matrix[i, j], matrix[j, i] = c, c, -s, s
    return matrix


def normalised(vector: Array) -> Array:
    """The vector (N,) at length 1; zero stays zero."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def smooth(knots: Any, count: int) -> Array:
    """(count, N) points on a curve through the knots (K, N)."""
    return np.asarray(PchipInterpolator(range(len(knots)), knots)(np.linspace(0, len(knots) - 1, count)))


def sweep(sections: Sequence[Array]) -> Shape:
    """The hulls of every two neighbours in a row of point sets: the outline of what is swept along them."""
    return [cv2.convexHull(np.concatenate(pair).astype(np.float32))[:, 0] for pair in pairwise(sections)]


def pick(rng: Rng, options: Sequence[Any]) -> Any:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def noise(rng: Rng, shape: tuple[int, int], cells: tuple[float, float]) -> Array:
    """Smooth noise of `shape`, float32 about -1..1, with `cells` (down, across) of it in the picture."""
    coarse = rng.uniform(-1, 1, (max(2, round(cells[0])), max(2, round(cells[1])))).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))
