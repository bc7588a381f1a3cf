"""Weighted binary cross-entropy plus Dice loss: the predecessor's combined loss."""

from torch import Tensor

from src.losses.terms import Smooth, Weight, cross_entropy, dice_loss


def combined(
    logits: Tensor, target: Tensor, *, bce_weight: Weight, dice_weight: Weight, person_weight: Weight, smooth: Smooth
) -> Tensor:
    """Scalar for logits and target (N, 1, H, W); in the cross-entropy a person's pixel counts `person_weight` times."""
    entropy = cross_entropy(logits, target, person_weight).mean()
    return bce_weight * entropy + dice_weight * dice_loss(logits, target, smooth)
