"""Averages: of the weights over steps, which is what is validated and kept, and of BatchNorm over processes."""

from copy import deepcopy

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from src.models.blocks import SegmentationModel

ENOUGH = 8  # photos per process; with fewer of them, BatchNorm takes its statistics over all GPUs


def decay_at(step: int, decay: float) -> float:
    """How much of the average stays at `step` (from 0): little at first, then `decay`, so that the average soon forgets
    the random weights that a training starts from."""
    return min(decay, (1 + step) / (10 + step))


class WeightAverage:
    """An exponential moving average of the parameters and BatchNorm statistics of `source`, itself a model, `model`."""

    def __init__(self, source: SegmentationModel, decay: float) -> None:
        self.model = deepcopy(source).requires_grad_(False)
        self.decay = decay
        self.averaged, self.latest = _floats(self.model), _floats(source)

    def update(self, step: int) -> None:
        """Takes in the weights after `step`, counted from 0 over the whole training."""
        get_ema_multi_avg_fn(decay_at(step, self.decay))(self.averaged, self.latest, None)

    def all_reduce_batchnorm(self, fabric: Fabric) -> None:
        """Averages the BatchNorm statistics of `model` over all processes, since each process has seen other photos."""
        kept = self.model.state_dict().keys()  # not what is fixed, such as the colours' mean
        for name, buffer in self.model.named_buffers():
            if name in kept and buffer.is_floating_point():
                buffer.copy_(torch.as_tensor(fabric.all_reduce(buffer, reduce_op="mean")))


def _floats(model: SegmentationModel) -> list[Tensor]:
    """The parameters and BatchNorm's statistics, the model's own tensors, in the order of the state dict."""
    return [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]


def to_sync_batchnorm(fabric: Fabric, model: SegmentationModel, batch_size: int) -> SegmentationModel:
    """`model` with BatchNorm over the photos of all GPUs where each sees too few of the `batch_size` for its own.

    Torch has that for GPUs alone (`SyncBatchNorm`); the names in the state dict stay the same.
    """
    few = batch_size // fabric.world_size < ENOUGH
    if fabric.world_size > 1 and few and fabric.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model
