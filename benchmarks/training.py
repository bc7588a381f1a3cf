"""The training loop, against its ceiling and a conventional loop: python -m benchmarks.training [--help]

The ceiling is forward, loss, backward and update on one fixed batch, as deterministic as our loop and, to show what
that costs, not so. The conventional loop trains the same model on files (see benchmarks/conventional.py). What is
compared takes turns, in one precision on one device. On a GPU a narrow and a full-width model are measured: loading
binds the conventional loop only where the model is fast.
"""

import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import conventional, in_turns, spread
from benchmarks.network import (
    FULL,
    NARROW,
    Setting,
    command_line,
    determinism,
    operations,
    say_share_of_peak,
    setting,
    wait,
)
from src.formats.raw import RawFolder, list_raw
from src.images import read_mask, read_photo
from src.losses import build_loss
from src.sources.synthetic import Params, fetch
from stages.train.augment import Augment, AugmentParams
from stages.train.batches import PhotoBatches
from stages.train.schedule import TrainParams
from stages.train.trainer import Trainer

CEILING = {"cpu": 0.92}  # of which our loop should reach this share
ELSEWHERE = 0.95
CONVENTIONAL = 1.3  # times its speed, where a GPU would otherwise wait for the workers
LONG_STEPS, LONG_TURNS = 90, 2  # against the conventional loop: fewer steps would count the start of its workers


def main() -> None:
    options = command_line(__doc__)
    chosen = [options.budget] if options.budget else [NARROW, FULL] if torch.cuda.is_available() else [NARROW]
    for budget in chosen:
        measure(setting(options, budget))


def measure(run: Setting) -> None:
    """Measures one model and prints what came of it."""
    fabric, device = run.fabric, run.fabric.device
    with tempfile.TemporaryDirectory() as folder:
        size, count = run.params["image_size"], run.batch_size * run.steps
        raw = list_raw(fetch(Params(seed=0, labelled=count, test=1, size=size, wild=0), Path(folder)))
        short, long = (our_trainer(run, raw, steps) for steps in (run.steps, max(run.steps, LONG_STEPS)))
        places = np.arange(len(long.train)) % count
        files = conventional.Files(
            [raw.photos[place] for place in places],
            [raw.masks[place] for place in places],
            conventional.changes(AugmentParams(**run.params["augment"])),
        )
        batches = conventional.loader(files, run.batch_size)
        loss = long.loss
        photos, masks = short.train.batch(torch.arange(run.batch_size))
        target = masks / 255

        def step() -> None:
            short.optimizer.zero_grad()
            fabric.backward(short.loss(short.model(photos), target))
            short.optimizer.step()

        def ceiling(deterministic: bool) -> None:
            with determinism(deterministic):
                for _ in range(run.steps):
                    step()
                wait(device)

        def ours(trainer: Trainer) -> None:
            trainer.train_epoch(0, tqdm(disable=True))
            wait(device)

        def usual() -> None:
            conventional.epoch(fabric, long.model, long.optimizer, loss, batches)
            wait(device)

        # What is not deterministic chooses its algorithms by trying them, in the first turn, which does not count.
        turns = in_turns(partial(ours, short), partial(ceiling, True), partial(ceiling, False), repeats=run.turns)
        long_turns = in_turns(partial(ours, long), usual, repeats=LONG_TURNS)
        flops = operations(step)
    say(run, turns, [tuple(seconds / long.steps * run.steps for seconds in turn) for turn in long_turns])
    say_share_of_peak(flops, median(ours for ours, _, _ in turns) / run.steps, fabric)


def our_trainer(run: Setting, raw: RawFolder, steps: int) -> Trainer:
    """A trainer whose epoch is `steps` batches of the photos of `raw`, of which each may stand several times."""
    params = run.params
    photos = np.stack([read_photo(path) for path in raw.photos])
    masks = 255 * np.stack([read_mask(path) for path in raw.masks])
    data = PhotoBatches(photos, masks, np.arange(steps * run.batch_size) % len(photos), run.fabric.device)
    loss = build_loss(params["loss"], params["losses"][params["loss"]])
    return Trainer(
        run.fabric,
        run.model,
        train=data,
        val=data,
        loss=loss,
        final_loss=loss,
        augment=Augment(AugmentParams(**params["augment"])),
        params=TrainParams(**params["train"]),
        seed=0,
    )


def say(run: Setting, turns: list[tuple[float, ...]], long_turns: list[tuple[float, ...]]) -> None:
    """Prints the seconds of `turns` (ours, ceiling, ceiling that is not deterministic) and of (ours, conventional)."""
    wanted, count = CEILING.get(run.fabric.device.type, ELSEWHERE), run.batch_size * run.steps
    print(f"training {run.title}")
    for place, name in enumerate(("ours", "ceiling", "ceiling, not deterministic")):
        print(f"  photos per second, {name:<26} {spread([count / turn[place] for turn in turns])}")
    print(f"  photos per second, conventional               {spread([count / turn[1] for turn in long_turns])}")
    print(f"  ours against the ceiling            {spread([c / o for o, c, _ in turns])}, wanted: at least {wanted}")
    print(f"  ... against the one not deterministic {spread([free / o for o, _, free in turns])}")
    print(
        f"  ours against the conventional       {spread([u / o for o, u in long_turns])}, wanted where loading binds: "
        f"at least {CONVENTIONAL}"
    )


if __name__ == "__main__":
    main()
