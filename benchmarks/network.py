"""What the benchmarks of training and prediction share: the options, the model they measure, and the device's peak."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from lightning_fabric import Fabric
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from src import models
from src.compute import HALF, ComputeParams
from src.losses import build_loss
from src.models.blocks import SegmentationModel
from stages.train.augment import Augment, AugmentParams
from stages.train.batches import PhotoBatches
from stages.train.checkpoint import Checkpoint
from stages.train.launch import compile_in_place, launch, precision_name
from stages.train.schedule import TrainParams
from stages.train.trainer import Trainer

NARROW, FULL = "cpu", "gpu"  # blocks of params.yaml
DIFFERENT = 128  # photos of noise; in a longer epoch each comes several times


class Setting(NamedTuple):
    """What is measured, and where."""

    params: dict[str, Any]
    fabric: Fabric
    variant: str
    arguments: dict[str, Any]
    batch_size: int
    compiled: bool

    @property
    def title(self) -> str:
        """The model, and in what it computes."""
        compiled = ", compiled" if self.compiled else ""
        precision = precision_name(self.fabric)
        return f"{self.variant}, width {self.arguments['width']}, batch {self.batch_size}, {precision}{compiled}"


def command_line(purpose: str) -> argparse.Namespace:
    """The options that both benchmarks have."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--variant", nargs="+", default=["residual_unet"], help="one or several, or all")
    parser.add_argument("--budget", help=f"whose sizes are taken, {NARROW} (narrow) or {FULL} (full width)")
    parser.add_argument("--width", type=int, help="the model's, if not the budget's")
    parser.add_argument("--batch-size", type=int, help="if not that of params.yaml")
    parser.add_argument("--precision", help="if not that of params.yaml")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--steps", type=int, default=6, help="batches per turn")
    parser.add_argument("--turns", type=int, default=7, help="a machine with other work wants more and shorter ones")
    options = parser.parse_args()
    if options.variant == ["all"]:
        options.variant = read_yaml()["variants"]
    return options


def read_yaml() -> dict[str, Any]:
    """The whole of params.yaml."""
    return yaml.safe_load(Path("params.yaml").read_text())


def setting(options: argparse.Namespace, variant: str, budget_name: str, predicting: bool = False) -> Setting:
    """What `options` ask for; by default what params.yaml has for the budget, or for prediction."""
    params = read_yaml()
    budget = params[budget_name]
    arguments = params["models"][variant] | budget["models"][variant]
    arguments |= {"width": options.width} if options.width else {}
    arguments = models.model_class(variant).without_pretraining(arguments)  # which would be downloaded
    batch_size = options.batch_size or (params["predict"] if predicting else budget["train"])["batch_size"]
    compute = params["compute"] | {"compile": options.compile}
    fabric = launch(ComputeParams(**compute | ({"precision": options.precision} if options.precision else {})))
    train = budget["train"] | {"batch_size": batch_size, "accumulate": 1}
    return Setting(params | {"train": train}, fabric, variant, arguments, batch_size, options.compile)


def build(run: Setting) -> SegmentationModel:
    """A new model on the device, always with the same weights."""
    torch.manual_seed(0)
    model = models.build(run.variant, run.arguments).to(run.fabric.device).to(memory_format=torch.channels_last)
    if run.compiled:
        compile_in_place(model, run.fabric.device)
    return model


def make_trainer(
    run: Setting, steps: int, *, graphs: bool = True, checkpoint: Checkpoint | None = None, **changes: Any
) -> Trainer:
    """The project's trainer of a new model, on `steps` batches of noise an epoch; `changes` are of the train params."""
    data = noise(steps * run.batch_size, run.params["image_size"], run.fabric.device)
    loss = build_loss(run.params["loss"], run.params["losses"][run.params["loss"]])
    return Trainer(
        run.fabric,
        build(run),
        train=data,
        val=data,
        loss=loss,
        final_loss=loss,
        augment=Augment(AugmentParams(**run.params["augment"])),
        params=TrainParams(**run.params["train"] | {"final_epochs": 0} | changes),
        seed=0,
        checkpoint=checkpoint,
        cuda_graphs=graphs and run.params["compute"]["cuda_graphs"] and not run.compiled,
    )


def noise(count: int, size: int, device: torch.device) -> PhotoBatches:
    """`count` photos of noise whose masks are blocks."""
    rng, different = np.random.default_rng(0), min(count, DIFFERENT)
    photos = rng.integers(0, 256, (different, size, size, 3), dtype=np.uint8)
    blocks = rng.integers(0, 2, (different, 8, 8), dtype=np.uint8) * 255
    masks = blocks.repeat(size // 8, axis=1).repeat(size // 8, axis=2)
    return PhotoBatches(photos, masks, np.arange(count) % different, device)


def fixed_step(trainer: Trainer) -> Callable[[], None]:
    """Forward, loss, backward and update on one fixed batch, and nothing else: what bounds `trainer`."""
    photos, masks = trainer.train.batch(torch.arange(trainer.photos_per_step))
    target = masks / 255

    def step() -> None:
        trainer.optimizer.zero_grad()
        trainer.fabric.backward(trainer.loss(trainer.model(photos), target))
        trainer.optimizer.step()

    return step


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


def wait(device: torch.device) -> None:
    """Until the GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
