"""make repro JOBS=2 against make repro, once the photos are there: python -m benchmarks.jobs [--help]

On drawn photos and all variants, with what params.yaml says but for the size of the photos and the epochs, which
the options set. Each turn trains with another seed.
"""

import tempfile
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser
from itertools import count
from pathlib import Path

import yaml

from benchmarks import in_turns, machine, spread
from tests.conftest import ROOT, copy_project

BOUND = 0.75


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="variants side by side")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--turns", type=int, default=1)
    options = parser.parse_args()
    params = (ROOT / "params.yaml").read_text()
    variants = yaml.safe_load(params)["variants"]
    seeds = count()
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder, "project"), variants)
        (project.root / "params.yaml").write_text(params)
        project.set(image_size=options.image_size, cpu__train__epochs=options.epochs)
        project.repro("split")

        def one_after_another() -> None:
            project.set(seed=next(seeds))
            project.repro()

        def side_by_side() -> None:
            project.set(seed=next(seeds))
            project.tool("jobs", str(options.jobs))

        seconds = in_turns(one_after_another, side_by_side, repeats=options.turns, uncounted=0)
    alone, together, ratio = zip(*((a, b, b / a) for a, b in seconds), strict=True)
    print(f"{len(variants)} variants, {options.epochs} epochs at {options.image_size} pixels ({machine()})")
    print(f"  seconds, one after another {spread(alone)}")
    print(f"  seconds, {options.jobs} side by side    {spread(together)}")
    print(f"  the second of the first    {spread(ratio)}, wanted: at most {BOUND}")


if __name__ == "__main__":
    main()
