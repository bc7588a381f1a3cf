"""What makes a photo hard, by the cases that the competition's entrants name."""

from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from src.params import Section, Share


class TraitParams(Section):
    """The block `traits` of params.yaml."""

    small_coverage: Share
    cut_border: Share
    grey_spread: Annotated[float, Field(ge=0, le=255)]
    glare_level: Annotated[int, Field(ge=1, le=255)]
    glare_share: Share


def photo_traits(photo: np.ndarray, params: TraitParams) -> dict[str, bool]:
    """Whether `photo`, uint8 RGB (H, W, 3), is greyscale, and whether much of it is blown out by glare."""
    red, green, blue = cv2.split(photo)  # numpy takes ten times as long along an axis of three
    strongest, weakest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    spread = cv2.subtract(strongest, weakest).mean()
    blown = np.count_nonzero(weakest >= params.glare_level) / weakest.size
    return {"grey": bool(spread <= params.grey_spread), "glare": bool(blown >= params.glare_share)}


def mask_traits(mask: np.ndarray, params: TraitParams) -> dict[str, float | bool]:
    """The share of `mask` (H, W; 0 and 1) that is person, whether it is small, and whether the frame cuts it."""
    coverage = np.count_nonzero(mask) / mask.size
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    return {
        "coverage": round(coverage, 6),
        "small": bool(0 < coverage < params.small_coverage),
        "cut": bool(border.mean() >= params.cut_border and border.any()),
    }
