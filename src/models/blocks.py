"""What the architectures share: the contract of a model, and the blocks they are built from."""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from src.errors import UserError

Width = Annotated[int, Field(ge=1, le=1024)]
Depth = Annotated[int, Field(ge=1, le=7)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Color = Literal["rgb", "gray"]
Logits = Tensor | tuple[Tensor, ...]
Activation = Callable[[], nn.Module]
RELU = partial(nn.ReLU, inplace=True)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, what Pillow and OpenCV take as grey


class SegmentationModel(nn.Module):
    """A model takes photos, uint8 RGB (N, 3, H, W) of any size, and returns logits (N, 1, H, W).

    A subclass sets `output_stride`, and `net` or a `forward_normalised` of its own. While training, a deeply supervised
    model returns a tuple of such logits, the main one first; `deep_supervision` holds their weights in the loss.
    """

    output_stride = 1  # `forward_normalised` is given heights and widths that are multiples of this
    deep_supervision: tuple[float, ...] = (1.0,)
    net: nn.Module
    mean: Tensor
    std: Tensor
    luma: Tensor

    def __init__(
        self, color: Color, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD
    ) -> None:
        super().__init__()
        self.color = color
        self.channels = 3 if color == "rgb" else 1
        # Not in the state dict: they follow from the architecture, not from training.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)

    @property
    def min_size(self) -> int:
        """The smallest height and width to train at: the deepest maps are then 2 x 2, as BatchNorm wants more than one
        value of each channel, even of a single photo."""
        return 2 * self.output_stride

    def initialise(self, negative_slope: float = 0.0) -> None:
        """He et al. 2015 for convolutions that feed a (leaky) ReLU: normal, standard deviation sqrt(2 / fan-in)."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=negative_slope, nonlinearity="leaky_relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward_normalised(self, image: Tensor) -> Logits:
        """Logits (N, 1, H, W) for normalised images, float (N, channels, H, W); a tuple if deeply supervised."""
        return self.net(image)

    def forward(self, photos: Tensor) -> Logits:
        height, width = photos.shape[-2:]
        image = photos.float()
        if self.color == "gray":
            image = (image * self.luma).sum(dim=1, keepdim=True)
            image = (image - self.mean.mean()) / self.std.mean()
        else:
            image = (image - self.mean) / self.std
        padding = (0, -width % self.output_stride, 0, -height % self.output_stride)
        image = F.pad(image, padding, mode="replicate").contiguous(memory_format=torch.channels_last)
        logits = self.forward_normalised(image)
        if isinstance(logits, Tensor):
            return logits[..., :height, :width]
        return tuple(output[..., :height, :width] for output in logits)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """What the optimizer is given; a subclass may train some of its parameters at another learning rate."""
        return [{"params": list(self.parameters()), "lr": learning_rate}]

    def load_encoder(self, path: Path) -> None:
        """Fills the encoder from the state dict in the safetensors file `path`; UserError if it has none or another."""
        raise UserError(
            f"params.yaml: start: {path} is no model of this project, and only its models can be started from"
        )

    @staticmethod
    def without_pretraining(arguments: dict[str, Any]) -> dict[str, Any]:
        """`arguments` changed so that building the model downloads no weights, since others will replace them."""
        return arguments


class FoldEnsemble(nn.Module):
    """The models of a training's folds: takes photos as one model does, returns the logits of the mean probability."""

    def __init__(self, members: list[SegmentationModel]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, photos: Tensor) -> Tensor:
        if len(self.members) == 1:
            return self.members[0](photos)
        probability = torch.stack([member(photos).float().sigmoid() for member in self.members]).mean(dim=0)
        return probability.logit(eps=1e-6)


def conv_norm_act(
    inputs: int, outputs: int, *, batch_norm: bool, padding: int = 1, dilation: int = 1, act: Activation | None = RELU
) -> list[nn.Module]:
    """A 3 x 3 convolution, BatchNorm if asked for (it then replaces the bias), and an activation unless None."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, 1, padding, dilation, bias=not batch_norm)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outputs))
    if act:
        layers.append(act())
    return layers


def double_conv(
    inputs: int, outputs: int, *, batch_norm: bool, dropout: float, padding: int = 1, act: Activation = RELU
) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with norm and activation, with dropout of whole channels between them."""
    return nn.Sequential(
        *conv_norm_act(inputs, outputs, batch_norm=batch_norm, padding=padding, act=act),
        nn.Dropout2d(dropout),
        *conv_norm_act(outputs, outputs, batch_norm=batch_norm, padding=padding, act=act),
    )


class EncoderDecoder(nn.Module):
    """The U of a U-Net: `block` at each of `depth` + 1 levels, channels doubling from `width`, and skip connections.

    Downwards a 2 x 2 max-pooling, upwards a 2 x 2 transposed convolution that halves the channels, as in Ronneberger et
    al. 2015. A skip connection is cropped to its decoder's size, which matters only for unpadded blocks.
    """

    def __init__(self, channels: int, width: int, depth: int, block: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(map(block, [channels, *widths[:-1]], widths))
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.decoder = nn.ModuleList(block(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for upsample, block in zip(self.upsample, self.decoder, strict=True):
            x = upsample(x)
            x = block(torch.cat([crop_centre(skips.pop(), x.shape[-2], x.shape[-1]), x], dim=1))
        return self.head(x)


def crop_centre(x: Tensor, height: int, width: int) -> Tensor:
    """The central (height, width) of `x` (N, C, H, W)."""
    top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
    return x[..., top : top + height, left : left + width]


def resize_bilinear(x: Tensor, height: int, width: int) -> Tensor:
    """`x` (N, C, h, w) bilinearly at (N, C, `height`, `width`), dtype and memory format kept: F.interpolate's numbers.

    On a GPU in deterministic mode, torch computes F.interpolate by a gather, and its backward by an accumulating
    index_put; BilinearResize is used there instead. On a CPU, F.interpolate is deterministic, and faster for few
    channels.
    """
    if x.shape[-2:] == (height, width):
        return x
    if x.is_cuda and torch.are_deterministic_algorithms_enabled():
        return BilinearResize.apply(x, height, width)
    return F.interpolate(x, size=(height, width), mode="bilinear")


class BilinearResize(torch.autograd.Function):
    """F.interpolate's own kernel forwards, which is deterministic, and backwards its transpose as two matrix products.

    Nothing is saved for backward but a size, so what inference mode left behind cannot get in the way.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, height: int, width: int) -> Tensor:
        ctx.size = x.shape[-2:]
        return torch.ops.aten.upsample_bilinear2d(x, [height, width], False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The input's gradient (N, C, h, w), channels_last, from the output's (N, C, H, W): same dtype, 32-bit sums."""
        lines = gradients[0].permute(0, 2, 3, 1)  # as channels_last has them: half of a concatenation is not copied
        (count, height, width, channels), (small_height, small_width) = lines.shape, ctx.size
        # torch.compile looks through a cache, and would warn of it.
        weights = bilinear_weights if torch.compiler.is_compiling() else cached_bilinear_weights
        across = weights(small_width, width, lines.device, lines.dtype)
        down = weights(small_height, height, lines.device, lines.dtype)
        if channels == 1:  # one large product rather than many with a single column
            lines = lines.reshape(count * height, width) @ across.T
        else:
            lines = torch.bmm(across.expand(count * height, -1, -1), lines.flatten(0, 1))
        lines = torch.bmm(down.expand(count, -1, -1), lines.view(count, height, small_width * channels))
        return lines.view(count, small_height, small_width, channels).permute(0, 3, 1, 2), None, None


def bilinear_weights(small: int, large: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(`small`, `large`): how much each of `small` pixels in a row counts in each of the `large` it is resized to.

    Built on the device, so that no step waits for a copy. `dtype` is that of the gradient, perhaps bf16 or fp16, which
    hold the weights of the scales 2 to 32 exactly; those of other scales they round no more than the gradient itself.
    """
    pixels = torch.eye(small, device=device, dtype=torch.float64)
    return F.interpolate(pixels[None], size=large, mode="linear")[0].to(dtype)


cached_bilinear_weights = lru_cache(maxsize=256)(bilinear_weights)
