"""The training loop, against the bare forward, backward and step on one fixed batch: python -m benchmarks.training

Options: --variant, --profile (whose model size and batch size are taken), --steps.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import yaml
from tqdm import tqdm

from benchmarks import machine, paired, spread
from src import models
from src.compute import ComputeParams, launch
from src.losses import build_loss
from src.training.augment import Augment, AugmentParams
from src.training.dataset import Dataset
from src.training.schedule import TrainParams
from src.training.trainer import Trainer

BOUND = 0.90


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="residual_unet")
    parser.add_argument("--profile", default="synthetic")
    parser.add_argument("--steps", type=int, default=6, help="batches per turn")
    options = parser.parse_args()
    params = yaml.safe_load(Path("params.yaml").read_text())
    train = TrainParams(**params[options.profile]["train"]).model_copy(update={"accumulate": 1})
    arguments = params["models"][options.variant] | params[options.profile]["models"][options.variant]
    fabric = launch(ComputeParams(**params["compute"]))
    loss = build_loss(params["loss"], params["losses"][params["loss"]])
    size, count = params["image_size"], train.batch_size * options.steps
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    masks = (photos[..., 0] > 127).astype(np.uint8)
    dataset = Dataset(photos, masks, np.arange(count), fabric.device)
    trainer = Trainer(
        fabric,
        models.build(options.variant, arguments),
        train=dataset,
        val=dataset,
        loss=loss,
        final_loss=loss,
        augment=Augment(AugmentParams(**params["augment"])),
        params=train,
        seed=0,
    )
    batch, target = dataset.batch(torch.arange(train.batch_size))
    bar = tqdm(disable=True)

    def ours() -> None:
        trainer.train_epoch(0, bar)
        wait(fabric.device)

    def bare() -> None:
        trainer.model.train()
        for _ in range(options.steps):
            trainer.optimizer.zero_grad()
            fabric.backward(trainer.supervised(loss, trainer.model(batch), target))
            trainer.optimizer.step()
        wait(fabric.device)

    seconds = paired(ours, bare, repeats=7)
    print(f"training {options.variant} {arguments}, batch {train.batch_size}, {fabric.device} ({machine()})")
    print(f"  photos per second, ours {spread([count / ours for ours, _ in seconds])}")
    print(f"  photos per second, bare {spread([count / bare for _, bare in seconds])}")
    print(f"  ours against bare       {spread([bare / ours for ours, bare in seconds])}, wanted: at least {BOUND}")


def wait(device: torch.device) -> None:
    """Until the GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
