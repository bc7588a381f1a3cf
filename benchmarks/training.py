"""The training loop, against its ceiling and a conventional loop: python -m benchmarks.training [--help]

The ceiling is forward, loss, backward and update on one fixed batch, as deterministic as our loop and, to show what
that costs, not so. The conventional loop trains the first model on files (see benchmarks/conventional.py). What is
compared takes turns, in one precision on one device. On a GPU a narrow and a full-width model are measured: loading
binds the conventional loop only where the model is fast.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from benchmarks import conventional, in_turns, machine, spread
from benchmarks.network import (
    FULL,
    NARROW,
    Setting,
    command_line,
    determinism,
    fixed_step,
    make_trainer,
    operations,
    peak,
    setting,
    wait,
)
from src.formats.raw import list_raw
from src.sources.synthetic import Params, fetch
from stages.train.augment import AugmentParams
from stages.train.launch import device_name
from stages.train.trainer import Trainer

WANTED = "of its ceiling at least 0.92 on a CPU and 0.95 on a GPU; of the conventional loop 1.3 where loading binds"
LONG_STEPS, LONG_TURNS = 90, 2  # against the conventional loop: fewer steps would count the start of its workers
DRAWN = 64  # photos for the conventional loop, again and again
COLUMNS = (
    *("training", "photos/s", "of its ceiling", "of one not deterministic", "share of peak", "GFLOP a step"),
    *("validating, photos/s", "GPU memory, GB"),
)


def main() -> None:
    options = command_line(__doc__)
    budgets = [options.budget] if options.budget else [NARROW, FULL] if torch.cuda.is_available() else [NARROW]
    runs = [setting(options, variant, budget) for budget in budgets for variant in options.variant]
    fabric = runs[0].fabric
    print(f"{device_name(fabric)}, {machine()}; wanted: {WANTED}\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    most = peak(fabric)
    for run in runs:
        print(f"| {' | '.join(measured(run, options.steps, options.turns, most))} |", flush=True)
    print(f"\nA large matrix product reaches {most / 1e12:.3g} TFLOP/s.")
    for run in runs[:: len(options.variant)]:
        print(f"{run.title}, of the conventional loop: {against_conventional(run, options.steps)}", flush=True)


def measured(run: Setting, steps: int, turns: int, most: float) -> list[str]:
    """A row of the table; `most` is the peak in operations per second."""
    device, count = run.fabric.device, steps * run.batch_size
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    trainer = make_trainer(run, steps)
    ours = epoch_of(trainer)
    ours()
    memory = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
    with determinism(False):
        free = fixed_step(make_trainer(run, 1))

    def ceiling(step: Callable[[], None], deterministic: bool) -> None:
        with determinism(deterministic):
            for _ in range(steps):
                step()
            wait(device)

    def validate() -> None:
        trainer.validate()
        wait(device)

    works = (ours, partial(ceiling, fixed_step(trainer), True), partial(ceiling, free, False), validate)
    # What is not deterministic chooses its algorithms by trying them, in the first turn, which does not count.
    seconds = in_turns(*works, repeats=turns)
    flops = operations(fixed_step(make_trainer(run, 1, graphs=False)))  # not counted where passes are recorded
    loop = median(turn[0] for turn in seconds)
    return [
        run.title,
        f"{count / loop:.4g}",
        spread([bound / ours for ours, bound, _, _ in seconds]),
        spread([bound / ours for ours, _, bound, _ in seconds]),
        f"{flops * steps / loop / most:.2f}",
        f"{flops / 1e9:.1f}",
        f"{count / median(turn[3] for turn in seconds):.4g}",
        f"{memory:.1f}",
    ]


def epoch_of(trainer: Trainer) -> Callable[[], None]:
    """What trains an epoch, to its end on the device."""

    def epoch() -> None:
        trainer.train_epoch(0, tqdm(disable=True))
        wait(trainer.fabric.device)

    return epoch


def against_conventional(run: Setting, steps: int) -> str:
    """The speed of our loop as a share of the conventional one's."""
    steps = max(steps, LONG_STEPS)
    size, count = run.params["image_size"], steps * run.batch_size
    plain = make_trainer(run, 1, graphs=False)
    with tempfile.TemporaryDirectory() as folder:
        raw = list_raw(fetch(Params(seed=0, labelled=DRAWN, test=1, size=size, wild=0), Path(folder)))
        photos, masks = ([paths[place % DRAWN] for place in range(count)] for paths in (raw.photos, raw.masks))
        change = conventional.changes(AugmentParams(**run.params["augment"]))
        batches = conventional.loader(conventional.Files(photos, masks, change), run.batch_size)

        def usual() -> None:
            conventional.epoch(run.fabric, plain.model, plain.optimizer, plain.loss, batches)
            wait(run.fabric.device)

        seconds = in_turns(epoch_of(make_trainer(run, steps)), usual, repeats=LONG_TURNS)
    return spread([usual / ours for ours, usual in seconds])


if __name__ == "__main__":
    main()
