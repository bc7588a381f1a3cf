"""How well a model does on the validation photos while it is trained."""

import torch
from lightning_fabric import Fabric
from torch import nn

from stages.train.batches import PERSON, Dataset


@torch.no_grad()
def mean_dice(fabric: Fabric, model: nn.Module, val: Dataset, batch_size: int) -> float:
    """Mean Dice per photo of `val`, at the working size and threshold 0.5, over all processes; 1 where both are empty.

    Puts `model` into eval mode. Each process takes its share of the photos.
    """
    model.eval()
    total = torch.zeros((), device=fabric.device)
    mine = torch.arange(len(val))[fabric.global_rank :: fabric.world_size]
    for photos, masks in val.batches(mine.split(batch_size)):
        with fabric.autocast():
            predicted = model(photos) > 0
        true = masks >= PERSON
        overlap = 2 * (predicted & true).sum((1, 2, 3))
        pixels = predicted.sum((1, 2, 3)) + true.sum((1, 2, 3))
        total += torch.where(pixels > 0, overlap / pixels.clamp(min=1), 1.0).sum()
    return float(torch.as_tensor(fabric.all_reduce(total, reduce_op="sum"))) / len(val)
