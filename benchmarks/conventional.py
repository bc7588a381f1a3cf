"""The training loop that most projects write: files read by a DataLoader's workers, changed there photo by photo."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.io import read_image
from torchvision.transforms import v2

from src.losses import Loss
from stages.train.augment import AugmentParams


class Files(Dataset[tuple[Tensor, Tensor]]):
    """Photos and masks that were saved at the working size, with random changes."""

    def __init__(self, photos: list[Path], masks: list[Path], change: nn.Module) -> None:
        self.photos, self.masks, self.change = photos, masks, change

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        mask = tv_tensors.Mask((read_image(str(self.masks[index]))[:1] > 0).to(torch.uint8))
        return self.change(tv_tensors.Image(read_image(str(self.photos[index]))), mask)


class Gamma(v2.Transform):
    """A random power of the photo's values, which torchvision has no transform for."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, photo: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        gamma = float(torch.empty(()).uniform_(self.low, self.high))
        return v2.functional.adjust_gamma(photo, gamma), mask


def changes(params: AugmentParams) -> nn.Module:
    """torchvision's transforms, as strong and as frequent as ours."""

    def sometimes(share: float, change: nn.Module) -> nn.Module:
        return v2.RandomApply([change], p=share)

    return v2.Compose(
        [
            v2.RandomHorizontalFlip(params.flip_p),
            v2.RandomAffine(
                params.rotate_degrees,
                translate=(params.shift, params.shift),
                scale=(params.scale_min, params.scale_max),
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            sometimes(params.color_p, v2.ColorJitter(params.color, params.color, params.color)),
            sometimes(params.gamma_p, Gamma(params.gamma_min, params.gamma_max)),
            v2.RandomGrayscale(params.gray_p),
            sometimes(params.blur_p, v2.GaussianBlur(5, (0.1, 0.1 + params.blur_sigma))),
            sometimes(
                params.noise_p,
                v2.Compose(
                    [
                        v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
                        v2.GaussianNoise(sigma=params.noise_std),
                        v2.ToDtype({tv_tensors.Image: torch.uint8, "others": None}, scale=True),
                    ]
                ),
            ),
        ]
    )


def loader(files: Files, batch_size: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """A worker per core, at most 16, kept alive between epochs."""
    workers = min(os.cpu_count() or 1, 16)
    return DataLoader(
        files,
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=True,
    )


def epoch(
    fabric: Fabric,
    model: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    batches: DataLoader[tuple[Tensor, Tensor]],
) -> None:
    """One pass over `batches`: forward, backward, update."""
    for photos, masks in batches:
        on_device = [tensor.to(fabric.device, non_blocking=True) for tensor in (photos, masks)]
        optimizer.zero_grad()
        fabric.backward(loss(model(on_device[0]), on_device[1]))
        optimizer.step()
