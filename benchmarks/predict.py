"""src/inference.py, against the bare forward pass on one fixed batch: python -m benchmarks.predict [--help]

Both predict the mirror image too, if `predict.mirror` says so, and see the photos `predict.scale` times as large.
"""

from contextlib import redirect_stderr
from io import StringIO
from statistics import median

import numpy as np
import torch

from benchmarks import in_turns, spread
from benchmarks.network import NARROW, command_line, operations, say_share_of_peak, setting, wait
from src.compute import Runtime
from src.inference import PredictParams, predict, resized
from stages.train.launch import precision_name

BOUND = 0.95


def main() -> None:
    options = command_line(__doc__)
    run = setting(options, options.budget or NARROW, predicting=True)
    params = PredictParams(**run.params["predict"] | {"batch_size": run.batch_size})
    size, count = run.params["image_size"], run.batch_size * run.steps
    photos = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    batch = torch.from_numpy(photos[: run.batch_size]).permute(0, 3, 1, 2).to(run.fabric.device)
    batch = resized(batch, [round(size * params.scale)] * 2).to(torch.uint8)
    model = run.model.eval()
    runtime = Runtime(run.fabric.device, precision_name(run.fabric))

    @torch.inference_mode()
    def forward() -> None:
        with runtime.autocast():
            model(batch)
            if params.mirror:
                model(batch.flip(-1))

    def ours() -> None:
        predict(runtime, model, photos, params, "")

    def bare() -> None:
        for _ in range(run.steps):
            forward()
        wait(run.fabric.device)

    with redirect_stderr(StringIO()):  # of its progress bars
        seconds = in_turns(ours, bare, repeats=run.turns)
    print(f"prediction, mirror {params.mirror}, scale {params.scale}, {run.title}")
    print(f"  photos per second, ours {spread([count / ours for ours, _ in seconds])}")
    print(f"  photos per second, bare {spread([count / bare for _, bare in seconds])}")
    print(f"  ours against bare       {spread([bare / ours for ours, bare in seconds])}, wanted: at least {BOUND}")
    say_share_of_peak(operations(forward), median(ours for ours, _ in seconds) / run.steps, run.fabric)


if __name__ == "__main__":
    main()
