"""What a model costs, in figures that do not vary from run to run as seconds do."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from src.formats.predictions import Cost


@torch.no_grad()
def measure(model: nn.Module, size: int) -> Cost:
    """The parameters of `model`, and the operations of its convolutions and matrix products for one photo of `size`
    pixels squared, once, whatever `predict.mirror` and `predict.scale` say; a multiply-add is two."""
    parameters = list(model.parameters())
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, size, size, dtype=torch.uint8, device=parameters[0].device))
    return Cost(parameters=sum(p.numel() for p in parameters), gflop=round(counter.get_total_flops() / 1e9, 3))
