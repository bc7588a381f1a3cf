"""pipeline: `dvc repro` end to end on real photos, or drawn ones, killed once and gone on with.

A copy of the project runs `dvc repro evaluate@residual_unet`. Its training is killed once it has saved a checkpoint,
and dvc is asked again; a twin of the copy, whose training runs meanwhile and is not killed, has to end in the same
bytes.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu import project
from benchmarks.gpu.project import Pipeline
from benchmarks.gpu.report import Report
from benchmarks.gpu.runner import Options, kill_tree

VARIANT = "residual_unet"
SHORT = 5  # epochs of the run that is killed
DRAWN, DRAWN_SIZE = 400, 400


@dataclass(frozen=True)
class EndToEnd:
    """dvc repro, killed once and gone on with, against a training that nobody killed."""

    variant: str
    photos: str
    epochs: int
    killed: bool
    went_on: bool
    same_bytes: bool
    holdout_dice: float
    prepare_seconds: float
    until_killed_seconds: float
    rest_seconds: float


def run(report: Report, options: Options) -> None:
    start = time.perf_counter()
    with prepared(options) as pipeline:
        report.add("pipeline", end_to_end(pipeline, time.perf_counter() - start, options))


@contextmanager
def prepared(options: Options) -> Iterator[Pipeline]:
    """A copy of the project that has run up to `split`, as long as the block runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labelled, size = (24, 96) if options.miniature else (DRAWN, DRAWN_SIZE)
        photos = options.photos or project.drawn_photos(folder / "photos", labelled, size)
        pipeline = Pipeline(folder / "project", photos, VARIANT, 3 if options.miniature else SHORT, options)
        pipeline.repro("split")
        yield pipeline


def end_to_end(pipeline: Pipeline, prepare_seconds: float, options: Options) -> EndToEnd:
    """Kills the training, goes on and evaluates, while the twin trains in one go."""
    twin = pipeline.twin(pipeline.root.with_name("twin"))
    with ThreadPoolExecutor(1) as pool:
        unkilled = pool.submit(twin.repro, f"train@{VARIANT}")
        start = time.perf_counter()
        killed = killed_once(pipeline)
        middle = time.perf_counter()
        output = pipeline.repro(f"evaluate@{VARIANT}")
        end = time.perf_counter()
        unkilled.result()
    return EndToEnd(
        variant=VARIANT,
        photos=str(options.photos or "drawn"),
        epochs=pipeline.epochs,
        killed=killed,
        went_on="going on from epoch" in output,
        same_bytes=digest(pipeline.model_file()) == digest(twin.model_file()),
        holdout_dice=pipeline.dice(),
        prepare_seconds=round(prepare_seconds, 1),
        until_killed_seconds=round(middle - start, 1),
        rest_seconds=round(end - middle, 1),
    )


def killed_once(pipeline: Pipeline) -> bool:
    """Starts the training and kills it, with dvc, after its first checkpoint; whether it was still running then."""
    process = pipeline.start(f"train@{VARIANT}")
    while process.poll() is None and not pipeline.checkpoints():
        time.sleep(0.005)
    running = process.poll() is None
    kill_tree(process.pid)
    process.communicate()
    return running


def digest(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
