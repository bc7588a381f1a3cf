"""The loss of a model that is trained on several outputs (deep supervision: Lee et al. 2015, arXiv 1409.5185)."""

from collections.abc import Callable

import torch
from torch import Tensor

from src.losses import Loss
from src.models.blocks import Logits


def deep_supervision(loss: Loss, weights: tuple[float, ...]) -> Callable[[Logits, Tensor], Tensor]:
    """`loss` as a function of a model's outputs: of the only one, or the sum over several, each times its weight."""

    def of_all(outputs: Logits, target: Tensor) -> Tensor:
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        pairs = zip(weights, outputs, strict=True)
        return torch.stack([weight * loss(logits, target) for weight, logits in pairs]).sum()

    return of_all
