"""The training loop that most projects write: files read by a DataLoader's workers, changed there photo by photo."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.io import read_image
from torchvision.transforms import v2

from benchmarks.network import Setting, make_trainer, wait
from stages.train.augment import AugmentParams


class Files(Dataset[tuple[Tensor, Tensor]]):
    """`count` photos and masks with random changes, from files at the working size that come again and again."""

    def __init__(self, photos: Sequence[Path], masks: Sequence[Path], change: nn.Module, count: int) -> None:
        self.photos, self.masks, self.change, self.count = photos, masks, change, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        photo, mask = (read_image(str(paths[index % len(paths)])) for paths in (self.photos, self.masks))
        return self.change(tv_tensors.Image(photo), tv_tensors.Mask((mask[:1] > 0).to(torch.uint8)))


def gamma(low: float, high: float, photo: Tensor) -> Tensor:
    """`photo` to a random power from `low` to `high`, which torchvision has no transform for."""
    return v2.functional.adjust_gamma(photo, float(torch.empty(()).uniform_(low, high)))


def changes(params: AugmentParams) -> nn.Module:
    """torchvision's transforms, as strong and as frequent as ours."""
    affine = v2.RandomAffine(
        params.rotate_degrees,
        translate=(params.shift, params.shift),
        scale=(params.scale_min, params.scale_max),
        interpolation=v2.InterpolationMode.BILINEAR,
    )
    sometimes = (
        (v2.ColorJitter(params.color, params.color, params.color), params.color_p),
        (v2.Lambda(partial(gamma, params.gamma_min, params.gamma_max), tv_tensors.Image), params.gamma_p),
        (v2.Grayscale(3), params.gray_p),
        (v2.GaussianBlur(5, (0.1, 0.1 + params.blur_sigma)), params.blur_p),
        (v2.GaussianNoise(sigma=params.noise_std), params.noise_p),
    )
    rest = [v2.RandomApply([change], p=share) for change, share in sometimes]
    return v2.Compose([v2.RandomHorizontalFlip(params.flip_p), affine, *rest])


def conventional_epoch(run: Setting, photos: list[Path], masks: list[Path], steps: int) -> Callable[[], None]:
    """What trains a new model for `steps` batches of the files; a worker per core, at most 16, lives on after it."""
    trainer, batch_size = make_trainer(run, 1, graphs=False), run.params["train"]["batch_size"]
    batches = DataLoader(
        Files(photos, masks, changes(AugmentParams(**run.params["augment"])), steps * batch_size),
        batch_size,
        shuffle=True,
        num_workers=min(os.cpu_count() or 1, 16),
        pin_memory=torch.cuda.is_available(),
        persistent_workers=True,
    )

    def epoch() -> None:
        for batch in batches:
            inputs, target = (tensor.to(run.fabric.device, non_blocking=True) for tensor in batch)
            trainer.optimizer.zero_grad()
            trainer.fabric.backward(trainer.loss(trainer.model(inputs), target))
            trainer.optimizer.step()
        wait(run.fabric.device)

    return epoch
