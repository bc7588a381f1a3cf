"""The leaderboard's own number, and what explains it, for the photos of one part."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import bootstrap
from tqdm.contrib.concurrent import thread_map

from src.images import Array8
from src.postprocess import PostprocessParams, clean, threshold_mask, upsample
from src.prepared import NativeMasks
from src.scores import Counts, count, dice, iou, precision, recall
from src.traits import TRAITS

CONFIDENCE = 0.95


class PhotoScore(NamedTuple):
    """One photo's counts at its own size, with and without the clean-up of `postprocess`."""

    final: Counts
    raw: Counts


def score_photos(
    maps: Array8, indices: Iterable[int], masks: NativeMasks, params: PostprocessParams
) -> list[PhotoScore]:
    """The score of each map (N, S, S) against the native mask of the labelled photo at the same place in `indices`."""

    def score(pair: tuple[Array8, int]) -> PhotoScore:
        probability, index = pair
        target = masks[index]
        raw = threshold_mask(upsample(probability, *target.shape), params.threshold)
        return PhotoScore(count(clean(raw, params), target), count(raw, target))

    return thread_map(score, list(zip(maps, indices, strict=True)), desc="score", unit="photo")


def summarise(scores: list[PhotoScore], rows: pd.DataFrame) -> dict[str, Any]:
    """The metrics of one part; `rows` holds the same photos' rows of photos.csv.

    `dice` is the mean over photos (the competition's), with a percentile bootstrap interval over photos; `dice_raw` is
    the same before clean-up, `dice_pooled` that of all pixels taken as one photo.
    """
    final = [score.final for score in scores]
    per_photo = np.array([dice(counts) for counts in final])
    low, high = _interval(per_photo)
    return {
        "dice": float(per_photo.mean()),
        "dice_low": low,
        "dice_high": high,
        "dice_raw": float(np.mean([dice(score.raw) for score in scores])),
        "dice_pooled": dice(Counts(*map(sum, zip(*final, strict=True)))),
        "iou": float(np.mean([iou(counts) for counts in final])),
        "precision": float(np.mean([precision(counts) for counts in final])),
        "recall": float(np.mean([recall(counts) for counts in final])),
        "photos": len(scores),
        "traits": {
            trait: {"dice": float(per_photo[has].mean()), "photos": int(has.sum())}
            for trait in TRAITS
            if (has := rows[trait].to_numpy(dtype=bool)).any()
        },
    }


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.min()), float(values.max())
    result = bootstrap((values,), np.mean, confidence_level=CONFIDENCE, method="percentile", rng=0)
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
