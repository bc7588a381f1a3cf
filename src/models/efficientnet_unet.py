"""A U-Net decoder on an encoder that has learned to see from ImageNet: EfficientNet (Tan, Le 2019, arXiv 1905.11946) or
any other, convolutional or transformer, that segmentation-models-pytorch (smp) has or takes from timm.

With `encoder: efficientnet-b4` and `width: 16`, smp.Unet has 20,225,689 parameters. We remove the 806,400 of the last
convolution before the classifier, which is never called, and which no gradient would reach.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import segmentation_models_pytorch as smp
import timm
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from src.errors import UserError
from src.models.blocks import IMAGENET_MEAN, IMAGENET_STD, Color, Dropout, SegmentationModel

DecoderWidth = Annotated[int, Field(ge=1, le=64)]
Factor = Annotated[float, Field(ge=0, le=10)]

# smp's own encoders, which take photos normalised as for ImageNet; all other names are timm's (also inception_v4).
SMP_ENCODERS = tuple(
    name for name in smp.encoders.encoders if not timm.is_model(name) and not name.startswith(("timm-", "inception"))
)
ENCODER = "params.yaml: efficientnet_unet.encoder"
WEIGHTS, START = f"{ENCODER}_weights", "params.yaml: start"


class EfficientNetUNet(SegmentationModel):
    """The decoder has 16 * `width` channels, then half as many at each of five levels, down to `width`.

    `encoder_weights` is imagenet (downloaded) or null (random). The encoder learns at `encoder_lr_factor` times the
    learning rate: at 0 not at all. `dropout` is of whole channels before the last convolution; `batch_norm` is the
    decoder's.
    """

    output_stride = 32

    def __init__(
        self,
        *,
        encoder: str,
        encoder_weights: str | None,
        encoder_lr_factor: Factor,
        width: DecoderWidth,
        dropout: Dropout,
        batch_norm: bool,
        color: Color,
    ) -> None:
        super().__init__(color, *mean_and_std(encoder))
        if encoder_weights not in ("imagenet", None):
            raise UserError(f"{WEIGHTS}: it is imagenet or null; to start from a file, write start: {encoder_weights}")
        self.encoder_name, self.encoder_lr_factor = encoder, encoder_lr_factor
        net = smp_unet(encoder, encoder_weights == "imagenet", width, batch_norm, self.channels)
        if encoder.startswith("efficientnet-b"):
            del net.encoder._conv_head, net.encoder._bn1
        self.encoder, self.decoder, self.head = net.encoder, net.decoder, net.segmentation_head
        self.dropout = nn.Dropout2d(dropout)

    def forward_normalised(self, image: Tensor) -> Tensor:
        # In 32 bits on a CPU: there, the backward of a depthwise convolution takes five times as long in bf16.
        with torch.autocast("cpu", enabled=False):
            try:
                features = self.encoder(image)
            except AssertionError as error:  # timm's transformers of a fixed size, or of windows that must fit
                raise UserError(f"params.yaml: image_size does not suit efficientnet_unet.encoder: {error}") from None
        return self.head(self.dropout(self.decoder(features)))

    def load_encoder(self, path: Path) -> None:
        """Fills the encoder from a state dict of the timm model of that name, of which it needs no classifier."""
        encoder = self.encoder_name
        if encoder in SMP_ENCODERS:
            raise UserError(
                f"{START}: {path} is no model of this project, and {encoder} is not timm's; for an encoder's file, "
                "set encoder to the timm model that it was made from, such as tf_efficientnet_b0 for efficientnet-b0"
            )
        try:
            # timm writes `stages_0` for `stages.0` where it takes a model apart for its features.
            found = {name.replace(".", "_"): weight for name, weight in load_file(path).items()}
        except (OSError, SafetensorError):
            raise UserError(f"{START}: {path} is not a whole safetensors file; fetch it again") from None
        weights = {}
        for name, wanted in self.encoder.model.state_dict().items():
            weight = found.get(name.replace(".", "_"), torch.empty(0))
            if weight.ndim == 4 and weight.shape[1] == 3 and wanted.shape[1] == 1:
                weight = weight.sum(dim=1, keepdim=True)
            if weight.shape != wanted.shape:
                has = f"{name} is {list(weight.shape)}" if weight.numel() else f"{name} is missing"
                raise UserError(
                    f"{START}: {path} does not fit {encoder}: {has}, where {list(wanted.shape)} is needed; set "
                    "encoder to the timm model that the file was made from"
                )
            weights[name] = weight
        self.encoder.model.load_state_dict(weights)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        return [
            {"params": [*self.decoder.parameters(), *self.head.parameters()], "lr": learning_rate},
            {"params": list(self.encoder.parameters()), "lr": learning_rate * self.encoder_lr_factor},
        ]

    @staticmethod
    def without_pretraining(arguments: dict[str, Any]) -> dict[str, Any]:
        return arguments | {"encoder_weights": None}


def mean_and_std(encoder: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What `encoder` expects of its photos; raises UserError if there is no such encoder."""
    if encoder in SMP_ENCODERS:
        return IMAGENET_MEAN, IMAGENET_STD
    if not timm.is_model(encoder):
        close = get_close_matches(encoder, [*SMP_ENCODERS, *timm.list_models()]) or ["efficientnet-b4"]
        raise UserError(f"{ENCODER}: neither smp nor timm has {encoder!r}; did you mean {' or '.join(close)}?")
    settings = timm.get_pretrained_cfg(encoder)
    return (settings.mean, settings.std) if settings else (IMAGENET_MEAN, IMAGENET_STD)


def smp_unet(encoder: str, pretrained: bool, width: int, batch_norm: bool, channels: int) -> Any:
    """smp's U-Net; raises UserError for an encoder that does not suit it, or if the weights cannot be downloaded."""
    own = encoder in SMP_ENCODERS
    arguments = {
        "encoder_name": encoder if own else f"tu-{encoder}",
        "decoder_channels": [width * 2**level for level in reversed(range(5))],
        "decoder_use_norm": "batchnorm" if batch_norm else False,
        "in_channels": channels,  # for one channel, smp and timm add up what the first kernels have for three
    }
    try:
        net = smp.Unet(encoder_weights=None, **arguments)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"{ENCODER}: {encoder} does not give features at 1/4 to 1/32 of the photo's size, which a U-Net needs; "
            "take one that does, such as efficientnet-b4 or mit_b1"
        ) from error
    if not pretrained:
        return net
    try:
        return smp.Unet(encoder_weights="imagenet" if own else True, **arguments)
    except Exception as error:  # the arguments are fine: it is the download, for which each library has its own errors
        raise UserError(
            f"{WEIGHTS}: the ImageNet weights of {encoder} could not be downloaded ({type(error).__name__}); go online "
            "and run again, or set it to null to train from scratch; start: takes a file with the encoder"
        ) from error
