"""The U-Net that today's codebases mean: Ronneberger et al. 2015 (arXiv 1505.04597) with padded convolutions, so that
the output has the input's size, RGB input, and BatchNorm and dropout inside the double convolutions."""

from functools import partial

from src.models.blocks import Color, Depth, Dropout, EncoderDecoder, SegmentationModel, Width, double_conv


class UNet(SegmentationModel):
    """Channels `width` to `width` * 2**`depth`."""

    def __init__(self, *, width: Width, depth: Depth, dropout: Dropout, batch_norm: bool, color: Color) -> None:
        super().__init__(color)
        self.output_stride = 2**depth
        block = partial(double_conv, batch_norm=batch_norm, dropout=dropout)
        self.net = EncoderDecoder(self.channels, width, depth, block)
        self.initialise()
