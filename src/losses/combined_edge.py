"""The combined loss plus cross-entropy on a band along the true outline, where masks go wrong."""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from src.losses.terms import Smooth, Weight, cross_entropy, dice_loss, edge_band


def combined_edge(
    logits: Tensor,
    target: Tensor,
    *,
    bce_weight: Weight,
    dice_weight: Weight,
    edge_weight: Weight,
    person_weight: Weight,
    edge_px: Annotated[int, Field(ge=1, le=64)],
    smooth: Smooth,
) -> Tensor:
    """Scalar for logits and target (N, 1, H, W); the band reaches `edge_px` pixels to both sides of the outline."""
    entropy = cross_entropy(logits, target, person_weight)
    band = edge_band(target, edge_px)
    # A batch without an outline has an empty band, and no edge to be wrong about.
    edge = (entropy * band).sum() / band.sum().clamp(min=1)
    return bce_weight * entropy.mean() + dice_weight * dice_loss(logits, target, smooth) + edge_weight * edge
