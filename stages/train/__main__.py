"""train VARIANT: models/VARIANT.safetensors, and its curves and pictures in plots/training/VARIANT."""

import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from src.params import Name, Seed, read_params
from src.portable import hold_arithmetic

if __name__ == "__main__":
    hold_arithmetic(read_params("compute", dict))  # before torch is loaded

import torch
from lightning_fabric import Fabric

from src import models
from src.compute import ComputeParams, explain_out_of_memory
from src.errors import UserError, run_main
from src.files import locked
from src.formats.curves import CURVES, TRAINING
from src.formats.metadata import model_path
from src.formats.model import save_model
from src.formats.prepared import LABELLED, PHOTOS, SOFT_MASKS, read_photos, read_soft_masks
from src.formats.split import SPLIT, Fold, choose_folds, read_split
from src.losses import build_loss
from stages.train.augment import Augment, AugmentParams
from stages.train.batches import PhotoBatches, seed_for
from stages.train.checkpoint import Checkpoint, checkpoint_folder, hash_of, hash_of_files, loaded_code
from stages.train.launch import compile_in_place, device_name, launch, precision_name
from stages.train.logger import Logger
from stages.train.schedule import TrainParams
from stages.train.start import begin, check_start, described
from stages.train.trainer import Best, Trainer

LIBRARIES = ("torch", "kornia", "lightning-fabric", "numpy", "segmentation-models-pytorch", "timm")
TOO_LARGE = (
    "lower the budget's train.batch_size and raise train.accumulate as much, or lower image_size or the width in the "
    "budget's models"
)


@dataclass(frozen=True)
class Settings:
    """The params of one training; `arguments` are the model's, `loss` is {name: arguments}."""

    variant: str
    arguments: dict[str, Any]
    loss: dict[str, Any]
    train: TrainParams
    augment: AugmentParams
    compute: ComputeParams
    seed: int
    start: Path


def read_settings(variant: str) -> Settings:
    """What params.yaml says about training `variant`; raises UserError for what cannot work."""
    budget = read_params("budget", Name)
    loss = read_params("loss", Name)
    loss_block = read_params(f"losses.{loss}", dict)
    build_loss(loss, loss_block)  # to refuse what cannot work before anything is started
    start = Path(read_params("start", str))
    check_start(start)
    shared = read_params(f"models.{variant}", dict)
    preset = read_params(f"{budget}.models.{variant}", dict)
    return Settings(
        variant,
        models.check_arguments(variant, shared, preset, budget),
        {loss: loss_block},
        read_params(f"{budget}.train", TrainParams),
        read_params("augment", AugmentParams),
        read_params("compute", ComputeParams),
        read_params("seed", Seed),
        start,
    )


def describe(settings: Settings, fabric: Fabric) -> dict[str, Any]:
    """The model's metadata: all that its weights follow from but the code, and nothing that cannot change them.

    Device, threads and precision are what `auto` and null became on this machine.
    """
    params = {
        "variant": settings.variant,
        "arguments": settings.arguments,
        "loss": settings.loss,
        "train": settings.train.model_dump(exclude={"panel_every"}),
        "augment": settings.augment.model_dump(),
        "compute": settings.compute.model_dump(exclude={"checkpoint_seconds", "device", "precision", "threads"}),
        "seed": settings.seed,
        "start": described(settings.start),
    }
    return params | {
        "params_hash": hash_of(params),
        "data_hash": hash_of_files([LABELLED / PHOTOS, LABELLED / SOFT_MASKS, SPLIT]),
        "image_size": read_photos(LABELLED).shape[1],
        # Without the build, such as +cpu: with `compute.portable` it changes no byte of the weights.
        "versions": {name: version(name).split("+")[0] for name in LIBRARIES},
        "device": device_name(fabric),
        "precision": precision_name(fabric),
    }


def train_fold(fabric: Fabric, settings: Settings, fold: Fold, folder: Path, checkpoint: Checkpoint) -> Best:
    """The best weights of one training, on the photos of `fold`; its curves and pictures go to `folder`."""
    photos, masks = read_photos(LABELLED), read_soft_masks()
    loss = build_loss(*next(iter(settings.loss.items())))
    torch.manual_seed(seed_for(settings.seed))
    model = begin(settings.variant, settings.arguments, settings.start)
    models.check_image_size(settings.variant, model, photos.shape[1], settings.train.small_epochs > 0)
    if settings.compute.compile:
        compile_in_place(model.to(fabric.device), fabric.device)
    train, val = (PhotoBatches(photos, masks, indices, fabric.device) for indices in (fold.train, fold.val))
    panel_every = settings.train.panel_every if folder == TRAINING / settings.variant else 0
    logging = Logger(folder, val, panel_every, settings.train.epochs) if fabric.is_global_zero else nullcontext()
    with explain_out_of_memory(TOO_LARGE), logging as logger:
        trainer = Trainer(
            fabric,
            model,
            train=train,
            val=val,
            loss=loss,
            augment=Augment(settings.augment),
            params=settings.train,
            seed=settings.seed,
            logger=logger,
            checkpoint=checkpoint,
            cuda_graphs=settings.compute.cuda_graphs and not settings.compute.compile,
        )
        best = trainer.fit()
        if settings.train.folds > 1:
            trainer.save()  # until the other folds are done
        return best


def main(variant: str) -> None:
    settings = read_settings(variant)
    fabric = launch(settings.compute)
    metadata = describe(settings, fabric)
    # A checkpoint must agree with all that the outs follow from, the pictures among them.
    run = hash_of(metadata | {"panel_every": settings.train.panel_every, "code": hash_of_files(loaded_code())})
    plots = TRAINING / variant
    folds = choose_folds(read_split(len(read_photos(LABELLED))), settings.train.folds)
    folders = [plots, *(plots / CURVES / f"fold_{fold.number}" for fold in folds[1:])]
    kept, seconds = checkpoint_folder(), settings.compute.checkpoint_seconds
    checkpoints = [Checkpoint(kept, f"{run}-{fold.number}", seconds) for fold in folds]
    writes = fabric.is_global_zero
    with locked(kept / f"{run}.lock", f"trains the same {variant}") if writes else nullcontext():
        try:
            best = [train_fold(fabric, settings, *each) for each in zip(folds, folders, checkpoints, strict=True)]
        except KeyboardInterrupt:
            if writes:
                shutil.rmtree(plots, ignore_errors=True)
            again = "interrupted; start the same command again to go on from the last checkpoint"
            raise UserError(again) from None
        if writes:
            found = zip(folds, best, strict=True)
            members = [{"fold": f.number, "best_epoch": b.epoch, "val_dice": b.dice} for f, b in found]
            save_model(model_path(variant), [b.weights for b in best], metadata | {"members": members})
            for checkpoint in checkpoints:  # only now: a finished fold's holds its model until all are done
                checkpoint.path.unlink(missing_ok=True)


if __name__ == "__main__":
    run_main(main)
