"""The stages that run no network, on photos of 800 x 800: python -m benchmarks.photos

prepare, against only decoding the same files with cv2.imread on all cores; and the choice of a threshold, evaluate and
submit, per photo and core.
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import yaml

from benchmarks import in_turns, machine, spread
from src.formats.prepared import LABELLED, NativeMasks, read_rows, read_soft_masks, write_prepared
from src.formats.raw import list_raw
from src.postprocess import PostprocessParams
from src.sources.synthetic import Params, fetch
from stages.evaluate.summary import score_photos, summarise
from stages.evaluate.threshold import best_threshold, threshold_curve
from stages.prepare.arrays import prepare
from stages.prepare.traits import TraitParams
from stages.submit.__main__ import submission

PHOTOS, TEST, SIZE, WORKING_SIZE, MEGAPIXELS = 128, 32, 800, 256, 100
AGAINST_DECODING, MILLISECONDS = 1.3, 15.0  # wanted


def main() -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    traits, postprocess = TraitParams(**params["traits"]), PostprocessParams(**params["postprocess"])
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        raw = list_raw(fetch(Params(seed=0, labelled=PHOTOS, test=TEST, size=SIZE, wild=0), Path(folder)))
        how = (WORKING_SIZE, MEGAPIXELS, traits)

        def prepare_all() -> None:
            for _ in chain(prepare(raw.photos, raw.masks, *how), prepare(raw.tests, [], *how)):
                pass

        def decode() -> None:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(cv2.imread, map(str, [*raw.photos, *raw.masks, *raw.tests])))

        preparing = in_turns(prepare_all, decode, repeats=7)
        write_prepared(LABELLED, prepare(raw.photos, raw.masks, *how))
        rows = read_rows(LABELLED)
        native, noise = NativeMasks(rows), np.random.default_rng(0)
        maps = [mask * 150.0 + noise.normal(50, 25, mask.shape) for mask in read_soft_masks()]
        maps = np.clip(maps, 0, 255).astype(np.uint8)  # the true masks, on noise that makes islands

        def evaluate() -> None:
            threshold = best_threshold(threshold_curve(maps, range(PHOTOS), native))
            summarise(score_photos(maps, range(PHOTOS), native, threshold, postprocess), rows)
            submission(maps, rows, threshold, postprocess)

        evaluating = in_turns(evaluate, repeats=7)
    print(f"photos of {SIZE} x {SIZE} ({machine()})")
    print(f"  prepare, photos per second    {spread([(PHOTOS + TEST) / ours for ours, _ in preparing])}")
    print(
        f"  against decoding only         {spread([a / b for a, b in preparing])}, wanted: at most {AGAINST_DECODING}"
    )
    milliseconds = [1000 * seconds * (os.cpu_count() or 1) / PHOTOS for (seconds,) in evaluating]
    print(f"  scoring, ms a photo and core  {spread(milliseconds)}, wanted: at most {MILLISECONDS}")


if __name__ == "__main__":
    main()
