"""minutes: how long it takes to train a model that is good.

On photos that a copy of the project has prepared, full-width models train in this process for as many epochs as there
is time for.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.gpu import project
from benchmarks.gpu.pipeline import VARIANT, prepared
from benchmarks.gpu.project import Run
from benchmarks.gpu.report import Report
from benchmarks.gpu.runner import Options

ENCODER_VARIANT = "efficientnet_unet"
GOOD = 0.95  # validation Dice
MOST_EPOCHS = 60


class Chosen(NamedTuple):
    """A variant to train, and the file of its encoder's weights if that is pretrained."""

    variant: str
    weights: Path | None = None


@dataclass(frozen=True)
class Epoch:
    """A point of a learning curve; seconds are those of training and validation since the first step."""

    epoch: int
    seconds: float
    dice: float


@dataclass(frozen=True)
class Training:
    """One model, trained with a schedule that fits into the time."""

    model: str
    precision: str
    loss: str
    train_photos: int
    val_photos: int
    epochs: int
    seconds: float
    seconds_to_good: float | None
    best_dice: float
    best_epoch: int
    curve: list[Epoch]


def run(report: Report, options: Options) -> None:
    chosen = [Chosen(VARIANT)]
    if options.encoder_weights:
        chosen.append(Chosen(ENCODER_VARIANT, options.encoder_weights.resolve()))
    with prepared(options) as pipeline:
        for place, one in enumerate(chosen):
            if report.time_for(f"training {one.variant}", 2 if options.miniature else 10):
                with report.attempt(f"training {one.variant}"):
                    seconds = report.left() / (len(chosen) - place) - 2
                    train(report, one, pipeline.root, seconds, options)


def train(report: Report, chosen: Chosen, root: Path, seconds: float, options: Options) -> None:
    """Trains the `chosen` model on what `root` has prepared, with as many epochs as fit into `seconds`."""
    end = time.monotonic() + seconds
    fabric, batch = project.compute(), project.sizes(options)[1]
    data = project.prepared_photos(root, fabric.device)

    def training(epochs: int) -> Run:
        made = project.model(chosen.variant, options, pretrained=chosen.weights)
        warmup = min(1.0, epochs / 4)
        return Run(fabric, made, data, batch, epochs=epochs, warmup_epochs=warmup, loss=options.loss)

    # Two epochs to see how long one takes: the first waits for kernels to be loaded.
    first, second = learning_curve(training(2), 2)
    each = second.seconds - first.seconds
    most = 2 if options.miniature else MOST_EPOCHS
    epochs = max(1, min(most, int((end - time.monotonic()) / (1.05 * each))))
    curve: list[Epoch] = []
    for point in learning_curve(training(epochs), epochs):
        curve.append(point)
        best = max(curve, key=lambda point: point.dice)
        row = Training(
            model=chosen.variant + (" pretrained" if chosen.weights else ""),
            precision=project.precision_of(fabric),
            loss=options.loss or project.params()["loss"],
            train_photos=len(data[0]),
            val_photos=len(data[1]),
            epochs=epochs,
            seconds=point.seconds,
            seconds_to_good=next((point.seconds for point in curve if point.dice >= GOOD), None),
            best_dice=best.dice,
            best_epoch=best.epoch,
            curve=curve,
        )
        report.grow("training", row, first=len(curve) == 1)
        if time.monotonic() > end:
            break


def learning_curve(made: Run, epochs: int) -> Iterator[Epoch]:
    """Trains and validates, epoch by epoch; what is done between two epochs does not count."""
    seconds = 0.0
    for epoch in range(epochs):
        start = time.perf_counter()
        made.epoch(epoch)
        dice = made.validate()
        seconds += time.perf_counter() - start
        yield Epoch(epoch, round(seconds, 2), dice)
