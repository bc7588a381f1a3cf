"""train VARIANT: models/VARIANT.safetensors and its curves in plots/training/VARIANT."""

import sys
from importlib.metadata import version
from pathlib import Path

import torch
from dvclive import Live

from src import models, stage
from src.compute import ComputeParams, launch
from src.losses import build_loss
from src.prepared import LABELLED, read_masks, read_photos
from src.split import part_indices, read_split
from src.training.augment import Augment, AugmentParams
from src.training.dataset import Dataset, seed_for
from src.training.trainer import Metrics, Trainer, TrainParams

LIBRARIES = ("torch", "kornia", "lightning-fabric", "numpy")


def main(variant: str) -> None:
    profile, seed = stage.read_params("profile", str), stage.read_params("seed", int)
    loss, final_loss = stage.read_params("loss", str), stage.read_params("final_loss", str)
    params = stage.read_params(f"{profile}.train", TrainParams)
    arguments = models.check_arguments(
        variant,
        stage.read_params(f"models.{variant}", dict),
        stage.read_params(f"{profile}.models.{variant}", dict),
        profile,
    )
    losses = {
        "loss": build_loss(loss, stage.read_params(f"losses.{loss}", dict)),
        "final_loss": build_loss(final_loss, stage.read_params(f"losses.{final_loss}", dict), key="final_loss"),
    }
    augment = Augment(stage.read_params("augment", AugmentParams))
    fabric = launch(stage.read_params("compute", ComputeParams))

    torch.manual_seed(seed_for(seed))
    model = models.build(variant, arguments)
    photos, masks, split = read_photos(LABELLED), read_masks(), read_split()
    if photos.shape[1] < 2 * model.multiple:
        raise stage.UserError(f"params.yaml: image_size must be at least {2 * model.multiple} for {variant}")
    train, val = (Dataset(photos, masks, part_indices(split, part), fabric.device) for part in ("train", "val"))

    with Live(f"plots/training/{variant}", dvcyaml=None, save_dvc_exp=False) as live:

        def record(epoch: int, metrics: Metrics) -> None:
            live.step = epoch
            for name, value in metrics.items():
                live.log_metric(name, value)
            live.sync()

        best = Trainer(
            fabric, model, train=train, val=val, augment=augment, params=params, seed=seed, record=record, **losses
        ).fit()
    about = {
        "variant": variant,
        "arguments": arguments,
        "loss": loss,
        "seed": seed,
        "best_epoch": best.epoch,
        "val_dice": best.dice,
        "device": torch.cuda.get_device_name() if fabric.device.type == "cuda" else fabric.device.type,
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in LIBRARIES}},
    }
    if fabric.is_global_zero:
        models.save(Path(f"models/{variant}.safetensors"), best.weights, about)


if __name__ == "__main__":
    stage.run(main)
