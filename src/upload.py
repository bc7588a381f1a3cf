"""Handing in a submission: what is checked before, what Kaggle is sent, and the record of what came back."""

import csv
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from src import rle
from src.sources.kaggle import Data, UploadCutError, call_kaggle
from src.stage import UserError
from src.submission import SUBMISSIONS, read_submission

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
PATIENCE = 900.0  # seconds to wait for a score
INTERVAL = 10.0  # seconds between two looks
Row = dict[str, str]


def check_submission(path: Path, photos: pd.DataFrame) -> None:
    """Raises UserError that names the first thing about the CSV at `path` that does not fit the test photos."""
    again = f"run dvc repro submit@{path.stem}"
    if not path.exists():
        raise UserError(f"{path} is missing; {again}")
    try:
        table = read_submission(path)
    except ValueError as error:
        raise UserError(f"{path}: not a CSV file ({' '.join(str(error).split())}); {again}") from None
    if list(table.columns) != ["id", "encoded_pixels"]:
        raise UserError(f"{path}: its columns are {', '.join(table.columns)}, not id, encoded_pixels; {again}")
    if len(table) != len(photos):
        raise UserError(f"{path}: {len(table)} rows for {len(photos)} test photos; {again}")
    rows = zip(table["id"], table["encoded_pixels"], photos["file"], photos["height"], photos["width"], strict=True)
    for line, (name, code, file, height, width) in enumerate(tqdm(rows, "check", len(table), unit="photo"), start=2):
        if name != file:
            raise UserError(f"{path}: line {line} is {name}, but it is the turn of {file}; {again}")
        try:
            rle.decode(code, height, width)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{path}: line {line}, {name}: {error}; {again}") from None


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
    with RECORD.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if tuple(reader.fieldnames or ()) != COLUMNS or any(None in row or None in row.values() for row in rows):
        raise UserError(f"{RECORD}: expected the columns {', '.join(COLUMNS)}; mend it, or git checkout {RECORD}")
    return rows


def write_record(row: Row) -> None:
    """Adds `row`, or puts it in the place of the one with the same file; the file is never half written."""
    rows = [other for other in read_record() if other["file"] != row["file"]]
    scratch = RECORD.with_suffix(".tmp")
    with scratch.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows, row])
    scratch.replace(RECORD)


def dated_copy(source: Path) -> tuple[Path, Row | None]:
    """submissions/submission_YYYYMMDD.csv with the contents of `source`, and its row in the record if it has one.

    The date is UTC, like Kaggle's daily allowance. A file that is there is never overwritten. It is used again if it
    holds the same and has no score yet: then an upload broke off, and this one takes up from there.
    """
    contents, record = source.read_bytes(), {row["file"]: row for row in read_record()}
    for path, row in ((SUBMISSIONS / file, row) for file, row in record.items() if row["status"] == "pending"):
        if path.exists() and path.read_bytes() == contents:
            return path, row
    today, number = f"submission_{datetime.now(UTC):%Y%m%d}", 1
    while True:
        path = SUBMISSIONS / f"{today}{f'_{number}' if number > 1 else ''}.csv"
        if not path.exists() and path.name not in record:
            scratch = path.with_suffix(".tmp")
            scratch.write_bytes(contents)
            scratch.replace(path)
            return path, None
        if path.name not in record and path.read_bytes() == contents:
            return path, None
        number += 1


def hand_in(path: Path, message: str, data: Data) -> int:
    """Submits `path` to the competition and returns the submission's number; raises UserError that says what to do.

    An attempt whose answer was lost may have counted, so each one first looks whether it is there already.
    """

    def attempt(api: Any) -> int:
        for submission in api.competition_submissions(data.slug):
            if (submission.file_name, submission.description) == (path.name, message):
                return submission.ref
        answer = api.competition_submit(str(path), message, data.slug, quiet=False)
        if answer.message == api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:
            raise UploadCutError
        return answer.ref

    return call_kaggle(attempt, data)


def await_score(number: int, data: Data) -> Any:
    """Kaggle's record of submission `number` once it has been scored or turned down, or None if that takes too long."""
    start = time.monotonic()
    with tqdm(desc="wait for the score", total=PATIENCE, bar_format="{desc}: |{bar}| {n:.0f} of {total:.0f} s") as bar:

        def watch(api: Any) -> Any:
            while bar.n < PATIENCE:
                for submission in api.competition_submissions(data.slug):
                    if submission.ref == number and submission.status.name != "PENDING":
                        return submission
                time.sleep(INTERVAL)
                bar.update(min(time.monotonic() - start, PATIENCE) - bar.n)
            return None

        return call_kaggle(watch, data)
