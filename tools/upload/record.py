"""submissions/kaggle.csv: what was handed in to Kaggle, from which commit, and what came back."""

from typing import NamedTuple

import pandas as pd

from src.files import replacing
from src.formats.submission import SUBMISSIONS
from src.formats.tables import read_table

RECORD = SUBMISSIONS / "kaggle.csv"


class Row(NamedTuple):
    """An upload; `md5` is the start of the file's, `kaggle_id` is Kaggle's number of it."""

    date: str
    file: str
    variant: str
    loss: str
    commit: str
    holdout_dice: str
    md5: str
    kaggle_id: int
    public_score: str = ""
    private_score: str = ""
    status: str = "pending"


def read_record() -> list[Row]:
    """The uploads so far, oldest first; raises UserError if the file is not what was written."""
    if not RECORD.exists():
        return []
    table = read_table(RECORD, Row.__annotations__, f"mend it, or git checkout {RECORD}")
    return [Row(*cells) for cells in table[list(Row._fields)].itertuples(index=False)]


def write_record(row: Row) -> None:
    """Adds `row`, or puts it in the place of the one with the same number; call it under the lock of uploads."""
    rows = [other for other in read_record() if other.kaggle_id != row.kaggle_id]
    with replacing(RECORD) as partial:
        pd.DataFrame([*rows, row]).to_csv(partial, index=False, lineterminator="\n")
