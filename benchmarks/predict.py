"""src/inference.py, against the bare forward pass on one fixed batch: python -m benchmarks.predict [--help]

Both predict the mirror image too, if `predict.mirror` says so, and see the photos `predict.scale` times as large.
"""

from contextlib import redirect_stderr
from io import StringIO
from statistics import median

import numpy as np
import torch

from benchmarks import in_turns, machine, spread
from benchmarks.network import NARROW, Setting, build, command_line, operations, peak, setting, wait
from src.compute import Runtime
from src.inference import PredictParams, predict, resized
from stages.train.launch import device_name, precision_name

WANTED = "of the bare forward pass at least 0.95"


def main() -> None:
    options = command_line(__doc__)
    runs = [setting(options, variant, options.budget or NARROW, predicting=True) for variant in options.variant]
    fabric = runs[0].fabric
    print(f"{device_name(fabric)}, {machine()}; wanted: {WANTED}\n")
    print("| prediction | photos/s | of the bare forward pass | share of peak |\n|---|---|---|---|")
    most = peak(fabric)
    for run in runs:
        print(f"| {' | '.join(measured(run, options.steps, options.turns, most))} |", flush=True)


def measured(run: Setting, steps: int, turns: int, most: float) -> list[str]:
    """A row of the table; `most` is the peak in operations per second."""
    params = PredictParams(**run.params["predict"] | {"batch_size": run.batch_size})
    size, count = run.params["image_size"], run.batch_size * steps
    photos = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    batch = torch.from_numpy(photos[: run.batch_size]).permute(0, 3, 1, 2).to(run.fabric.device)
    batch = resized(batch, [round(size * params.scale)] * 2).to(torch.uint8)
    model = build(run).eval()
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
        for _ in range(steps):
            forward()
        wait(run.fabric.device)

    with redirect_stderr(StringIO()):  # of its progress bars
        seconds = in_turns(ours, bare, repeats=turns)
    took = median(ours for ours, _ in seconds)
    share = operations(forward) * steps / took / most
    return [run.title, f"{count / took:.4g}", spread([bare / ours for ours, bare in seconds]), f"{share:.2f}"]


if __name__ == "__main__":
    main()
