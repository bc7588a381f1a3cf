"""Binary cross-entropy plus Dice loss, equally weighted: nnU-Net's choice (Isensee et al. 2021) and our baseline."""

from torch import Tensor

from src.losses.terms import Smooth, cross_entropy, dice_loss


def bce_dice(logits: Tensor, target: Tensor, *, smooth: Smooth) -> Tensor:
    """Scalar for logits and target (N, 1, H, W)."""
    return cross_entropy(logits, target).mean() + dice_loss(logits, target, smooth)
