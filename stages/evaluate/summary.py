"""The scores of each photo of one part, and the metrics of the part, such as its mean Dice, made from them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from tqdm.contrib.concurrent import thread_map

from src.bootstrap import interval
from src.dice import Counts, boundary_iou, count, dice, iou, mean_iou, precision, recall
from src.formats.metrics import HEADLINE, PartMetrics, TraitScore
from src.formats.prepared import TRAITS, NativeMasks
from src.postprocess import PostprocessParams, clean, threshold_mask, upsample


def score_photos(
    maps: np.ndarray, indices: Iterable[int], masks: NativeMasks, threshold: float, params: PostprocessParams
) -> pd.DataFrame:
    """A row of scores for each map (N, S, S) of the labelled photos at `indices`, in pixels of the photo's own size;
    `dice_raw` is before the clean-up, all else after it."""

    def score(probability: np.ndarray, index: int) -> dict[str, float]:
        target = masks[index]
        raw = threshold_mask(upsample(probability, *target.shape), threshold)
        final = clean(raw, params)
        counts = count(final, target)
        return {
            "dice": dice(counts),
            "dice_raw": dice(count(raw, target)),
            "iou": iou(counts),
            "boundary_iou": boundary_iou(final, target),
            "precision": precision(counts),
            "recall": recall(counts),
            **counts._asdict(),
        }

    return pd.DataFrame(thread_map(score, maps, indices, desc="score", unit="photo", disable=None))


def summarise(scores: pd.DataFrame, rows: pd.DataFrame) -> PartMetrics:
    """The metrics of one part; `rows` holds the same photos' rows of photos.csv.

    `dice` is the mean over photos (the competition's), with a percentile bootstrap interval over photos; those called
    `dataset` are of all pixels taken as one photo, as most papers have it.
    """
    per_photo = scores["dice"].to_numpy()
    low, high = interval(per_photo)
    pooled = Counts(*(int(scores[name].sum()) for name in Counts._fields))
    means = {name: float(scores[name].to_numpy().mean()) for name in HEADLINE if name in scores}
    return PartMetrics(
        **means,
        dice_low=low,
        dice_high=high,
        dice_dataset=dice(pooled),
        iou_dataset=iou(pooled),
        miou_dataset=mean_iou(pooled),
        photos=len(scores),
        photo_dice=per_photo.round(6).tolist(),
        traits={
            trait: TraitScore(dice=float(per_photo[has].mean()), photos=int(has.sum()))
            for trait in TRAITS
            if (has := rows[trait].to_numpy(dtype=bool)).any()
        },
    )
