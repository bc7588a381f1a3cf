"""starter VARIANT [FILE ...]: makes models/starters/VARIANT.safetensors, which git holds, of the model trained here.

It is what `release` writes, in half precision. With FILEs, models of the same variant such as the one that training
started from, each weight is the mean over all of them (Wortsman et al., ICML 2022, arXiv 2203.05482), not scored yet.
"""

import argparse
from pathlib import Path

import torch

from src.errors import UserError, run_main
from src.formats.metadata import STARTERS, read_model
from src.formats.tensors import Groups, write_tensors
from src.models import known_variants
from src.release.facts import parameters, released
from tools.find_model import find_file, known_here


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter", description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=known_variants())
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="another model of it, to take the mean of")
    options = parser.parse_args(arguments)
    variant, path = options.variant, find_file(options.variant)
    groups, metadata = released(variant, known_here(variant))
    if options.files:
        take_mean(groups, variant, options.files)
        metadata.pop("scores", None)
    for member in groups.values():
        for name, tensor in member.items():
            member[name] = tensor.half() if tensor.is_floating_point() else tensor
            if not member[name].isfinite().all():
                raise UserError(f"{path}: some of its weights are too large for half precision")
    starter = STARTERS / path.name
    write_tensors(starter, groups, metadata)
    print(f"{starter}: {starter.stat().st_size / 1e6:.1f} MB, {parameters(groups):,} parameters")


def take_mean(groups: Groups, variant: str, files: list[Path]) -> None:
    """Makes each weight in `groups` the mean over them and `files`; raises UserError for a file of another model."""
    read = []
    for file in files:
        weights, theirs = read_model(find_file(file))
        if shapes(weights) != shapes(groups) or theirs["variant"] != variant:
            raise UserError(f"{file}: its weights are not those of the same variant, width and folds; name one that is")
        read.append(weights)
    for group, member in groups.items():
        for name, tensor in member.items():
            if tensor.is_floating_point():
                member[name] = torch.stack([tensor.float(), *(other[group][name].float() for other in read)]).mean(0)


def shapes(groups: Groups) -> dict[str, dict[str, torch.Size]]:
    return {group: {name: tensor.shape for name, tensor in member.items()} for group, member in groups.items()}


if __name__ == "__main__":
    run_main(main)
