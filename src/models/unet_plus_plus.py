"""UNet++: Zhou et al. 2018, "UNet++: A Nested U-Net Architecture for Medical Image Segmentation" (arXiv 1807.10165),
figure 1: between encoder and decoder a triangle of nodes x(i, j), each fed by all nodes to its left and one below.

At width 32 and depth 4 the authors' Keras Nest_Net (github.com/MrGiovanni/UNetPlusPlus) has 9,041,601 parameters: grey
input, no BatchNorm, one output. Ours has three heads of 33 parameters more, as deep supervision needs.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.models.blocks import Color, Depth, Dropout, Logits, SegmentationModel, Width, double_conv


class UNetPlusPlus(SegmentationModel):
    """Channels `width` to `width` * 2**`depth`; the paper's are 32 to 512 at depth 4.

    The top row x(0, 1) to x(0, depth) gives one output each, the last first, all weighing the same in the loss. Once
    trained, the last is the answer, one of the paper's fast modes. Its accurate mode, the mean of all, was worse where
    we tried it: after short training the shallow ones see too little and pull it down.
    """

    def __init__(self, *, width: Width, depth: Depth, dropout: Dropout, batch_norm: bool, color: Color) -> None:
        super().__init__(color)
        self.output_stride = 2**depth
        self.deep_supervision = (1 / depth,) * depth
        block = partial(double_conv, batch_norm=batch_norm, dropout=dropout)
        widths = [width * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(map(block, [self.channels, *widths[:-1]], widths))  # x(i, 0)
        inner = [(i, j) for i in range(depth) for j in range(1, depth - i + 1)]
        self.nested = nn.ModuleDict({f"{i}_{j}": block((j + 1) * widths[i], widths[i]) for i, j in inner})
        self.upsample = nn.ModuleDict(
            {f"{i}_{j}": nn.ConvTranspose2d(2 * widths[i], widths[i], 2, stride=2) for i, j in inner}
        )
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in range(depth))
        self.initialise()

    def forward_normalised(self, image: Tensor) -> Logits:
        rows: list[list[Tensor]] = []
        for bottom, encoder in enumerate(self.encoder):
            rows.append([encoder(F.max_pool2d(rows[-1][0], 2) if rows else image)])
            for j in range(1, bottom + 1):  # the diagonal that this level makes possible, upwards
                i = bottom - j
                below = self.upsample[f"{i}_{j}"](rows[i + 1][j - 1])
                rows[i].append(self.nested[f"{i}_{j}"](torch.cat([*rows[i], below], dim=1)))
        outputs = tuple(head(x) for head, x in zip(self.heads, rows[0][1:], strict=True))[::-1]
        return outputs if self.training else outputs[0]
