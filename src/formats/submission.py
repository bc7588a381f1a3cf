"""The competition's CSV: a header, then one row per test photo, `id` being the file name with its extension."""

from pathlib import Path

import pandas as pd

SUBMISSIONS = Path("submissions")


def write_submission(table: pd.DataFrame, path: Path) -> None:
    """Writes `table`, with the columns `id` and `encoded_pixels`, as the competition wants it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


def read_submission(path: Path) -> pd.DataFrame:
    """The rows of a submission; an all-background mask is an empty string, not a missing value."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)
