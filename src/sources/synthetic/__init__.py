"""The default data source: photo-like pictures of people that are drawn here, so that it needs no network.

Every photo is a function of (seed, index), the size and `wild`. A person is a posed 3D skeleton seen by an orthographic
camera; limbs, clothes and head are sweeps of balls and discs along it, painted back to front with a relief that one
light shades. A person's layer keeps its own alpha, so the mask is exactly what was painted. Lengths on bodies are in
heads (a head is 1, an adult about 7.4); body axes are x to the picture's right, y up, z towards the camera; pixels are
(x, y) with y down; backgrounds are in sides of the photo, y down.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
from pydantic import Field
from tqdm import tqdm

from src.errors import end_with_parent
from src.params import Section, Seed
from src.sources.synthetic.photo import write


class Params(Section):
    """The block `synthetic` of params.yaml."""

    seed: Seed
    labelled: int = Field(ge=1, le=100_000)
    test: int = Field(ge=1, le=100_000)
    size: int = Field(ge=64, le=4096)
    wild: float = Field(ge=0, le=1)


def fetch(params: Params, scratch: Path) -> Path:
    """Draws the photos of both parts and the masks of the labelled one, on all cores, below `scratch`."""
    raw = scratch / "drawn"
    for folder in ("train/images", "train/masks", "test/images"):
        (raw / folder).mkdir(parents=True, exist_ok=True)
    total = params.labelled + params.test
    step = max(1, min(16, total // 64))
    draw = partial(write, raw, params.seed, labelled=params.labelled, size=params.size, wild=params.wild)
    # A forked worker does not have the threads that OpenCV may have started here, and crashes or waits for them.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        with ProcessPoolExecutor(os.cpu_count(), initializer=_end_with, initargs=(os.getpid(),)) as pool:
            drawn = pool.map(draw, range(total), chunksize=step)
            for _ in tqdm(drawn, "drawing", total, unit="photo", disable=None):  # process_map would count chunks
                pass
    finally:
        cv2.setNumThreads(threads)
    return raw


def _end_with(parent: int) -> None:
    """Ends this process when `parent` ends, or at once if it has: it would wait for work for ever."""
    end_with_parent()
    if os.getppid() != parent:
        os._exit(1)
