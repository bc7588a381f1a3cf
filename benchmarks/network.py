"""The models that benchmarks and the tests on a GPU train, on photos of noise."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from lightning_fabric import Fabric

from src import models
from src.compute import ComputeParams
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
    """What is measured, and where: `params` is params.yaml with the budget's `train` at its top."""

    params: dict[str, Any]
    fabric: Fabric
    variant: str
    arguments: dict[str, Any]

    @property
    def title(self) -> str:
        """The model, and in what it computes."""
        batch, compiled = self.params["train"]["batch_size"], ", compiled" if self.params["compute"]["compile"] else ""
        precision = precision_name(self.fabric)
        return f"{self.variant}, width {self.arguments['width']}, batch {batch}, {precision}{compiled}"


def setting(variant: str, budget: str, *, precision: str | None = None, compiled: bool = False) -> Setting:
    """`variant` as params.yaml has it for `budget`, with random weights; `precision` if not that of params.yaml."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["compute"] |= {"compile": compiled} | ({"precision": precision} if precision else {})
    params["train"] = params[budget]["train"] | {"accumulate": 1}
    arguments = params["models"][variant] | params[budget]["models"][variant]
    arguments = models.model_class(variant).without_pretraining(arguments)
    return Setting(params, launch(ComputeParams(**params["compute"])), variant, arguments)


def build(run: Setting) -> SegmentationModel:
    """A new model on the device, always with the same weights."""
    torch.manual_seed(0)
    model = models.build(run.variant, run.arguments).to(run.fabric.device).to(memory_format=torch.channels_last)
    if run.params["compute"]["compile"]:
        compile_in_place(model, run.fabric.device)
    return model


def make_trainer(
    run: Setting, steps: int, *, graphs: bool = True, checkpoint: Checkpoint | None = None, **changes: Any
) -> Trainer:
    """The project's trainer of a new model, on `steps` batches of noise an epoch; `changes` are of the train params."""
    params, compute = run.params, run.params["compute"]
    data = noise(steps * params["train"]["batch_size"], params["image_size"], run.fabric.device)
    loss = build_loss(params["loss"], params["losses"][params["loss"]])
    return Trainer(
        run.fabric,
        build(run),
        train=data,
        val=data,
        loss=loss,
        augment=Augment(AugmentParams(**params["augment"])),
        params=TrainParams(**params["train"] | {"small_share": 0.0} | changes),
        seed=0,
        checkpoint=checkpoint,
        cuda_graphs=graphs and compute["cuda_graphs"] and not compute["compile"],
    )


def noise(count: int, size: int, device: torch.device) -> PhotoBatches:
    """`count` photos of noise whose masks are blocks."""
    rng, different = np.random.default_rng(0), min(count, DIFFERENT)
    photos = rng.integers(0, 256, (different, size, size, 3), dtype=np.uint8)
    blocks = rng.integers(0, 2, (different, 8, 8), dtype=np.uint8) * 255
    masks = blocks.repeat(size // 8, axis=1).repeat(size // 8, axis=2)
    return PhotoBatches(photos, masks, np.arange(count) % different, device)


def wait(device: torch.device) -> None:
    """Until the GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
