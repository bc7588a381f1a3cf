"""A model as one ONNX graph: uint8 RGB photo of any size in, probability map of that size out.

What the pipeline does to a photo on the way from its file to the mask is inside it: `resize_photo` of src/images.py,
`probability` of src/inference.py and `upsample` of src/postprocess.py, in operators that ONNX has.
"""

import warnings
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from fractions import Fraction
from io import StringIO
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.files import replacing
from src.predictor import Predictor

OPSET = 18
PHOTO, PROBABILITY = "photo", "probability"  # names of the graph's input and output
EXAMPLE = (97, 131)  # height and width of the photo that the graph is traced with; any other is as good


class ExportModel(nn.Module):
    """From a photo, uint8 RGB (H, W, 3), to the probability that a pixel is person, float32 (H, W).

    It is the mean of that of `predictors`, which differ in nothing but their models; each counts by its share.
    """

    larger: Tensor
    back: Tensor

    def __init__(self, predictors: Sequence[Predictor], shares: Iterable[Fraction] = (Fraction(1),)) -> None:
        super().__init__()
        self.models = nn.ModuleList(predictor.model for predictor in predictors)
        self.shares = [float(share) for share in shares]
        self.size, self.mirror = predictors[0].image_size, predictors[0].inference.mirror
        seen = round(self.size * predictors[0].inference.scale)
        self.register_buffer("larger", resize_weights(self.size, seen))
        self.register_buffer("back", resize_weights(seen, self.size))

    def forward(self, photo: Tensor) -> Tensor:
        height, width = photo.shape[:2]
        rows, columns = weights(photo, self.size)
        down = (rows @ photo.float().flatten(1)).view(self.size, width, 3).permute(2, 0, 1)
        image = (down @ columns.T).round().clamp(0, 255)  # (3, S, S): whole numbers, as the pipeline's photos are
        if len(self.larger) != self.size:
            image = (self.larger @ image @ self.larger.T).round()
        batch = torch.stack([image, image.flip(-1)]) if self.mirror else image[None]
        maps = [model(batch).sigmoid() for model in self.models]
        if self.mirror:
            maps = [(both[:1] + both[1:].flip(-1)) / 2 for both in maps]
        mean = torch.stack([share * part for share, part in zip(self.shares, maps, strict=True)]).sum(dim=0)
        if len(self.larger) != self.size:
            mean = self.back @ mean @ self.back.T
        return F.interpolate(mean, size=(height, width), mode="bilinear")[0, 0]


def weights(photo: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """How much each row, and each column, of `photo` (H, W, 3) counts in each of `size`: (`size`, H), (`size`, W).

    As in src/images.py, pixels are averaged by area along a side of at least `size`, else taken bilinearly.
    """
    lengths = [torch.ones_like(photo[:, 0, 0]).float().sum(), torch.ones_like(photo[0, :, 0]).float().sum()]
    pixels = [torch.arange(side, dtype=torch.float32) for side in photo.shape[:2]]
    both = zip(lengths, pixels, strict=True)
    rows, columns = (torch.where(n >= size, by_area(n, at, size), linear(n, at, size)) for n, at in both)
    return rows, columns


def by_area(length: Tensor, pixels: Tensor, size: int) -> Tensor:
    """(`size`, length): the share of each of `size` equal stretches that each of the `pixels` 0, 1, ... covers."""
    edges = torch.arange(size + 1, dtype=torch.float32)[:, None] * (length / size)
    return (torch.minimum(edges[1:], pixels + 1) - torch.maximum(edges[:-1], pixels)).clamp(min=0) * (size / length)


def linear(length: Tensor, pixels: Tensor, size: int) -> Tensor:
    """(`size`, length): the two pixels next to the middle of each of `size` stretches, by how near they are."""
    middle = (torch.arange(size, dtype=torch.float32)[:, None] + 0.5) * (length / size) - 0.5
    return (1 - (middle.clamp(min=0).minimum(length - 1) - pixels).abs()).clamp(min=0)


def resize_weights(old: int, new: int) -> Tensor:
    """(`new`, `old`): what `resized` of src/inference.py does to a row of `old` pixels."""
    row = torch.eye(old)[:, None, None]
    return F.interpolate(row, size=(1, new), mode="bilinear", antialias=True)[:, 0, 0].T.contiguous()


def write_onnx(module: ExportModel, path: Path, facts: dict[str, str]) -> None:
    """Replaces the file by the graph of `module`, weights inside, with `facts` as its metadata."""
    sides = {0: torch.export.Dim("height"), 1: torch.export.Dim("width")}
    example = torch.zeros(*EXAMPLE, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), redirect_stdout(StringIO()), torch.inference_mode():
        warnings.simplefilter("ignore")  # of torch's own making, about its insides
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[PHOTO],
            output_names=[PROBABILITY],
            dynamic_shapes=(sides,),
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for info in (*proto.graph.value_info, *proto.graph.node, proto.graph):
        info.ClearField("metadata_props")  # where in our code each operator came from: half of a small file
    onnx.helper.set_model_props(proto, facts)
    onnx.checker.check_model(proto)
    with replacing(path) as partial:
        partial.write_bytes(proto.SerializeToString(deterministic=True))
