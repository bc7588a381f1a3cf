"""The format of data/predictions/VARIANT: probability maps, uint8 (N, S, S), 255 for certainly person, one file a part.

`val.npy` and `holdout.npy` follow the order of data/split.csv, `test.npy` that of data/prepared/test.
"""

from pathlib import Path

import numpy as np

from src.stage import UserError

PREDICTIONS = Path("data/predictions")


def write_predictions(variant: str, part: str, maps: np.ndarray) -> None:
    """Writes `maps`, uint8 (N, S, S), to data/predictions/VARIANT/PART.npy."""
    folder = PREDICTIONS / variant
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{part}.npy", maps)


def read_predictions(variant: str, part: str, expected: int) -> np.ndarray:
    """The maps of one part, uint8 (N, S, S), memory-mapped; raises UserError if N is not `expected`."""
    maps = np.load(PREDICTIONS / variant / f"{part}.npy", mmap_mode="r")
    if len(maps) != expected:
        raise UserError(
            f"{PREDICTIONS / variant}: {len(maps)} maps for {expected} photos; run dvc repro predict@{variant}"
        )
    return maps
