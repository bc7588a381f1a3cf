"""The training loop, against its ceiling and a conventional loop: python -m benchmarks.training [--help]

The ceiling is forward, loss, backward and update on one fixed batch. The conventional loop trains the same model on
files (see benchmarks/conventional.py). All three take turns, in one precision on one device.
"""

import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import conventional, in_turns, spread
from benchmarks.network import operations, say_share_of_peak, setting, wait
from src.formats.raw import list_raw
from src.images import read_mask, read_photo
from src.losses import build_loss
from src.sources.synthetic import Params, fetch
from stages.train.augment import Augment, AugmentParams
from stages.train.batches import Dataset
from stages.train.schedule import TrainParams
from stages.train.trainer import Trainer

CEILING = {"cpu": 0.92}  # of which our loop should reach this share
ELSEWHERE = 0.95
CONVENTIONAL = 1.3  # times its speed, where a GPU would otherwise wait for the workers


def main() -> None:
    run = setting(__doc__)
    fabric, params, count = run.fabric, run.params, run.batch_size * run.steps
    loss = build_loss(params["loss"], params["losses"][params["loss"]])
    augment = AugmentParams(**params["augment"])
    with tempfile.TemporaryDirectory() as folder:
        raw = list_raw(fetch(Params(seed=0, labelled=count, test=1, size=params["image_size"]), Path(folder)))
        photos = np.stack([read_photo(path) for path in raw.photos])
        masks = 255 * np.stack([read_mask(path) for path in raw.masks])
        data = Dataset(photos, masks, np.arange(count), fabric.device)
        trainer = Trainer(
            fabric,
            run.model,
            train=data,
            val=data,
            loss=loss,
            final_loss=loss,
            augment=Augment(augment),
            params=TrainParams(**params["train"]),
            seed=0,
        )
        files = conventional.Files(raw.photos, raw.masks, conventional.changes(augment))
        batches = conventional.loader(files, run.batch_size)
        batch, masks_of_batch = data.batch(torch.arange(run.batch_size))
        target = masks_of_batch / 255
        bar = tqdm(disable=True)

        def step() -> None:
            trainer.optimizer.zero_grad()
            fabric.backward(trainer.loss(trainer.model(batch), target))
            trainer.optimizer.step()

        def ours() -> None:
            trainer.train_epoch(0, bar)
            wait(fabric.device)

        def ceiling() -> None:
            for _ in range(run.steps):
                step()
            wait(fabric.device)

        def usual() -> None:
            conventional.epoch(fabric, trainer.model, trainer.optimizer, trainer.loss, batches)
            wait(fabric.device)

        seconds = in_turns(ours, ceiling, usual, repeats=run.turns)
        flops = operations(step)
    wanted = CEILING.get(fabric.device.type, ELSEWHERE)
    print(f"training {run.title}")
    for place, name in enumerate(("ours", "ceiling", "conventional")):
        print(f"  photos per second, {name:<13} {spread([count / turn[place] for turn in seconds])}")
    print(f"  ours against the ceiling         {spread([c / o for o, c, _ in seconds])}, wanted: at least {wanted}")
    print(
        f"  ours against the conventional    {spread([u / o for o, _, u in seconds])}, wanted on a GPU: at least "
        f"{CONVENTIONAL}"
    )
    say_share_of_peak(flops, median(ours for ours, _, _ in seconds) / run.steps, fabric)


if __name__ == "__main__":
    main()
