"""From photos to probability maps."""

from typing import Annotated

import numpy as np
import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from tqdm import tqdm

from src.images import Array8
from src.stage import Section


class PredictParams(Section):
    """The block `predict` of params.yaml."""

    mirror: bool
    batch_size: Annotated[int, Field(ge=1)]


def predict(fabric: Fabric, model: nn.Module, photos: Array8, params: PredictParams, name: str) -> Array8:
    """Probability maps, uint8 (N, H, W), of `photos`, uint8 RGB (N, H, W, 3); 255 is certainly person."""
    maps = np.empty(photos.shape[:3], dtype=np.uint8)
    with tqdm(total=len(photos), desc=name, unit="photo") as bar, torch.inference_mode(), fabric.autocast():
        for start in range(0, len(photos), params.batch_size):
            part = np.array(photos[start : start + params.batch_size])  # torch wants memory that is its own
            batch = torch.from_numpy(part).to(fabric.device).permute(0, 3, 1, 2)
            maps[start : start + len(part)] = probability(model, batch, params.mirror).cpu().numpy()
            bar.update(len(part))
    return maps


def probability(model: nn.Module, photos: Tensor, mirror: bool) -> Tensor:
    """uint8 (N, H, W) for uint8 photos (N, 3, H, W); `mirror` averages with the mirror image's probability."""
    result = model(photos).float().sigmoid()
    if mirror:
        result = (result + model(photos.flip(-1)).float().sigmoid().flip(-1)) / 2
    return (result[:, 0] * 255).round().to(torch.uint8)
