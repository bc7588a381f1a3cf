"""Training and prediction against their bare passes and a conventional loop: python -m benchmarks.training [--help]

The bare step is forward, loss, backward and update on one fixed batch, the bare prediction its forward passes alone.
The conventional loop trains the first model on files (see benchmarks/conventional.py). What is compared takes turns, in
one precision on one device. On a GPU a narrow and a full-width model are measured: loading binds the conventional loop
only where the model is fast.
"""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from statistics import median

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import in_turns, machine, spread
from benchmarks.conventional import conventional_epoch
from benchmarks.network import FULL, NARROW, Setting, build, make_trainer, setting, wait
from src.compute import Runtime
from src.formats.raw import list_raw
from src.inference import PredictParams, predict, resized
from src.params import read_params
from src.sources.synthetic import Params, fetch
from stages.train.launch import device_name, precision_name
from stages.train.trainer import Trainer

WANTED = (
    "of its bare step at least 0.92 on a CPU and 0.95 on a GPU, of its bare prediction 0.95, of the conventional loop "
    "1.3 where loading binds"
)
LONG_STEPS, LONG_TURNS = 90, 2  # against the conventional loop: fewer steps would count the start of its workers
DRAWN = 64  # photos for the conventional loop, again and again
COLUMNS = "training | photos/s | of its bare step | validated/s | predicted/s | of its bare prediction"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", nargs="+", default=["residual_unet"], help="one or several, or all")
    parser.add_argument("--budget", choices=(NARROW, FULL), help="whose sizes are taken; on a GPU by default both")
    parser.add_argument("--precision", choices=("32-true", "16-mixed", "bf16-mixed"), help="if not that of params.yaml")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--steps", type=int, default=6, help="batches per turn")
    parser.add_argument("--turns", type=int, default=7, help="a machine with other work wants more and shorter ones")
    options = parser.parse_args()
    variants = read_params("variants", list[str]) if options.variant == ["all"] else options.variant
    budgets = [options.budget] if options.budget else [NARROW, FULL] if torch.cuda.is_available() else [NARROW]
    how = {"precision": options.precision, "compiled": options.compile}
    runs = [setting(variant, budget, **how) for budget in budgets for variant in variants]
    print(f"{device_name(runs[0].fabric)}, {machine()}; wanted: {WANTED}\n")
    print(f"| {COLUMNS} |\n|{'---|' * 6}")
    for run in runs:
        cells = run.title, *training(run, options.steps, options.turns), *predicting(run, options.steps, options.turns)
        print(f"| {' | '.join(cells)} |", flush=True)
    for run in runs[:: len(variants)]:
        share = against_conventional(run, max(options.steps, LONG_STEPS))
        print(f"\n{run.title}, of the conventional loop: {share}", flush=True)


def training(run: Setting, steps: int, turns: int) -> tuple[str, str, str]:
    """The speed of training, its share of the bare step, and the speed of validation."""
    trainer, batch_size = make_trainer(run, steps), run.params["train"]["batch_size"]
    photos, masks = trainer.train.batch(torch.arange(batch_size))
    target = masks / 255

    def bare() -> None:
        for _ in range(steps):
            trainer.optimizer.zero_grad()
            trainer.fabric.backward(trainer.loss(trainer.model(photos), target))
            trainer.optimizer.step()
        wait(run.fabric.device)

    def validate() -> None:
        trainer.validate()
        wait(run.fabric.device)

    seconds = in_turns(epoch_of(trainer), bare, validate, repeats=turns)
    ours, _, validating = (steps * batch_size / median(part) for part in zip(*seconds, strict=True))
    return f"{ours:.4g}", spread([bare / ours for ours, bare, _ in seconds]), f"{validating:.4g}"


def epoch_of(trainer: Trainer) -> Callable[[], None]:
    """What trains an epoch, to its end on the device."""

    def epoch() -> None:
        trainer.train_epoch(0, tqdm(disable=True))
        wait(trainer.fabric.device)

    return epoch


def predicting(run: Setting, steps: int, turns: int) -> tuple[str, str]:
    """The speed of prediction, mirror image and scale as params.yaml has them, and its share of the bare one."""
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
    return f"{speed:.4g}", spread([bare / ours for ours, bare in seconds])


def against_conventional(run: Setting, steps: int) -> str:
    """The speed of our loop as a share of the conventional one's."""
    with tempfile.TemporaryDirectory() as folder:
        size = run.params["image_size"]
        raw = list_raw(fetch(Params(seed=0, labelled=DRAWN, test=1, size=size, wild=0), Path(folder)))
        usual = conventional_epoch(run, raw.photos, raw.masks, steps)
        seconds = in_turns(epoch_of(make_trainer(run, steps)), usual, repeats=LONG_TURNS)
    return spread([usual / ours for ours, usual in seconds])


if __name__ == "__main__":
    main()
