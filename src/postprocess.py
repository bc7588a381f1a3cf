"""From a probability map at the working size to a mask at the photo's own size."""

from typing import Annotated

import cv2
import numpy as np
from pydantic import AfterValidator, Field

from src.images import Array8
from src.stage import Section


def _odd_or_zero(value: int) -> int:
    if value and value % 2 == 0:
        raise ValueError("must be an odd number, or 0 for off")
    return value


class PostprocessParams(Section):
    """The block `postprocess` of params.yaml; pixels are those of the photo's own size."""

    threshold: Annotated[float, Field(gt=0, lt=1)]
    smooth_px: Annotated[int, Field(ge=0, le=255), AfterValidator(_odd_or_zero)]
    min_component_px: Annotated[int, Field(ge=0)]


def upsample(probability: Array8, height: int, width: int) -> Array8:
    """The map (S, S; 0 to 255) at (height, width): probabilities are resized, so the outline is finer than S allows."""
    return cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)


def threshold_mask(probability: Array8, threshold: float) -> Array8:
    """The mask (H, W; 0 and 1) of pixels whose probability (0 to 255) is at least `threshold` (0 to 1)."""
    return cv2.threshold(probability, int(np.ceil(threshold * 255)) - 1, 1, cv2.THRESH_BINARY)[1]


def clean(mask: Array8, params: PostprocessParams) -> Array8:
    """`mask` (H, W; 0 and 1) smoothed by a majority filter and without components under `min_component_px`."""
    if params.smooth_px:
        mask = cv2.medianBlur(mask, params.smooth_px)
    if not params.min_component_px:
        return mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= params.min_component_px
    keep[0] = False
    return mask if keep[1:].all() else keep.astype(np.uint8)[labels]
