"""From a probability map at the working size to a mask at the photo's own size."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from pydantic import BeforeValidator

from src.params import FilterSize, Section, Share

AUTO = "auto"


def _number_or_auto(value: Any) -> Any:
    if value != AUTO and not (isinstance(value, float) and 0 < value < 1):
        raise ValueError("must be auto, or a number greater than 0 and less than 1")
    return value


class PostprocessParams(Section):
    """The block `postprocess` of params.yaml; pixels are those of the photo's own size."""

    threshold: Annotated[float | Literal["auto"], BeforeValidator(_number_or_auto)]
    smooth_px: FilterSize
    min_component_share: Share
    max_hole_share: Share


def final_mask(
    probability: np.ndarray, shape: tuple[int, ...], threshold: float, params: PostprocessParams
) -> np.ndarray:
    """The mask of `shape` (height, width; 0 and 1) that is handed in for the map (S, S; 0 to 255) of one photo."""
    return clean(threshold_mask(upsample(probability, *shape), threshold), params)


def upsample(probability: np.ndarray, height: int, width: int) -> np.ndarray:
    """The map (S, S; 0 to 255) at (height, width): probabilities are resized, so the outline is finer than S allows."""
    return cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)


def threshold_mask(probability: np.ndarray, threshold: float) -> np.ndarray:
    """The mask (H, W; 0 and 1) of pixels whose probability (0 to 255) is at least `threshold` (0 to 1)."""
    return cv2.threshold(probability, int(np.ceil(threshold * 255)) - 1, 1, cv2.THRESH_BINARY)[1]


def clean(mask: np.ndarray, params: PostprocessParams) -> np.ndarray:
    """`mask` (H, W; 0 and 1) smoothed by a majority filter, without small components, and with small holes filled."""
    if params.smooth_px:
        mask = majority(mask, params.smooth_px)
    x, y, width, height = cv2.boundingRect(mask)  # the rest is empty, and looking at it takes longer than all else
    if not width:
        return mask
    part = np.s_[y : y + height, x : x + width]
    person = np.pad(mask[part], 1)  # so that what is around is one component
    person = without_small(person, 8, lambda areas: params.min_component_share * areas.max())
    person = 1 - without_small(1 - person, 4, lambda _: params.max_hole_share * np.count_nonzero(person))
    cleaned = np.zeros_like(mask)
    cleaned[part] = person[1:-1, 1:-1]
    return cleaned


def without_small(mask: np.ndarray, connectivity: int, least: Callable[[np.ndarray], float]) -> np.ndarray:
    """`mask` (H, W; 0 and 1, not empty) without components below the area `least` of all components' areas."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=connectivity)
    areas = stats[1:, cv2.CC_STAT_AREA]  # without the background
    keep = areas >= least(areas)
    return mask if keep.all() else np.array([False, *keep], np.uint8)[labels]


def majority(mask: np.ndarray, size: int) -> np.ndarray:
    """`mask` (H, W; 0 and 1) where each pixel is what most of the `size` x `size` around it are: the median filter, but
    as a sum, since OpenCV's own takes many times as long beyond 5 x 5."""
    person = cv2.boxFilter(mask, cv2.CV_16U, (size, size), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return (person > size * size // 2).astype(np.uint8)
