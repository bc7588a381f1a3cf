"""The training loop, against its bare step and a conventional loop: python -m benchmarks.training [--help]

The bare step is forward, loss, backward and update on one fixed batch. The conventional loop trains the first model on
files (see benchmarks/conventional.py). What is compared takes turns, in one precision on one device. On a GPU a narrow
and a full-width model are measured: loading binds the conventional loop only where the model is fast.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from benchmarks import in_turns, spread
from benchmarks.conventional import conventional_epoch
from benchmarks.network import Setting, make_trainer, measure_all, wait
from src.formats.raw import list_raw
from src.sources.synthetic import Params, fetch
from stages.train.trainer import Trainer

WANTED = "of its bare step at least 0.92 on a CPU and 0.95 on a GPU; of the conventional loop 1.3 where loading binds"
LONG_STEPS, LONG_TURNS = 90, 2  # against the conventional loop: fewer steps would count the start of its workers
DRAWN = 64  # photos for the conventional loop, again and again
COLUMNS = ("training", "photos/s", "of its bare step", "validating, photos/s")


def main() -> None:
    runs, options = measure_all(__doc__, WANTED, COLUMNS, measured)
    for run in runs:
        share = against_conventional(run, max(options.steps, LONG_STEPS))
        print(f"\n{run.title(run.params['train']['batch_size'])}, of the conventional loop: {share}", flush=True)


def measured(run: Setting, steps: int, turns: int) -> list[str]:
    """A row of the table."""
    trainer, batch_size = make_trainer(run, steps), run.params["train"]["batch_size"]
    photos, masks = trainer.train.batch(torch.arange(batch_size))
    target = masks / 255

    def bare() -> None:
        for _ in range(steps):
            trainer.optimizer.zero_grad()
            trainer.fabric.backward(trainer.loss(trainer.model(photos), target))
            trainer.optimizer.step()
        wait(run.fabric.device)

    def validate() -> None:
        trainer.validate()
        wait(run.fabric.device)

    seconds = in_turns(epoch_of(trainer), bare, validate, repeats=turns)
    training, _, validating = (steps * batch_size / median(part) for part in zip(*seconds, strict=True))
    share = spread([bare / ours for ours, bare, _ in seconds])
    return [run.title(batch_size), f"{training:.4g}", share, f"{validating:.4g}"]


def epoch_of(trainer: Trainer) -> Callable[[], None]:
    """What trains an epoch, to its end on the device."""

    def epoch() -> None:
        trainer.train_epoch(0, tqdm(disable=True))
        wait(trainer.fabric.device)

    return epoch


def against_conventional(run: Setting, steps: int) -> str:
    """The speed of our loop as a share of the conventional one's."""
    with tempfile.TemporaryDirectory() as folder:
        size = run.params["image_size"]
        raw = list_raw(fetch(Params(seed=0, labelled=DRAWN, test=1, size=size, wild=0), Path(folder)))
        usual = conventional_epoch(run, raw.photos, raw.masks, steps)
        seconds = in_turns(epoch_of(make_trainer(run, steps)), usual, repeats=LONG_TURNS)
    return spread([usual / ours for ours, usual in seconds])


if __name__ == "__main__":
    main()
