"""sync: does a step wait for the GPU? And what do other ways to train give: the conventional loop, torch.compile, a
larger batch, the other memory format?

Under torch's sync debug mode an operation that makes the host wait for the GPU raises an error. It is switched on after
an epoch's first steps and off after its last, since an epoch may look at its losses when it ends.
"""

import os
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import torch
from tqdm import tqdm

from benchmarks import conventional, in_turns
from benchmarks.gpu import project
from benchmarks.gpu.project import Fabric, Run
from benchmarks.gpu.report import Report, first_line
from benchmarks.gpu.runner import Options
from benchmarks.network import wait

WARM, WATCHED = 3, 8  # steps
LOOP_STEPS = 90  # fewer would charge the start of the workers to the conventional loop
STEPS = 20
COMPARED = "residual_unet"
COMPILED = ("residual_unet", "efficientnet_unet")
LARGE_BATCH = 64
COMPILE_SECONDS = 60  # torch.compile is not begun with less time than this


@dataclass(frozen=True)
class Waits:
    """Whether the steps of one variant let the host run ahead; if not, what waited and from where it was called."""

    variant: str
    watched: bool
    waits: bool
    error: str
    where: str


@dataclass(frozen=True)
class Speed:
    """One way to train against another, in photos per second."""

    what: str
    photos_per_second: float
    against: str
    its_photos_per_second: float
    ratio: float
    seconds_to_start: float


class Watch(tqdm):
    """A bar that switches the sync debug mode on after `WARM` steps, and off after the last."""

    def __init__(self, steps: int, batch: int, device: torch.device) -> None:
        super().__init__(disable=True)
        self.steps, self.batch, self.seen, self.on_gpu = steps, batch, 0, device.type == "cuda"

    def update(self, n: float | None = 1) -> bool | None:
        self.seen += round((n or 0) / self.batch)
        if self.on_gpu:
            torch.cuda.set_sync_debug_mode("error" if WARM <= self.seen < self.steps else "default")
        return None


def run(report: Report, options: Options) -> None:
    fabric = project.compute()
    for variant in project.variants():
        if report.time_for(f"watching {variant}", 2):
            with report.attempt(f"watching {variant}"):
                report.add("waits", watched(variant, fabric, options))
    for name, narrow in (("narrow", True), ("full width", False)):
        if report.time_for(f"the conventional loop, {name}", 5):
            with report.attempt(f"the conventional loop, {name}"):
                report.add("speed", against_conventional(name, narrow, fabric, options))
    for name, narrow in (("narrow", True), ("full width", False)):
        if report.time_for(f"without CUDA graphs, {name}", 4):
            with report.attempt(f"without CUDA graphs, {name}"):
                report.add("speed", against_no_graphs(name, narrow, options))
    for name, work in (("batch 64", larger_batch), ("memory format", memory_format)):
        if report.time_for(name, 5):
            with report.attempt(name):
                report.add("speed", work(options))
    for variant in COMPILED:
        if not options.miniature and report.time_for(f"torch.compile of {variant}", COMPILE_SECONDS):
            with report.attempt(f"torch.compile of {variant}"):
                report.add("speed", against_compiled(variant, fabric, options))


def watched(variant: str, fabric: Fabric, options: Options) -> Waits:
    """Some steps of `variant` under the debug mode; on a CPU they just run."""
    size, batch = project.sizes(options)
    steps = WARM + (1 if options.miniature else WATCHED)
    data = project.random_photos(steps * batch, size, fabric.device)
    made = Run(fabric, project.model(variant, options), (data, data), batch)
    on_gpu = fabric.device.type == "cuda"
    watch = Watch(steps, batch, fabric.device)
    error: Exception | None = None
    try:
        made.epoch(bar=watch)
    except RuntimeError as raised:
        error = raised
    finally:
        if on_gpu:
            torch.cuda.set_sync_debug_mode("default")
    if watch.seen < WARM:
        raise error or RuntimeError(f"the trainer told its bar of {watch.seen} steps only")
    return Waits(variant, on_gpu, error is not None, first_line(error) if error else "", place_of(error))


def place_of(error: Exception | None) -> str:
    """FILE:LINE of the project's innermost frame in `error`'s traceback, and the operation's own."""
    if error is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if any(Path(frame.filename).is_relative_to(Path(room).resolve()) for room in ("src", "stages"))
    ]
    inner = dict.fromkeys(f"{Path(frame.filename).name}:{frame.lineno}" for frame in [*own[-1:], frames[-1]])
    return ", ".join(inner)


def against_conventional(name: str, narrow: bool, fabric: Fabric, options: Options) -> Speed:
    """Our loop against the conventional one, on as many drawn photos, in turns of 90 steps."""
    size, batch = project.sizes(options)
    steps, turns = (2, 1) if options.miniature else (LOOP_STEPS, 2)
    count = steps * batch
    data = project.random_photos(count, size, fabric.device)
    made = Run(fabric, project.model(COMPARED, options, narrow=narrow), (data, data), batch)
    with tempfile.TemporaryDirectory() as folder:
        photos, masks = drawn_files(Path(folder), count, size, options)
        files = conventional.Files(photos, masks, conventional.changes(project.augment_params()))
        batches = conventional.loader(files, batch)
        model, optimizer, loss = Run(
            fabric, project.model(COMPARED, options, narrow=narrow), (data, data), batch, graphs=False
        ).bare()

        def usual() -> None:
            conventional.epoch(fabric, model, optimizer, loss, batches)
            wait(fabric.device)

        seconds = in_turns(made.epoch, usual, repeats=turns)
    return speed(
        f"our loop, {COMPARED} {name}, batch {batch}",
        count / median(turn[0] for turn in seconds),
        f"the conventional loop of {os.cpu_count()} workers at most",
        count / median(turn[1] for turn in seconds),
    )


def drawn_files(folder: Path, count: int, size: int, options: Options) -> tuple[list[Path], list[Path]]:
    """`count` PNG files of photos and of masks at the working size; the same few again and again."""
    raw = project.drawn_photos(folder, 4 if options.miniature else 64, max(size, 64))
    photos, masks = (sorted((raw / "train" / kind).iterdir()) for kind in ("images", "masks"))
    for path in (*photos, *masks):
        image = cv2.imread(str(path))
        assert image is not None
        cv2.imwrite(str(path), cv2.resize(image, (size, size), interpolation=cv2.INTER_NEAREST))
    return [photos[i % len(photos)] for i in range(count)], [masks[i % len(masks)] for i in range(count)]


def against_no_graphs(name: str, narrow: bool, options: Options) -> Speed:
    """Our loop with the passes recorded as CUDA graphs against the same without."""
    fabric = project.compute()
    size, batch = project.sizes(options)
    data = project.random_photos(batch * (1 if options.miniature else STEPS), size, fabric.device)
    both = [
        Run(fabric, project.model(COMPARED, options, narrow=narrow), (data, data), batch, graphs=graphs)
        for graphs in (True, False)
    ]
    seconds = in_turns(*(made.epoch for made in both), repeats=1 if options.miniature else 2)
    rates = [made.steps * made.batch / median(turn[place] for turn in seconds) for place, made in enumerate(both)]
    return speed(f"our loop, {COMPARED} {name}, CUDA graphs", rates[0], "without", rates[1])


def larger_batch(options: Options) -> Speed:
    """Our loop with batches of 64 against those of 16."""
    fabric = project.compute()
    size, batch = project.sizes(options)
    large = 4 if options.miniature else LARGE_BATCH
    data = project.random_photos(large * (1 if options.miniature else STEPS), size, fabric.device)
    both = [Run(fabric, project.model(COMPARED, options), (data, data), each) for each in (large, batch)]
    seconds = in_turns(*(made.epoch for made in both), repeats=1 if options.miniature else 2)
    rates = [made.steps * made.batch / median(turn[place] for turn in seconds) for place, made in enumerate(both)]
    return speed(f"our loop, {COMPARED}, batch {large}", rates[0], f"batch {batch}", rates[1])


def memory_format(options: Options) -> Speed:
    """Forward and backward in 32 bits, channels last against contiguous."""
    fabric = project.compute("32-true")
    size, batch = project.sizes(options)
    images = torch.randn(batch, 3, size, size, device=fabric.device)
    steps = 1 if options.miniature else STEPS
    works = [
        partial(forward_backward, options, fabric, images.contiguous(memory_format=kind), steps, kind)()
        for kind in (torch.channels_last, torch.contiguous_format)
    ]
    seconds = in_turns(*works, repeats=1 if options.miniature else 2)
    rates = [steps * batch / median(turn[place] for turn in seconds) for place in range(2)]
    return speed(f"{COMPARED} in 32 bits, channels last", rates[0], "contiguous", rates[1])


def forward_backward(
    options: Options, fabric: Fabric, images: torch.Tensor, steps: int, kind: torch.memory_format
) -> Callable[[], None]:
    """`steps` times forward and backward of a model in the memory format `kind`."""
    model = project.model(COMPARED, options).to(fabric.device).to(memory_format=kind)

    def work() -> None:
        for _ in range(steps):
            model.zero_grad()
            project.segment(model, images).mean().backward()
        wait(fabric.device)

    return work


def against_compiled(variant: str, fabric: Fabric, options: Options) -> Speed:
    """Our loop through torch.compile against it as it is."""
    size, batch = project.sizes(options)
    data = project.random_photos(STEPS * batch, size, fabric.device)
    plain = Run(fabric, project.model(variant, options), (data, data), batch)
    start = time.perf_counter()
    made = Run(fabric, project.compiled(fabric, project.model(variant, options)), (data, data), batch, graphs=False)
    made.epoch()
    begun = time.perf_counter() - start
    seconds = in_turns(made.epoch, plain.epoch, repeats=2)
    rates = [STEPS * batch / median(turn[place] for turn in seconds) for place in range(2)]
    return speed(f"our loop, {variant} compiled", rates[0], "as it is", rates[1], begun)


def speed(what: str, rate: float, against: str, other: float, seconds_to_start: float = 0.0) -> Speed:
    """The row for two rates in photos per second."""
    return Speed(what, rate, against, other, rate / other, seconds_to_start)
