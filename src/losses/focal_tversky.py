"""Focal Tversky loss: Abraham and Khan 2018, "A Novel Focal Tversky Loss Function with Improved Attention U-Net for
Lesion Segmentation" (arXiv 1810.07842), equations 3 and 4, in the paper's convention: the exponent is 1 / gamma, so
gamma above 1 (the paper's best is 4/3, an exponent of 0.75) turns attention to photos that are already nearly right."""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from src.losses.terms import PIXELS, Smooth, Weight, soft_overlap


def focal_tversky(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: Weight,
    beta: Weight,
    gamma: Annotated[float, Field(ge=1, le=3)],
    smooth: Smooth,
) -> Tensor:
    """Scalar for logits and target (N, 1, H, W): mean over photos of (1 - TI)**(1 / gamma), where
    TI = (TP + smooth) / (TP + alpha FN + beta FP + smooth) of soft counts."""
    probability = logits.sigmoid()
    overlap = soft_overlap(probability, target)
    true_positive = overlap.sum(PIXELS)
    false_negative = (target - overlap).sum(PIXELS)
    false_positive = (probability - overlap).sum(PIXELS)
    index = (true_positive + smooth) / (true_positive + alpha * false_negative + beta * false_positive + smooth)
    # The power's slope is infinite at 0, which a perfect photo would turn into NaN.
    return (1 - index).clamp(min=1e-7).pow(1 / gamma).mean()
