"""The U-Net as published: Ronneberger, Fischer, Brox 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", arXiv 1505.04597, figure 1.

Greyscale input, unpadded 3 x 3 convolutions with ReLU and no normalisation, He initialisation, dropout at the end of
the contracting path, and the overlap-tile strategy of figure 2: the photo is mirrored at its border by as much as the
convolutions eat, so that the output covers all of it. One logit per pixel stands for the paper's two classes.
"""

import torch
from torch import Tensor, nn

from src.models.blocks import Color, Depth, Dropout, EncoderDecoder, SegmentationModel, Width, crop_centre, double_conv


class UNetPaper(SegmentationModel):
    """Channels `width` to `width` * 2**`depth`; the paper's are 64 to 1024 at depth 4."""

    def __init__(self, *, width: Width, depth: Depth, dropout: Dropout, batch_norm: bool, color: Color) -> None:
        super().__init__(color)
        self.depth = depth

        def block(inputs: int, outputs: int) -> nn.Module:
            layers = double_conv(inputs, outputs, batch_norm=batch_norm, dropout=0.0, padding=0)
            contracting_end = outputs > inputs and outputs >= width * 2 ** (depth - 1)
            return nn.Sequential(layers, nn.Dropout(dropout)) if contracting_end else layers

        self.net = EncoderDecoder(self.channels, width, depth, block)
        self.initialise()

    def forward_normalised(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        rows, columns = (mirrored_indices(size, self.input_size(size), image.device) for size in (height, width))
        return crop_centre(self.net(image[:, :, rows][..., columns]), height, width)

    def input_size(self, size: int) -> int:
        """The smallest input whose output covers `size` pixels and whose every max-pooling meets an even size.

        A bottom of b pixels after its convolutions gives 2**d * b - 4 * (2**d - 1) of output and needs
        2**d * b + 4 * (2**(d + 1) - 1) of input; the paper's 28 at depth 4 gives 388 and needs 572.
        """
        scale = 2**self.depth
        bottom = max(1, -(-(size + 4 * (scale - 1)) // scale))
        return scale * bottom + 4 * (2 * scale - 1)


def mirrored_indices(size: int, padded: int, device: torch.device) -> Tensor:
    """Where each of `padded` pixels around `size` comes from, by reflection at the border, as often as need be."""
    period = max(2 * size - 2, 1)
    position = (torch.arange(padded, device=device) - (padded - size) // 2) % period
    return torch.minimum(position, period - position) if size > 1 else torch.zeros_like(position)
