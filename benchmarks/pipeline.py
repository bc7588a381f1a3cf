"""dvc repro with nothing to do, and JOBS=2 against one variant after the other: python -m benchmarks.pipeline

On the drawn photos and all variants, with what params.yaml says but for the size of the photos and the epochs. Each
turn of the second trains with another seed.
"""

import argparse
import tempfile
from itertools import count
from pathlib import Path

import yaml

from benchmarks import in_turns, machine, spread
from tests.conftest import ROOT, copy_project

IMAGE_SIZE, EPOCHS = 128, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", default="2", help="variants side by side")
    jobs, seeds = parser.parse_args().jobs, count()
    params = (ROOT / "params.yaml").read_text()
    variants = yaml.safe_load(params)["variants"]
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder, "project"), variants)
        (project.root / "params.yaml").write_text(params)
        project.set(source="synthetic", budget="cpu", image_size=IMAGE_SIZE, cpu__train__epochs=EPOCHS)
        project.repro("split")

        def one_after_another() -> None:
            project.set(seed=next(seeds))
            project.repro()

        def side_by_side() -> None:
            project.set(seed=next(seeds))
            project.tool("jobs", jobs)

        def nothing() -> None:
            assert project.repro() == []

        ((alone, together),) = in_turns(one_after_another, side_by_side, repeats=1, uncounted=0)
        idle = in_turns(nothing, repeats=5)
    print(f"{len(variants)} variants, {EPOCHS} epochs at {IMAGE_SIZE} pixels ({machine()})")
    print(f"  one after another {alone:.0f} s, {jobs} side by side {together:.0f} s")
    print(f"  the second of the first  {together / alone:.3f}, wanted: at most 0.75")
    print(f"  nothing to do, seconds   {spread([seconds for (seconds,) in idle])}")


if __name__ == "__main__":
    main()
