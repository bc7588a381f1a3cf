"""The terms that losses are made of; logits and target are float32 (N, 1, H, W)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

Weight = Annotated[float, Field(ge=0, le=1000)]
Smooth = Annotated[float, Field(gt=0, le=1000)]
PIXELS = (1, 2, 3)


def cross_entropy(logits: Tensor, target: Tensor, person_weight: float = 1.0) -> Tensor:
    """Binary cross-entropy per pixel (N, 1, H, W); a pixel of the person counts `person_weight` times."""
    weight = logits.new_full((), person_weight)  # made on the device: a copy to it would hold up the CPU
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight, reduction="none")


def dice_loss(logits: Tensor, target: Tensor, smooth: float) -> Tensor:
    """1 - (2 TP + smooth) / (2 TP + FP + FN + smooth) of soft counts (Milletari et al. 2016), the mean over photos, as
    the competition's Dice is."""
    probability = logits.sigmoid()
    overlap = soft_overlap(probability, target).sum(PIXELS)
    total = (probability + target).sum(PIXELS)
    return (1 - (2 * overlap + smooth) / (total + smooth)).mean()


def soft_overlap(probability: Tensor, target: Tensor) -> Tensor:
    """How much of each pixel is rightly called person (N, 1, H, W): the smaller of the two shares.

    For a target of 0 or 1 the minimum equals the usual product. For a target in between, the product keeps growing up
    to a probability of 1, while the minimum stops growing at the target: a pixel that is half person asks for one half
    (Wang et al. 2023, "Dice Semimetric Losses", arXiv 2303.16296: |x| + |y| - |x - y| is twice the minimum).
    """
    return torch.minimum(probability, target)


def edge_band(target: Tensor, reach: int) -> Tensor:
    """1 within `reach` pixels of the true outline, on both sides, else 0 (N, 1, H, W).

    The largest value in a square is found by columns, then by rows: the same, and a third of the comparisons.
    """
    window, both = 2 * reach + 1, torch.cat([target, -target], dim=1)  # dilated, and the negative of eroded
    columns = F.max_pool2d(both, (window, 1), stride=1, padding=(reach, 0))
    return F.max_pool2d(columns, (1, window), stride=1, padding=(0, reach)).sum(dim=1, keepdim=True)
