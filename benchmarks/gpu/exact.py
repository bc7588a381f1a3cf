"""exact: do equal runs end in equal bits, and a stopped one that goes on in those of one that was never stopped?

Each variant at its full size trains twice from the start, and once more with a stop: after the first epoch it has saved
its checkpoint, in the second it is ended before it saves. What all that has changed is compared, bit by bit.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.gpu import project
from benchmarks.gpu.project import Fabric, PhotoBatches, Run, Stop
from benchmarks.gpu.report import Report
from benchmarks.gpu.runner import Options

EPOCHS, STEPS = 2, 2  # steps per epoch
PRECISIONS = ("auto", "16-mixed", "32-true")


@dataclass(frozen=True)
class Row:
    """One variant in one precision; a difference is the name of the first tensor that differs."""

    variant: str
    precision: str
    twice_equal: bool
    resumed_equal: bool
    finite: bool
    difference: str
    tensors: int
    seconds: float


def run(report: Report, options: Options) -> None:
    size, batch = project.sizes(options)
    data, done = None, set()
    for precision in PRECISIONS:
        try:
            fabric = project.compute(precision)
        except Exception as error:
            report.note(f"{precision} is left out: {error}")
            continue
        if project.precision_of(fabric) in done:
            report.note(f"{precision} is {project.precision_of(fabric)} here, which has been tried")
            continue
        done.add(project.precision_of(fabric))
        data = data or project.random_photos(STEPS * batch, size, fabric.device)
        for variant in project.variants():
            if report.time_for(f"{variant} in {precision}", 3):
                with report.attempt(f"{variant} in {precision}"):
                    report.add("bits", compared(variant, precision, data, batch, options))


def compared(variant: str, precision: str, data: PhotoBatches, batch: int, options: Options) -> Row:
    """Three runs of `variant`, against each other."""
    start = time.perf_counter()

    def trained(checkpoint: Path | None = None, last: int = -1) -> tuple[Fabric, dict[str, Tensor]]:
        fabric = project.compute(precision)  # a new one, since it holds the gradient scaler
        made = Run(
            fabric,
            project.model(variant, options),
            (data, data),
            batch,
            epochs=EPOCHS,
            warmup_epochs=1.0,
            stop=Stop(last),
            checkpoint=checkpoint,
        )
        if made.fit() != (last < 0):
            raise RuntimeError("the run was not stopped where it should have been")
        return fabric, made.state()

    fabric, once = trained()
    twice = trained()[1]
    with tempfile.TemporaryDirectory() as folder:
        trained(Path(folder), last=EPOCHS - 1)
        if not any(Path(folder).iterdir()):
            raise RuntimeError("the stopped run had left no checkpoint")
        resumed = trained(Path(folder))[1]
    differences = [first_difference(once, twice), first_difference(once, resumed)]
    return Row(
        variant=variant,
        precision=project.precision_of(fabric),
        twice_equal=not differences[0],
        resumed_equal=not differences[1],
        finite=all(bool(tensor.isfinite().all()) for tensor in once.values()),
        difference=" ".join(filter(None, differences)),
        tensors=len(once),
        seconds=round(time.perf_counter() - start, 1),
    )


def first_difference(left: dict[str, Tensor], right: dict[str, Tensor]) -> str:
    """The first name whose bits differ; "" if there is none."""
    if left.keys() != right.keys():
        return min(left.keys() ^ right.keys())
    return next((name for name in left if not same_bits(left[name], right[name])), "")


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors hold the same bits, NaN and the zero's sign included."""
    left, right = (tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (left, right))
    return torch.equal(left, right.to(left.device))
