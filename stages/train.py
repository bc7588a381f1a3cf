"""train VARIANT: models/VARIANT.safetensors, and its curves and panels in plots/training/VARIANT."""

import shutil
import sys
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import torch

from src import models, stage
from src.compute import ComputeParams, compile_in_place, device_name, launch, memory_advice
from src.losses import build_loss
from src.prepared import LABELLED, PHOTOS, SOFT_MASKS, read_photos, read_soft_masks
from src.split import SPLIT, Fold, choose_folds, read_split
from src.training.augment import Augment, AugmentParams
from src.training.checkpoint import Checkpoint, checkpoint_folder, hash_of, run_hash
from src.training.dataset import Dataset, seed_for
from src.training.record import Record
from src.training.schedule import TrainParams
from src.training.trainer import Best, Trainer

LIBRARIES = ("torch", "kornia", "lightning-fabric", "numpy", "dvclive", "safetensors")
TOO_LARGE = (
    "lower the profile's train.batch_size and raise train.accumulate as much, or lower image_size or the width in the "
    "profile's models"
)


def main(variant: str) -> None:
    profile, seed = stage.read_params("profile", str), stage.read_params("seed", int)
    loss, final_loss = stage.read_params("loss", str), stage.read_params("final_loss", str)
    loss_block, final_block = (
        stage.read_params(f"losses.{loss}", dict),
        stage.read_params(f"losses.{final_loss}", dict),
    )
    params = stage.read_params(f"{profile}.train", TrainParams)
    augment = stage.read_params("augment", AugmentParams)
    compute = stage.read_params("compute", ComputeParams)
    structure, size = (
        stage.read_params(f"models.{variant}", dict),
        stage.read_params(f"{profile}.models.{variant}", dict),
    )
    arguments = models.check_arguments(variant, structure, size, profile)
    losses = {"loss": build_loss(loss, loss_block), "final_loss": build_loss(final_loss, final_block, key="final_loss")}

    fabric = launch(compute)
    settings = {
        "variant": variant,
        "arguments": arguments,
        "loss": {loss: loss_block},
        "final_loss": {final_loss: final_block},
        "train": params.model_dump(),
        "augment": augment.model_dump(),
        "compute": compute.model_dump(),
        "seed": seed,
    }
    about = settings | {
        "params_hash": hash_of(settings),
        "device": device_name(fabric),
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in LIBRARIES}},
    }
    run = run_hash(about, [LABELLED / PHOTOS, LABELLED / SOFT_MASKS, SPLIT])
    photos, masks, plots = read_photos(LABELLED), read_soft_masks(), Path(f"plots/training/{variant}")

    def train(fold: Fold, folder: Path, checkpoint: Checkpoint) -> Best:
        torch.manual_seed(seed_for(seed))
        model = models.build(variant, arguments)
        if photos.shape[1] < model.smallest:
            raise stage.UserError(
                f"params.yaml: image_size: {photos.shape[1]} is too small for {variant}; it must be at least "
                f"{model.smallest}, or the model less deep where it has a depth"
            )
        if compute.compile:
            compile_in_place(model.to(fabric.device), fabric.device)
        val = Dataset(photos, masks, fold.val, fabric.device)
        recording = Record(folder, val, params.panel_every, params.epochs) if fabric.is_global_zero else nullcontext()
        with memory_advice(TOO_LARGE), recording as record:
            return Trainer(
                fabric,
                model,
                train=Dataset(photos, masks, fold.train, fabric.device),
                val=val,
                augment=Augment(augment),
                params=params,
                seed=seed,
                record=record,
                checkpoint=checkpoint,
                **losses,
            ).fit()

    folds = choose_folds(read_split(), params.folds)
    checkpoints = [Checkpoint(checkpoint_folder(), f"{run}-{fold.number}") for fold in folds]
    folders = [plots, *(plots / f"fold_{fold.number}" for fold in folds[1:])]
    try:
        best = [train(*each) for each in zip(folds, folders, checkpoints, strict=True)]
    except KeyboardInterrupt:
        shutil.rmtree(plots, ignore_errors=True)
        raise stage.UserError(
            "interrupted; start the same command again to go on from the last finished epoch"
        ) from None
    if fabric.is_global_zero:
        members = [
            {"fold": f.number, "best_epoch": b.epoch, "val_dice": b.dice} for f, b in zip(folds, best, strict=True)
        ]
        about |= {"run_hash": run, "members": members}
        models.save(Path(f"models/{variant}.safetensors"), [b.weights for b in best], about)
        for checkpoint in checkpoints:  # only now: a finished fold's holds its model until all are done
            checkpoint.remove()


if __name__ == "__main__":
    stage.run(main)
