"""Binary cross-entropy: the mean over all pixels."""

from torch import Tensor

from src.losses.terms import cross_entropy


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Scalar for logits and target (N, 1, H, W)."""
    return cross_entropy(logits, target).mean()
