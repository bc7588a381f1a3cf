"""The format of data/predictions/VARIANT: probability maps, uint8 (N, S, S), 255 for certainly person, one file a part,
and what they cost.

`val.npy` and `holdout.npy` follow the order of data/split.csv, `test.npy` that of data/prepared/test. `cost.json` holds
a Cost.
"""

from pathlib import Path

import numpy as np

from src.errors import UserError
from src.files import replacing
from src.formats.arrays import read_array
from src.params import Section

PREDICTIONS = Path("data/predictions")
AGAIN = "run dvc repro -f -s predict@{}"


class Cost(Section):
    """A model's size, and its operations for one photo, in billions."""

    parameters: int
    gflop: float


def write_predictions(variant: str, part: str, maps: np.ndarray) -> None:
    """Writes `maps`, uint8 (N, S, S), to data/predictions/VARIANT/PART.npy."""
    with replacing(PREDICTIONS / variant / f"{part}.npy") as partial, partial.open("wb") as file:
        np.save(file, maps)


def read_predictions(variant: str, part: str, expected: int) -> np.ndarray:
    """The maps of one part, uint8 (N, S, S), memory-mapped; raises UserError if damaged or N is not `expected`."""
    return read_array(PREDICTIONS / variant / f"{part}.npy", (expected, None, None), AGAIN.format(variant))


def write_cost(variant: str, cost: Cost) -> None:
    """Writes data/predictions/VARIANT/cost.json."""
    with replacing(PREDICTIONS / variant / "cost.json") as partial:
        partial.write_text(cost.model_dump_json() + "\n")


def read_cost(variant: str) -> Cost:
    """What is there; raises UserError if it is damaged."""
    path = PREDICTIONS / variant / "cost.json"
    try:
        return Cost.model_validate_json(path.read_bytes())
    except ValueError:
        raise UserError(f"{path} is damaged; {AGAIN.format(variant)}") from None
