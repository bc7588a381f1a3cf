"""The format of data/split.csv: which labelled photo trains, which selects the model, which gives the headline score.

A row per labelled photo, in the order of data/prepared: `id`; `part`, one of PARTS, or "spare" where split.train leaves
it out; `fold`, the number of its fold, HOLDOUT or SPARE; `group`, the id of the first of its near-duplicates.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.errors import UserError
from src.formats.tables import read_table

SPLIT = Path("data/split.csv")
PARTS = ("train", "val", "holdout")
HOLDOUT, SPARE = -1, -2  # in place of a fold's number
NO_FOLD = {"holdout": HOLDOUT, "spare": SPARE}
AGAIN = "run dvc repro -f -s split, or git checkout data/split.csv"


def read_split(photos: int | Sequence[str] | None = None) -> pd.DataFrame:
    """data/split.csv; `id` and `group` are strings. `photos` are the ids of the labelled photos, or how many there are.

    Raises UserError if it is damaged, belongs to other photos or has them in another order, or leaves a part empty.
    """
    rows = read_table(SPLIT, {"id": str, "part": str, "fold": int, "group": str}, AGAIN)
    fits = len(rows) == photos if isinstance(photos, int) else photos is None or list(rows["id"]) == list(photos)
    if not fits:
        raise UserError(f"{SPLIT} is not that of the photos in data/prepared; {AGAIN}")
    wrong = [((rows["part"] == part) != (rows["fold"] == fold)).any() for part, fold in NO_FOLD.items()]
    if set(rows["part"]) - {"spare"} != set(PARTS) or any(wrong):
        raise UserError(f"{SPLIT}: each row is one of {', '.join(PARTS)}, with a fold or {HOLDOUT}; {AGAIN}")
    return rows


def part_indices(rows: pd.DataFrame, part: str) -> NDArray[np.int64]:
    """The positions in data/prepared of the photos of `part`, ascending."""
    return np.flatnonzero(rows["part"] == part)


class Fold(NamedTuple):
    """Fold `number` is val, all others are train: positions in data/prepared, int64 (N,), ascending."""

    number: int
    train: NDArray[np.int64]
    val: NDArray[np.int64]


def choose_folds(rows: pd.DataFrame, count: int) -> list[Fold]:
    """`count` folds of data/split.csv, the one that is val first; raises UserError if there are not as many.

    Where split.train leaves photos out, there is only one: others would train on all of val, which it does not count.
    """
    folds = rows["fold"].to_numpy()
    if count > 1 and (folds == SPARE).any():
        raise UserError("params.yaml: with split.train, the budget's train.folds must be 1; or set split.train to 0")
    total = int(folds.max()) + 1
    if count > total:
        raise UserError(f"params.yaml: the budget's train.folds is {count}, but split.folds is {total}; lower it")
    first = int(folds[rows["part"] == "val"][0])
    numbers = [(first + i) % total for i in range(count)]
    return [Fold(n, np.flatnonzero((folds >= 0) & (folds != n)), np.flatnonzero(folds == n)) for n in numbers]
