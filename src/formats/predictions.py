"""The format of data/predictions/VARIANT: probability maps, uint8 (N, S, S), 255 for certainly person, one file a part.

`val.npy` and `holdout.npy` follow the order of data/split.csv, `test.npy` that of data/prepared/test.
"""

from pathlib import Path

import numpy as np

from src.files import replacing
from src.formats.arrays import read_array
from src.stage import UserError

PREDICTIONS = Path("data/predictions")


def write_predictions(variant: str, part: str, maps: np.ndarray) -> None:
    """Writes `maps`, uint8 (N, S, S), to data/predictions/VARIANT/PART.npy."""
    with replacing(PREDICTIONS / variant / f"{part}.npy") as partial, partial.open("wb") as file:
        np.save(file, maps)


def read_predictions(variant: str, part: str, expected: int) -> np.ndarray:
    """The maps of one part, uint8 (N, S, S), memory-mapped; raises UserError if damaged or N is not `expected`."""
    path, again = PREDICTIONS / variant / f"{part}.npy", f"run dvc repro -f -s predict@{variant}"
    maps = read_array(path, (expected, None, None), again)
    if maps.shape[1] != maps.shape[2]:
        raise UserError(f"{path}: maps of {maps.shape[1]} x {maps.shape[2]} are not square; {again}")
    return maps
