"""From photos at the size that a model was trained on to probability maps at that size.

Apart from src/predictor.py, which goes on to masks: a change to the clean-up predicts nothing again.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from src.compute import Runtime
from src.formats.metadata import Scale
from src.params import Section


class PredictParams(Section):
    """The block `predict` of params.yaml."""

    mirror: bool
    scale: Scale
    batch_size: Annotated[int, Field(ge=1, le=4096)]


def predict(runtime: Runtime, model: nn.Module, photos: np.ndarray, params: PredictParams, name: str) -> np.ndarray:
    """Probability maps, uint8 (N, H, W), of `photos`, uint8 RGB (N, H, W, 3). A progress bar says `name`, if any."""
    maps = np.empty(photos.shape[:3], dtype=np.uint8)
    with (
        tqdm(total=len(photos), desc=name, unit="photo", disable=None if name else True) as bar,
        torch.inference_mode(),
        runtime.autocast(),
    ):
        for start in range(0, len(photos), params.batch_size):
            part = np.array(photos[start : start + params.batch_size])  # a copy: torch refuses a read-only memory map
            batch = torch.from_numpy(part).to(runtime.device).permute(0, 3, 1, 2)
            maps[start : start + len(part)] = probability(model, batch, params).cpu().numpy()
            bar.update(len(part))
    return maps


def probability(model: nn.Module, photos: Tensor, params: PredictParams) -> Tensor:
    """uint8 (N, H, W) for uint8 photos (N, 3, H, W).

    With `params.mirror` it is the mean with the mirror image's. The model sees photos `params.scale` times as large: at
    what size a model knows people depends on its augmentation (Touvron et al. 2019, "Fixing the train-test resolution
    discrepancy", arXiv 1906.06423).
    """
    size = photos.shape[-2:]
    seen = resized(photos, [round(side * params.scale) for side in size]).to(torch.uint8)
    result = model(seen).float().sigmoid()
    if params.mirror:
        result = (result + model(seen.flip(-1)).float().sigmoid().flip(-1)) / 2
    return resized(result * 255, size)[:, 0].to(torch.uint8)


def resized(images: Tensor, size: Sequence[int]) -> Tensor:
    """`images` (N, C, H, W) bilinearly at `size`, averaging pixels where it is smaller, rounded to whole numbers."""
    if tuple(size) != tuple(images.shape[-2:]):
        images = F.interpolate(images.float(), size=tuple(size), mode="bilinear", antialias=True)
    return images.round()
