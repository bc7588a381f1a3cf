"""Augmentation of whole batches on the device, by kornia, sized to people: they stand upright, at any distance."""

from typing import Annotated

import kornia.augmentation as K
import torch
from kornia.constants import DataKey, Resample
from pydantic import Field
from torch import Tensor, nn

from src.stage import Section

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


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


class Augment(nn.Module):
    """Photos and masks, uint8 (N, 3, H, W) and (N, 1, H, W), to changed ones of the same kind and shape.

    The geometry is the same for both, mirrored beyond the border; draws come from torch's default generator.
    """

    def __init__(self, params: AugmentParams) -> None:
        super().__init__()
        self.enabled = params.enabled
        degrees, scale = params.rotate_degrees, (params.scale_min, params.scale_max)
        self.changes = K.AugmentationSequential(
            K.RandomHorizontalFlip(p=params.flip_p),
            K.RandomAffine(degrees, (params.shift, params.shift), scale, padding_mode="reflection", p=1.0),
            K.ColorJitter(params.color, params.color, params.color, 0.0, p=params.color_p),
            K.RandomGamma((params.gamma_min, params.gamma_max), p=params.gamma_p),
            K.RandomGrayscale(p=params.gray_p),
            K.RandomGaussianBlur((5, 5), (0.1, 0.1 + params.blur_sigma), p=params.blur_p),
            K.RandomGaussianNoise(0.0, params.noise_std, p=params.noise_p),
            data_keys=[DataKey.INPUT, DataKey.MASK],
            extra_args={DataKey.MASK: {"resample": Resample.BILINEAR, "align_corners": False}},
        )

    @torch.no_grad()
    def forward(self, photos: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        if not self.enabled:
            return photos, masks
        changed, target = self.changes(photos.float() / 255, masks.float())
        # Back to bytes, as the model will meet photos when it predicts.
        return (changed.clamp(0, 1) * 255).round().to(torch.uint8), target.round().to(torch.uint8)
