"""starter VARIANT: makes models/starters/VARIANT.safetensors, which git holds, of the model that was trained here.

It is what `release` writes, in half precision.
"""

import argparse

from src.errors import UserError, run_main
from src.formats.metadata import STARTERS
from src.formats.tensors import write_tensors
from src.models import known_variants
from src.release.facts import parameters, released
from tools.find_model import find_file, known_here


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter", description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=known_variants())
    variant = parser.parse_args(arguments).variant
    path = find_file(variant)
    groups, metadata = released(variant, known_here(variant))
    for member in groups.values():
        for name, tensor in member.items():
            member[name] = tensor.half() if tensor.is_floating_point() else tensor
            if not member[name].isfinite().all():
                raise UserError(f"{path}: some of its weights are too large for half precision")
    starter = STARTERS / path.name
    write_tensors(starter, groups, metadata)
    print(f"{starter}: {starter.stat().st_size / 1e6:.1f} MB, {parameters(groups):,} parameters")


if __name__ == "__main__":
    run_main(main)
