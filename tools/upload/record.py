"""submissions/kaggle.csv: what was handed in to Kaggle, from which commit, and what came back."""

import re
import subprocess
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from src.errors import UserError
from src.files import locked, replacing
from src.formats.submission import SUBMISSIONS
from src.formats.tables import read_table

RECORD = SUBMISSIONS / "kaggle.csv"
COLUMNS = (
    "date",
    "file",
    "variant",
    "loss",
    "commit",
    "holdout_dice",
    "public_score",
    "private_score",
    "status",
    "kaggle_id",
)
FILE = re.compile(r"submission_\d{8}(_\d+)?\.csv")
AGAIN = f"mend it, or git checkout {RECORD}"
Row = dict[str, str]


def alone() -> AbstractContextManager[None]:
    """Within it, no other upload reads or writes the record."""
    return locked(SUBMISSIONS / ".kaggle.lock", "uploads")


def current_commit() -> str:
    """The commit that is checked out, with -dirty if tracked files, other than the record, differ from it."""

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)

    try:
        commit = git("rev-parse", "--short=10", "HEAD").stdout.strip()
        changed = git("diff", "--quiet", "HEAD", "--", ".", f":!{RECORD}").returncode
    except FileNotFoundError:
        return "unknown"
    return f"{commit}{'-dirty' if changed else ''}" if commit else "unknown"


def read_record() -> list[Row]:
    """The uploads so far, oldest first; raises UserError if the file is not what was written."""
    if not RECORD.exists():
        return []
    table = read_table(RECORD, {}, AGAIN)
    if tuple(table.columns) != COLUMNS:
        raise UserError(f"{RECORD}: expected the columns {', '.join(COLUMNS)}; {AGAIN}")
    if wrong := [name for name in table["file"] if not FILE.fullmatch(name)]:
        raise UserError(f"{RECORD}: {wrong[0]!r} is not the name of a submission; {AGAIN}")
    return [{str(name): str(cell) for name, cell in row.items()} for row in table.to_dict("records")]


def write_record(row: Row) -> None:
    """Adds `row`, or puts it in the place of the one with the same file; call it within `alone`."""
    rows = [other for other in read_record() if other["file"] != row["file"]]
    with replacing(RECORD) as partial:
        pd.DataFrame([*rows, row], columns=COLUMNS).to_csv(partial, index=False, lineterminator="\n")


def earlier_upload(source: Path) -> Row | None:
    """The last row of the record whose file is here and holds the bytes of `source`, unless Kaggle turned it down."""
    contents = source.read_bytes()
    for row in reversed(read_record()):
        path = SUBMISSIONS / row["file"]
        handed_in = row["status"] != "error" and row["kaggle_id"].isdecimal()
        if handed_in and path.is_file() and path.read_bytes() == contents:
            return row
    return None


def dated_copy(source: Path) -> Path:
    """submissions/submission_YYYYMMDD.csv with the contents of `source`, or _2 and so on; none that is there changes.

    The date is UTC, like Kaggle's daily allowance. A copy that was not recorded is used again: its upload broke off.
    """
    contents, recorded = source.read_bytes(), {row["file"] for row in read_record()}
    today, number = f"submission_{datetime.now(UTC):%Y%m%d}", 1
    while True:
        path = SUBMISSIONS / f"{today}{f'_{number}' if number > 1 else ''}.csv"
        if path.name not in recorded:
            if not path.exists():
                with replacing(path) as partial:
                    partial.write_bytes(contents)
            if path.read_bytes() == contents:
                return path
        number += 1
