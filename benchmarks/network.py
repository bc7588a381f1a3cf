"""What the benchmarks of training and prediction share: the options, the model they measure, and the device's peak."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from lightning_fabric import Fabric
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from benchmarks import machine
from src import models
from src.compute import HALF, ComputeParams
from src.models.blocks import SegmentationModel
from stages.train.launch import compile_in_place, device_name, launch, precision_name

NARROW, FULL = "cpu", "gpu"  # blocks of params.yaml


class Setting(NamedTuple):
    """What is measured, and where."""

    params: dict[str, Any]
    fabric: Fabric
    model: SegmentationModel
    batch_size: int
    steps: int
    turns: int
    title: str


def command_line(purpose: str) -> argparse.Namespace:
    """The options that both benchmarks have."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--variant", default="residual_unet")
    parser.add_argument("--budget", help=f"whose sizes are taken, {NARROW} (narrow) or {FULL} (full width)")
    parser.add_argument("--width", type=int, help="the model's, if not the budget's")
    parser.add_argument("--batch-size", type=int, help="if not that of params.yaml")
    parser.add_argument("--precision", help="if not that of params.yaml")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--steps", type=int, default=6, help="batches per turn")
    parser.add_argument("--turns", type=int, default=7, help="a restless machine wants more and shorter ones")
    return parser.parse_args()


def setting(options: argparse.Namespace, budget_name: str, predicting: bool = False) -> Setting:
    """What `options` ask for; by default what params.yaml has for the budget, or for prediction."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    budget = params[budget_name]
    arguments = params["models"][options.variant] | budget["models"][options.variant]
    arguments |= {"width": options.width} if options.width else {}
    batch_size = options.batch_size or (params["predict"] if predicting else budget["train"])["batch_size"]
    compute = params["compute"] | {"compile": options.compile}
    fabric = launch(ComputeParams(**compute | ({"precision": options.precision} if options.precision else {})))
    torch.manual_seed(0)
    model = models.build(options.variant, arguments).to(fabric.device).to(memory_format=torch.channels_last)
    if options.compile:
        compile_in_place(model, fabric.device)
    title = (
        f"{options.variant} of width {arguments['width']}, batch {batch_size}, {precision_name(fabric)}"
        f"{', compiled' if options.compile else ''}, on {device_name(fabric)} ({machine()})"
    )
    train = budget["train"] | {"batch_size": batch_size, "accumulate": 1}
    return Setting(params | {"train": train}, fabric, model, batch_size, options.steps, options.turns, title)


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations of `work`: its convolutions and matrix products, a multiply-add being two."""
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.convolution_backward: conv_backward}) as counter:
        work()
    return counter.get_total_flops()


def conv_backward(*arguments: Any, out_shape: Any, **_: Any) -> int:
    """Operations of a convolution's backward, whose tensors are given as shapes.

    Each gradient that is wanted, the photo's and the kernel's, takes as many as the forward; torch's own formula counts
    the kernel's of a grouped convolution as if every channel met every other.
    """
    gradient, given, kernel, transposed, wanted = *arguments[:3], arguments[7], arguments[10]
    return conv_flop_count(given, kernel, gradient, transposed) * sum(wanted[:2])


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Within it torch is deterministic or not, as `src.compute.configure_torch` would set it."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def peak(fabric: Fabric) -> float:
    """Operations per second of a large matrix product, the most that `fabric`'s device does in its precision."""
    size = 8192 if fabric.device.type == "cuda" else 2048
    kind = HALF.get(precision_name(fabric), torch.float32)
    left, right = (torch.randn(size, size, device=fabric.device, dtype=kind) for _ in range(2))
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        left @ right
        wait(fabric.device)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def say_share_of_peak(done: int, seconds: float, fabric: Fabric) -> None:
    """Prints how much of the device's peak arithmetic `done` operations in `seconds` are, with the count."""
    most = peak(fabric)
    print(
        f"  share of peak arithmetic  {done / seconds / most:.2f}: {done / 1e9:.1f} GFLOP in {seconds * 1000:.0f} ms, "
        f"where a large matrix product reaches {most / 1e12:.3g} TFLOP/s"
    )


def wait(device: torch.device) -> None:
    """Until the GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
