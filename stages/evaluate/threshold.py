"""`threshold: auto`: the probability above which a pixel is called person, chosen on the val photos.

The curve is the mean Dice per photo at the photos' own size, for all 255 thresholds that bytes can tell apart. Two
histograms per photo give all of them at once, for about what one mask costs. The clean-up comes after the choice and
is left out: it would cost 255 masks per photo.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm.contrib.concurrent import thread_map

from src.formats.metrics import THRESHOLDS
from src.formats.prepared import NativeMasks
from src.postprocess import upsample


def threshold_curve(maps: np.ndarray, indices: Iterable[int], masks: NativeMasks) -> NDArray[np.float64]:
    """Mean Dice, float64 (255,), at each of THRESHOLDS, of maps (N, S, S) of the labelled photos at `indices`."""

    def one(probability: np.ndarray, index: int) -> NDArray[np.float64]:
        target = masks[index]
        return dice_by_threshold(upsample(probability, *target.shape), target)

    return np.mean(thread_map(one, maps, indices, desc="threshold", unit="photo", disable=None), axis=0)


def dice_by_threshold(probability: np.ndarray, target: np.ndarray) -> NDArray[np.float64]:
    """Dice, float64 (255,), of one map (H, W; 0 to 255) against its mask (H, W; 0 and 1) at each of THRESHOLDS."""
    person = _at_least(probability, target)
    predicted = person + _at_least(probability, 1 - target)
    total = predicted + np.count_nonzero(target)
    return np.divide(2 * person, total, out=np.ones(255), where=total > 0)


def best_threshold(curve: NDArray[np.float64]) -> float:
    """The threshold of the highest mean Dice; of equally good ones the nearest to 0.5."""
    best = np.flatnonzero(curve >= curve.max() - 1e-12)
    return float(THRESHOLDS[best[np.argmin(np.abs(THRESHOLDS[best] - 0.5))]])


def _at_least(probability: np.ndarray, where: np.ndarray) -> NDArray[np.float64]:
    """How many pixels of `where` are 1 or more, 2 or more, ... 255: float64 (255,)."""
    counts = cv2.calcHist([probability], [0], where, [256], [0, 256]).ravel().astype(np.float64)
    return counts[::-1].cumsum()[::-1][1:]
