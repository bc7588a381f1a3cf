"""The U-Net with LeakyReLU (Maas, Hannun, Ng 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models"),
whose slope below zero is strong, 0.2 where 0.01 is usual, so that no channel stops learning when training is short."""

from functools import partial
from typing import Annotated

from pydantic import Field
from torch import nn

from src.models.blocks import Color, Depth, Dropout, EncoderDecoder, SegmentationModel, Width, double_conv

Slope = Annotated[float, Field(ge=0, lt=1)]


class LeakyUNet(SegmentationModel):
    """Channels `width` to `width` * 2**`depth`: the U-Net of unet.py, activation apart, so as many parameters."""

    def __init__(
        self, *, width: Width, depth: Depth, dropout: Dropout, batch_norm: bool, color: Color, negative_slope: Slope
    ) -> None:
        super().__init__(color)
        self.output_stride = 2**depth
        leaky = partial(nn.LeakyReLU, negative_slope, inplace=True)
        block = partial(double_conv, batch_norm=batch_norm, dropout=dropout, act=leaky)
        self.net = EncoderDecoder(self.channels, width, depth, block)
        # A slope lets more through than ReLU does, so smaller weights keep the variance: He et al. 2015, eq. 15.
        self.initialise(negative_slope)
