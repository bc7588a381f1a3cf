"""starter VARIANT: makes models/starters/VARIANT.safetensors, which git holds, of the model that was trained here.

Its weights are kept in half precision. The metadata gains what a user of the file needs beside it: the threshold that
evaluate chose, and the holdout Dice.
"""

import argparse

import torch

from src.errors import UserError, run_main
from src.formats.metrics import read_metrics
from src.formats.model import STARTERS, load_model, model_path, save_model
from src.models import known_variants


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter", description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=known_variants())
    variant = parser.parse_args(arguments).variant
    path, metrics = model_path(variant), read_metrics(variant)
    if not path.exists():
        raise UserError(f"{path} is missing; run dvc repro train@{variant}, or dvc pull train@{variant}")
    model, about = load_model(path)
    members = [
        {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in member.state_dict().items()}
        for member in model.members
    ]
    if not all(tensor.isfinite().all() for member in members for tensor in member.values()):
        raise UserError(f"{path}: some of its weights are too large for half precision")
    about |= {"threshold": metrics.threshold, "holdout_dice": metrics.holdout.dice}
    starter = STARTERS / path.name
    save_model(starter, members, about)
    parameters = sum(tensor.numel() for tensor in members[0].values() if tensor.dtype == torch.float16)
    print(f"{starter}: {starter.stat().st_size / 1e6:.1f} MB, {parameters:,} numbers, Dice {about['holdout_dice']:.4f}")


if __name__ == "__main__":
    run_main(main)
