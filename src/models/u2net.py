"""U2-Net: Qin et al. 2020, "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection" (arXiv
2005.09007), figure 5 and table 1: a U whose every stage is a small U with a shortcut around it.

The authors' code (github.com/xuebinqin/U-2-Net) has 44,009,869 parameters in U2NET and 1,131,181 in U2NETP, which are
`small: false` and `small: true` at width 64. Ours lack only the biases that BatchNorm cancels.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.models.blocks import Color, Dropout, Logits, SegmentationModel, Width, conv_norm_act, resize_bilinear

HEIGHTS = (7, 6, 5, 4, 4, 4)  # of the stages' small Us: the deeper a stage, the less there is left to halve
DILATED = (False, False, False, False, True, True)


class U2Net(SegmentationModel):
    """A stage returns `width` to 8 * `width` channels, and has a quarter of `width` to 4 * `width` inside it; if
    `small`, every stage returns `width` and has a quarter of that inside.

    Outputs are the fused one and the six sides it is made from, finest first, all weighing the same in the loss, as in
    equation 1 of the paper. Once trained, the fused one is the answer. The paper has no dropout; ours is of whole
    channels at the bottom of each small U.
    """

    output_stride = 32
    deep_supervision = (1 / 7,) * 7

    def __init__(self, *, width: Width, small: bool, dropout: Dropout, batch_norm: bool, color: Color) -> None:
        super().__init__(color)
        quarter = max(1, width // 4)
        outer = [width] * 6 if small else [width * factor for factor in (1, 2, 4, 8, 8, 8)]
        inner = [quarter] * 6 if small else [quarter * factor for factor in (2, 2, 4, 8, 16, 16)]
        up_outer = outer[:1] + outer[:4]  # a decoder stage has the channels of the level above, which it goes on to
        up_inner = [quarter, *inner[1:5]] if small else [quarter * factor for factor in (1, 2, 4, 8, 16)]
        up_inputs = [a + b for a, b in zip(outer[:5], [*up_outer[1:], outer[5]], strict=True)]
        stage = partial(SmallU, dropout=dropout, batch_norm=batch_norm)
        self.encoder = nn.ModuleList(map(stage, [self.channels, *outer[:5]], inner, outer, HEIGHTS, DILATED))
        self.decoder = nn.ModuleList(map(stage, up_inputs, up_inner, up_outer, HEIGHTS[:5], DILATED[:5]))
        self.sides = nn.ModuleList(nn.Conv2d(channels, 1, 3, padding=1) for channels in [*up_outer, outer[5]])
        self.fuse = nn.Conv2d(6, 1, 1)
        self.initialise()
        nn.init.constant_(self.fuse.weight, 1 / 6)  # the mean of the six sides, each of which has a loss of its own

    def forward_normalised(self, image: Tensor) -> Logits:
        x, maps = image, []
        for level, stage in enumerate(self.encoder):
            x = stage(F.max_pool2d(x, 2) if level else x)
            maps.append(x)
        for level in reversed(range(5)):
            skip = maps[level]
            x = self.decoder[level](torch.cat([resize_bilinear(x, *skip.shape[-2:]), skip], dim=1))
            maps[level] = x
        sides = [resize_bilinear(side(x), *image.shape[-2:]) for side, x in zip(self.sides, maps, strict=True)]
        fused = self.fuse(torch.cat(sides, dim=1))
        return (fused, *sides) if self.training else fused


class SmallU(nn.Module):
    """RSU-`height` of figure 2: x + U(x) of x = conv(input). If `dilated`, RSU-4F: the maps keep their size and the
    kernels grow instead."""

    def __init__(
        self, inputs: int, middle: int, outputs: int, height: int, dilated: bool, *, dropout: float, batch_norm: bool
    ) -> None:
        super().__init__()
        self.dilated = dilated

        def conv(inputs: int, outputs: int, step: int) -> nn.Module:  # over every `step`-th pixel
            return nn.Sequential(*conv_norm_act(inputs, outputs, batch_norm=batch_norm, padding=step, dilation=step))

        levels = range(height - 1)
        reach = [2**level if dilated else 1 for level in levels]
        self.entry = conv(inputs, outputs, 1)
        self.encoder = nn.ModuleList(conv(middle if level else outputs, middle, reach[level]) for level in levels)
        bottom = conv(middle, middle, 2 ** (height - 1) if dilated else 2)
        self.bottom = nn.Sequential(bottom, nn.Dropout2d(dropout))
        self.decoder = nn.ModuleList(conv(2 * middle, middle if level else outputs, reach[level]) for level in levels)

    def forward(self, x: Tensor) -> Tensor:
        x = shortcut = self.entry(x)
        skips: list[Tensor] = []
        for level, conv in enumerate(self.encoder):
            x = conv(F.max_pool2d(x, 2) if level and not self.dilated else x)
            skips.append(x)
        x = self.bottom(x)
        for conv, skip in zip(reversed(self.decoder), reversed(skips), strict=True):
            x = conv(torch.cat([resize_bilinear(x, *skip.shape[-2:]), skip], dim=1))
        return x + shortcut
