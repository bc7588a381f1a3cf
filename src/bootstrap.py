"""How far a mean over photos can be trusted."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 5000


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean of `values` (N,), resampling photos; the same every time."""
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    means = _counts(len(values)) @ values / len(values)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


@cache
def _counts(photos: int) -> NDArray[np.float64]:
    """How often each photo is drawn in each resample, (RESAMPLES, photos)."""
    draws = np.random.default_rng(0).multinomial(photos, np.full(photos, 1 / photos), size=RESAMPLES)
    return draws.astype(np.float64)
