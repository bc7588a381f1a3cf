"""A U-Net of residual blocks: the predecessor's best, after Zhang, Liu, Wang 2018, "Road Extraction by Deep Residual
U-Net" (arXiv 1711.10684), with the post-activation block of He et al. 2015 (arXiv 1512.03385, figure 2) and dropout."""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from src.models.blocks import Color, Depth, Dropout, EncoderDecoder, SegmentationModel, Width, conv_norm_act


class ResidualUNet(SegmentationModel):
    """Channels `width` to `width` * 2**`depth`."""

    def __init__(self, *, width: Width, depth: Depth, dropout: Dropout, batch_norm: bool, color: Color) -> None:
        super().__init__(color)
        self.output_stride = 2**depth
        block = partial(ResidualDoubleConv, batch_norm=batch_norm, dropout=dropout)
        self.net = EncoderDecoder(self.channels, width, depth, block)
        self.initialise()


class ResidualDoubleConv(nn.Module):
    """relu(double convolution + shortcut); the shortcut is a 1 x 1 convolution, with norm where the rest has it."""

    def __init__(self, inputs: int, outputs: int, *, batch_norm: bool, dropout: float) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *conv_norm_act(inputs, outputs, batch_norm=batch_norm),
            nn.Dropout2d(dropout),
            *conv_norm_act(outputs, outputs, batch_norm=batch_norm, act=None),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=not batch_norm))
        if batch_norm:
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x), inplace=True)
