"""prepare, against only decoding the same files with cv2.imread on all cores: python -m benchmarks.prepare"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import cv2
import yaml

from benchmarks import in_turns, machine, spread
from src.formats.raw import list_raw
from src.sources.synthetic import Params, fetch
from stages.prepare.arrays import prepare
from stages.prepare.traits import TraitParams

LABELLED, TEST, SIZE = 96, 32, 800
BOUND = 1.3


def main() -> None:
    traits = TraitParams(**yaml.safe_load(Path("params.yaml").read_text())["traits"])
    with tempfile.TemporaryDirectory() as folder:
        raw = list_raw(fetch(Params(seed=0, labelled=LABELLED, test=TEST, size=SIZE, wild=0), Path(folder)))

        def ours() -> None:
            for _ in chain(prepare(raw.photos, raw.masks, 256, 100, traits), prepare(raw.tests, [], 256, 100, traits)):
                pass

        def bound() -> None:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(cv2.imread, map(str, [*raw.photos, *raw.masks, *raw.tests])))

        seconds = in_turns(ours, bound, repeats=7)
    print(f"prepare of {LABELLED} + {TEST} photos of {SIZE} x {SIZE} ({machine()})")
    print(f"  photos per second     {spread([(LABELLED + TEST) / ours for ours, _ in seconds])}")
    print(f"  against decoding only {spread([ours / bound for ours, bound in seconds])}, wanted: at most {BOUND}")


if __name__ == "__main__":
    main()
