"""Augmentation of whole batches on the device, sized to people: they stand upright, at any distance.

Flip, rotation, scale and shift are one resampling, shared by a photo and its mask. The other changes are kornia's, but
for the noise, which kornia draws on the CPU. Each is computed only for the photos that get it: kornia on its own
computes every change for all photos and then keeps what was drawn, which took twice as long.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import kornia.augmentation as K
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from src.params import Section, Share

Positive = Annotated[float, Field(gt=0, le=100)]


class AugmentParams(Section):
    """The block `augment` of params.yaml; keys that end in `_p` are the share of photos that get that change."""

    enabled: bool
    flip_p: Share
    rotate_degrees: Annotated[float, Field(ge=0, le=180)]
    scale_min: Positive
    scale_max: Positive
    shift: Share
    color: Share
    color_p: Share
    gamma_min: Positive
    gamma_max: Positive
    gamma_p: Share
    gray_p: Share
    blur_sigma: Positive
    blur_p: Share
    noise_std: Share
    noise_p: Share

    @model_validator(mode="after")
    def _in_order(self) -> "AugmentParams":
        for name in ("scale", "gamma"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low > high:
                raise ValueError(f"{name}_min is {low}, above {name}_max, which is {high}")
        return self


class Augment(nn.Module):
    """Photos and masks, uint8 (N, 3, H, W) and (N, 1, H, W), to changed ones of the same kind and shape.

    Photos are square. All random decisions are drawn on the CPU, so that it never waits for the GPU; only the noise is
    drawn on the device. Both come from torch's default generators, which torch.manual_seed seeds together.
    """

    def __init__(self, params: AugmentParams) -> None:
        super().__init__()
        self.params = params
        self.changes: list[tuple[float, Callable[[Tensor], Tensor]]] = [
            (params.color_p, K.ColorJitter(params.color, params.color, params.color, 0.0, p=1.0)),
            (params.gamma_p, K.RandomGamma((params.gamma_min, params.gamma_max), p=1.0)),
            (params.gray_p, K.RandomGrayscale(p=1.0)),
            (params.blur_p, K.RandomGaussianBlur((5, 5), (0.1, 0.1 + params.blur_sigma), p=1.0)),
            (params.noise_p, partial(noisy, std=params.noise_std)),
        ]

    @torch.no_grad()
    def forward(self, photos: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        if not self.params.enabled:
            return photos, masks
        images = torch.cat([photos, masks], dim=1).float()
        matrices = self.affine_theta(len(images)).to(images.device, non_blocking=True)
        grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        changed, target = images.split([3, 1], dim=1)
        changed = changed / 255
        for share, change in self.changes:
            chosen = torch.rand(len(photos)) < share
            if count := int(chosen.sum()):
                # Move the chosen photos to the front, change them, and move all back. On a deterministic GPU indexed
                # reads are fast; indexed writes, such as changed[chosen] = ..., are slow.
                order = torch.cat([chosen.nonzero(), (~chosen).nonzero()]).flatten()
                back = order.argsort().to(photos.device, non_blocking=True)
                changed = changed[order.to(photos.device, non_blocking=True)]
                changed = torch.cat([change(changed[:count]), changed[count:]])[back]
        # Back to bytes, as the model will meet photos when it predicts.
        return (changed.clamp(0, 1) * 255).round().to(torch.uint8), target.round().to(torch.uint8)

    def affine_theta(self, count: int) -> Tensor:
        """For each photo the matrix (`count`, 2, 3) from a place in the result to one in the photo, both in [-1, 1]."""
        params = self.params
        angle = torch.empty(count).uniform_(-params.rotate_degrees, params.rotate_degrees).deg2rad()
        zoom = 1 / torch.empty(count).uniform_(params.scale_min, params.scale_max)
        side = torch.where(torch.rand(count) < params.flip_p, -1.0, 1.0)
        cos, sin = zoom * angle.cos(), zoom * angle.sin()
        linear = torch.stack([side * cos, side * sin, -sin, cos], dim=1).view(count, 2, 2)
        shift = 2 * torch.empty(count, 2, 1).uniform_(-params.shift, params.shift)
        return torch.cat([linear, -linear @ shift], dim=2)


def noisy(photos: Tensor, std: float) -> Tensor:
    """Float `photos` (N, 3, S, S) with normal noise added to each value, drawn where the photos are."""
    return photos + std * torch.randn(photos.shape, dtype=photos.dtype, device=photos.device)
