"""A U-Net whose skip connections pass only what the level below asks for: Oktay et al. 2018, "Attention U-Net: Learning
Where to Look for the Pancreas" (arXiv 1804.03999), figures 1 and 2, in two dimensions and without deep supervision.

At width 64 and depth 4 it has 35.04 M parameters. The 2-D AttU_Net of github.com/LeeJunHyun/Image_Segmentation has
34,878,573. Outside the gates the two agree, but for biases that BatchNorm cancels. AttU_Net gates all four skips, by a
signal already upsampled and halved, with BatchNorm inside: 351,532 parameters. The paper leaves the first skip
alone and takes the coarser level's signal as it is, twice as wide: 516,995.
"""

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from src.models.blocks import Color, Dropout, SegmentationModel, Width, conv_norm_act, double_conv, resize_bilinear

GatedDepth = Annotated[int, Field(ge=2, le=7)]  # at depth 1 there is no skip to gate


class AttentionUNet(SegmentationModel):
    """Channels `width` to `width` * 2**`depth`."""

    def __init__(self, *, width: Width, depth: GatedDepth, dropout: Dropout, batch_norm: bool, color: Color) -> None:
        super().__init__(color)
        self.output_stride = 2**depth
        widths = [width * 2**level for level in range(depth + 1)]
        block = partial(double_conv, batch_norm=batch_norm, dropout=dropout)
        self.encoder = nn.ModuleList(map(block, [self.channels, *widths[:-1]], widths))
        self.upsample = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), *conv_norm_act(2 * w, w, batch_norm=batch_norm))
            for w in widths[:-1]
        )
        # "low-level feature-maps, i.e. the first skip connections" say too little to be gated (section 3 of the paper).
        self.gate = nn.ModuleList([nn.Identity(), *(AttentionGate(w, 2 * w) for w in widths[1:-1])])
        self.decoder = nn.ModuleList(block(2 * w, w) for w in widths[:-1])
        self.head = nn.Conv2d(width, 1, 1)
        self.initialise()

    def forward_normalised(self, image: Tensor) -> Tensor:
        x, skips = image, []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for level in reversed(range(len(self.decoder))):
            skip = self.gate[level](skips[level], x) if level else skips[level]
            x = self.decoder[level](torch.cat([skip, self.upsample[level](x)], dim=1))
        return self.head(x)


class AttentionGate(nn.Module):
    """The additive gate of equations 1 and 2. From a skip (N, C, 2H, 2W) and the coarser level's signal
    (N, `signal_channels`, H, W) it computes a factor from 0 to 1 per pixel at (H, W), resizes that bilinearly to
    (2H, 2W), and multiplies the skip by it."""

    def __init__(self, channels: int, signal_channels: int) -> None:
        super().__init__()
        between = max(1, channels // 2)
        self.from_skip = nn.Conv2d(channels, between, 1, bias=False)
        self.from_signal = nn.Conv2d(signal_channels, between, 1)
        self.score = nn.Conv2d(between, 1, 1)

    def forward(self, skip: Tensor, signal: Tensor) -> Tensor:
        match = F.relu(self.from_skip(F.avg_pool2d(skip, 2)) + self.from_signal(signal), inplace=True)
        return skip * resize_bilinear(self.score(match).sigmoid(), *skip.shape[-2:])
