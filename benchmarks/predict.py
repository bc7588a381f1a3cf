"""src/inference.py, against the bare forward pass on one fixed batch: python -m benchmarks.predict [--help]

Both predict the mirror image too, if `predict.mirror` says so, and see the photos `predict.scale` times as large.
"""

from contextlib import redirect_stderr
from io import StringIO
from statistics import median

import numpy as np
import torch

from benchmarks import in_turns, spread
from benchmarks.network import Setting, build, measure_all, wait
from src.compute import Runtime
from src.inference import PredictParams, predict, resized
from stages.train.launch import precision_name

WANTED = "of the bare forward pass at least 0.95"
COLUMNS = ("prediction", "photos/s", "of the bare forward pass")


def measured(run: Setting, steps: int, turns: int) -> list[str]:
    """A row of the table."""
    params, size = PredictParams(**run.params["predict"]), run.params["image_size"]
    photos = np.random.default_rng(0).integers(0, 256, (params.batch_size * steps, size, size, 3), dtype=np.uint8)
    batch = torch.from_numpy(photos[: params.batch_size]).permute(0, 3, 1, 2).to(run.fabric.device)
    batch = resized(batch, [round(size * params.scale)] * 2).to(torch.uint8)
    model, runtime = build(run).eval(), Runtime(run.fabric.device, precision_name(run.fabric))

    def ours() -> None:
        predict(runtime, model, photos, params, "")

    @torch.inference_mode()
    def bare() -> None:
        with runtime.autocast():
            for _ in range(steps):
                model(batch)
                if params.mirror:
                    model(batch.flip(-1))
        wait(run.fabric.device)

    with redirect_stderr(StringIO()):  # of its progress bars
        seconds = in_turns(ours, bare, repeats=turns)
    speed = len(photos) / median(ours for ours, _ in seconds)
    return [run.title(params.batch_size), f"{speed:.4g}", spread([bare / ours for ours, bare in seconds])]


if __name__ == "__main__":
    measure_all(__doc__, WANTED, COLUMNS, measured)
