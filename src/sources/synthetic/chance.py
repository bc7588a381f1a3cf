"""Random choices and random texture."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from src.sources.synthetic.geometry import Array

Rng = np.random.Generator


def pick(rng: Rng, options: Sequence[Any]) -> Any:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def noise(rng: Rng, shape: tuple[int, int], cells: tuple[float, float]) -> Array:
    """Smooth noise of `shape`, float32 about -1..1, with `cells` (down, across) of it in the picture."""
    coarse = rng.uniform(-1, 1, (max(2, round(cells[0])), max(2, round(cells[1])))).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))
