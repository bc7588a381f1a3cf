"""The competition's CSV: a header, then one row per test photo, `id` being the file name with its extension."""

from pathlib import Path

import pandas as pd

from src.files import replacing
from src.formats.tables import read_table

SUBMISSIONS = Path("submissions")


def write_submission(table: pd.DataFrame, path: Path) -> None:
    """Writes `table`, with the columns `id` and `encoded_pixels`, as the competition wants it."""
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def read_submission(path: Path) -> pd.DataFrame:
    """The rows of a submission; an all-background mask is an empty string, not a missing value."""
    return read_table(path, {}, f"run dvc repro submit@{path.stem}")
