"""loop: the training loop against its ceiling, and how long the real training of all variants will take.

The ceiling is forward, loss, backward and update on one fixed batch. Loop and ceiling are timed in turns, first in
deterministic mode, as in the pipeline, then without it. Validation and checkpoints are timed separately.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from benchmarks import in_turns
from benchmarks.gpu import project
from benchmarks.gpu.project import Fabric, Run
from benchmarks.gpu.report import Report
from benchmarks.gpu.runner import Options
from benchmarks.network import determinism, operations, peak, wait

EPOCHS, PHOTOS, VAL_PHOTOS = 120, 1450, 363  # of the competition, with the split of params.yaml
STEPS, TURNS = 30, 2  # per turn; one more turn is not counted


@dataclass(frozen=True)
class Row:
    """One variant, deterministic or not."""

    variant: str
    precision: str
    deterministic: bool
    photos_per_second: float
    ceiling_photos_per_second: float
    of_ceiling: float
    step_ms: float
    gflop_per_step: float
    of_peak: float
    val_photos_per_second: float
    peak_memory_gb: float
    minutes_for_all_epochs: float


@dataclass(frozen=True)
class Saving:
    """What a whole checkpoint of one variant takes."""

    variant: str
    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Total:
    """Estimated minutes of training and validating all variants, one after another; saving comes on top."""

    deterministic: bool
    variants: int
    minutes: float


def run(report: Report, options: Options) -> None:
    size, batch = project.sizes(options)
    fabric = project.compute()
    steps, turns = (2, 1) if options.miniature else (STEPS, TURNS)
    data = project.random_photos(steps * batch, size, fabric.device)
    most = peak(fabric)
    minutes: dict[bool, list[float]] = {True: [], False: []}
    operations_of: dict[str, int] = {}  # of a step, counted where it is not recorded
    for deterministic, each in minutes.items():
        for variant in project.variants():
            what = variant if deterministic else f"{variant}, not deterministic"
            if not report.time_for(what, 3):
                continue
            with report.attempt(what), determinism(deterministic), TemporaryDirectory() as folder:
                made = Run(fabric, project.model(variant, options), (data, data), batch, checkpoint=Path(folder))
                if variant not in operations_of:
                    plain = Run(fabric, project.model(variant, options), (data, data), batch, graphs=False)
                    operations_of[variant] = operations(plain.fixed_step())
                row = measured(variant, deterministic, made, turns, flops=operations_of[variant], most=most)
                report.add("speed", row)
                each.append(row.minutes_for_all_epochs)
                if deterministic:
                    report.add("saving", saved(variant, made))
        report.add("together", Total(deterministic, len(each), round(sum(each), 1)))


def measured(variant: str, deterministic: bool, made: Run, turns: int, *, flops: int, most: float) -> Row:
    """Times everything that a training consists of.

    `flops` are the operations of a step, `most` is the device's peak in operations per second.
    """
    fabric, steps = made.fabric, made.steps
    step = made.fixed_step()
    if fabric.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def ceiling() -> None:
        for _ in range(steps):
            step()
        wait(fabric.device)

    seconds = in_turns(made.epoch, ceiling, repeats=turns)
    memory = torch.cuda.max_memory_allocated() / 1e9 if fabric.device.type == "cuda" else 0.0
    loop, bound = (median(turn[place] for turn in seconds) / steps for place in range(2))
    validating = seconds_of(made.validate, fabric) / made.val_photos
    batch = made.batch
    return Row(
        variant=variant,
        precision=project.precision_of(fabric),
        deterministic=deterministic,
        photos_per_second=batch / loop,
        ceiling_photos_per_second=batch / bound,
        of_ceiling=bound / loop,
        step_ms=loop * 1000,
        gflop_per_step=flops / 1e9,
        of_peak=flops / loop / most,
        val_photos_per_second=1 / validating,
        peak_memory_gb=memory,
        minutes_for_all_epochs=EPOCHS * (PHOTOS // batch * loop + VAL_PHOTOS * validating) / 60,
    )


def saved(variant: str, made: Run) -> Saving:
    """Times one checkpoint."""
    wait(made.fabric.device)
    start = time.perf_counter()
    size = made.save()
    return Saving(variant, time.perf_counter() - start, size / 1e6)


def seconds_of(work: Callable[[], object], fabric: Fabric) -> float:
    """Of the second of two calls."""
    for _ in range(2):
        wait(fabric.device)
        start = time.perf_counter()
        work()
        wait(fabric.device)
    return time.perf_counter() - start
