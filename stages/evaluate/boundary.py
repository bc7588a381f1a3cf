"""How well outlines agree, which Dice hardly sees once a person fills much of the photo."""

import cv2
import numpy as np

from src.dice import Counts, count, iou

WIDTH = 0.02  # of the band along the outline, in diagonals of the photo: the paper's choice for large photos


def boundary_iou(predicted: np.ndarray, target: np.ndarray) -> float:
    """Boundary IoU (Cheng et al., CVPR 2021) of two masks (H, W; 0 and 1): the IoU of their bands inside the outline.

    A band is the part of the person that is at most 2 % of the photo's diagonal away from background. What lies beyond
    the photo's edge counts as background, as in the authors' code. 1 if nobody is there and nobody was predicted.
    """
    return iou(_band_counts(predicted, target))


def _band_counts(predicted: np.ndarray, target: np.ndarray) -> Counts:
    rows, columns = _extent(predicted | target)
    distance = max(1, round(WIDTH * float(np.hypot(*target.shape))))
    return count(*(_band(mask[rows, columns], distance) for mask in (predicted, target)))


def _extent(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that hold any person: nothing else has an outline, and small people cost little."""
    x, y, width, height = cv2.boundingRect(mask)
    return slice(y, y + height), slice(x, x + width)


def _band(mask: np.ndarray, distance: int) -> np.ndarray:
    if not mask.size:
        return mask
    square = np.ones((2 * distance + 1,) * 2, np.uint8)  # the same as eroding `distance` times by 3 x 3
    return mask - cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
