"""How a predicted mask is scored against the true one."""

from typing import NamedTuple

import cv2
import numpy as np

BAND = 0.02  # width of the band along the outline, in diagonals of the photo: the paper's choice for large photos


class Counts(NamedTuple):
    """Pixels that are person in both masks, only in the predicted one, only in the true one, and in neither."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


def count(predicted: np.ndarray, target: np.ndarray) -> Counts:
    """The counts of two masks (H, W; 0 and 1)."""
    both, ours, true = (int(np.count_nonzero(mask)) for mask in (predicted & target, predicted, target))
    return Counts(both, ours - both, true - both, target.size - ours - true + both)


def dice(counts: Counts) -> float:
    """2 TP / (2 TP + FP + FN), the competition's score; 1 if nobody is there and nobody was predicted."""
    errors = counts.false_positive + counts.false_negative
    return _ratio(counts, 2 * counts.true_positive, 2 * counts.true_positive + errors)


def iou(counts: Counts) -> float:
    """TP / (TP + FP + FN), the Jaccard index; 1 if both masks are empty."""
    return _ratio(counts, counts.true_positive, counts.true_positive + counts.false_positive + counts.false_negative)


def mean_iou(counts: Counts) -> float:
    """The mean of the IoU of person and that of background."""
    swapped = counts._replace(true_positive=counts.true_negative, true_negative=counts.true_positive)
    return (iou(counts) + iou(swapped)) / 2


def precision(counts: Counts) -> float:
    """TP / (TP + FP); if nothing was predicted, 1 where nobody is there, else 0."""
    return _ratio(counts, counts.true_positive, counts.true_positive + counts.false_positive)


def recall(counts: Counts) -> float:
    """TP / (TP + FN); if nobody is there, 1 where nothing was predicted, else 0."""
    return _ratio(counts, counts.true_positive, counts.true_positive + counts.false_negative)


def boundary_iou(predicted: np.ndarray, target: np.ndarray) -> float:
    """Boundary IoU (Cheng et al., CVPR 2021) of two masks (H, W; 0 and 1): the IoU of their bands inside the outline.

    Dice hardly sees the outline once a person fills much of the photo. A band is the part of the person that is at most
    2 % of the photo's diagonal away from background. What lies beyond the photo's edge counts as background, as in the
    authors' code. 1 if nobody is there and nobody was predicted.
    """
    x, y, width, height = cv2.boundingRect(predicted | target)  # the rest has no outline, and small people cost little
    if not width:
        return 1.0
    distance = max(1, round(BAND * float(np.hypot(*target.shape))))
    square = np.ones((2 * distance + 1,) * 2, np.uint8)  # the same as eroding `distance` times by 3 x 3
    masks = (mask[y : y + height, x : x + width] for mask in (predicted, target))
    bands = [mask - cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0) for mask in masks]
    return iou(count(*bands))


def _ratio(counts: Counts, part: int, whole: int) -> float:
    return part / whole if whole else float(counts.false_positive + counts.false_negative == 0)
