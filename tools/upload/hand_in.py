"""Handing in a submission: what is checked before, what Kaggle is sent, and the wait for its score."""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import requests

from src.errors import UserError
from src.formats import rle
from src.formats.tables import read_table
from src.sources.kaggle import Params
from src.sources.kaggle.client import call_kaggle

PATIENCE = 900.0  # seconds to wait for a score
INTERVAL = 10.0  # seconds between two looks
LISTED = 100  # submissions, the newest of the team's


def check_submission(path: Path, photos: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raises UserError that names the first thing about the CSV at `path` that does not fit `columns` or the photos."""
    again = f"run dvc repro submit@{path.stem}"
    if not path.exists():
        raise UserError(f"{path} is missing; {again}")
    table = read_table(path, {}, again)
    if list(table.columns) != list(columns):
        raise UserError(f"{path}: its columns are {', '.join(table.columns)}, not {', '.join(columns)}; {again}")
    names, codes = (list(table[column]) for column in columns)
    if names != list(photos["file"]):
        raise UserError(f"{path}: its rows are not the {len(photos)} test photos in their order; {again}")
    for name, code, height, width in zip(names, codes, photos["height"], photos["width"], strict=True):
        try:
            rle.decode(code, height, width)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{path}: {name}: {error}; {again}") from None


def hand_in(path: Path, message: str, params: Params, known_by: str) -> tuple[int, datetime | None]:
    """Submits `path` to the competition; returns Kaggle's number of it, and the time if that was done before.

    It was if the message of one that Kaggle did not turn down holds `known_by`, a part of `message`. An attempt whose
    answer was lost may have counted, so each one looks first. Raises UserError that says what to do.
    """
    sent = False

    def attempt(api: Any) -> tuple[int, datetime | None]:
        nonlocal sent
        for submission in api.competition_submissions(params.slug, page_size=LISTED):
            if known_by in (submission.description or "") and submission.status.name != "ERROR":
                return submission.ref, None if sent else submission.date
        sent = True
        answer = api.competition_submit(str(path), message, params.slug, quiet=False)
        if answer.message == api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:
            raise requests.ConnectionError  # of which the client says no more
        return answer.ref, None

    return call_kaggle(attempt, params.todo)


def await_score(number: int, params: Params) -> Any:
    """Kaggle's record of submission `number` once it has been scored or turned down, or None if that takes too long."""
    end = time.monotonic() + PATIENCE

    def watch(api: Any) -> Any:
        while True:
            for submission in api.competition_submissions(params.slug, page_size=LISTED):
                if submission.ref == number and submission.status.name != "PENDING":
                    return submission
            if time.monotonic() > end:
                return None
            time.sleep(INTERVAL)

    return call_kaggle(watch, params.todo)
