"""predict: probability maps as the stage makes them, against the bare forward passes on one batch on the device."""

from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from statistics import median

import numpy as np

from benchmarks import in_turns
from benchmarks.gpu import project
from benchmarks.gpu.report import Report
from benchmarks.gpu.runner import Options
from benchmarks.network import wait

BATCHES = 12


@dataclass(frozen=True)
class Row:
    """One variant; a mirror image's pass is part of a photo's prediction where params.yaml wants it."""

    variant: str
    precision: str
    mirror: bool
    photos_per_second: float
    bare_photos_per_second: float
    of_bare: float


def run(report: Report, options: Options) -> None:
    fabric = project.compute()
    first = [variant for variant in ("residual_unet", "efficientnet_unet") if variant in project.variants()]
    for variant in dict.fromkeys([*first, *project.variants()]):
        if report.time_for(variant, 1):
            with report.attempt(variant):
                report.add("speed", measured(variant, fabric, options))


def measured(variant: str, fabric: project.Fabric, options: Options) -> Row:
    """Times the prediction as the stage makes it and the bare forward passes, in turns."""
    settings, size = project.predict_params(options), project.sizes(options)[0]
    batches, turns = (2, 1) if options.miniature else (BATCHES, 3)
    count = batches * settings.batch_size
    photos = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    model = project.on_device(fabric, project.model(variant, options)).eval()
    forward = project.predict_bare(fabric, model, photos, settings)

    def ours() -> None:
        project.predict_all(fabric, model, photos, settings)

    def bare() -> None:
        for _ in range(batches):
            forward()
        wait(fabric.device)

    with redirect_stderr(StringIO()):  # of its progress bars
        seconds = in_turns(ours, bare, repeats=turns)
    rate, bare_rate = (count / median(turn[place] for turn in seconds) for place in range(2))
    return Row(variant, project.precision_of(fabric), settings.mirror, rate, bare_rate, rate / bare_rate)
