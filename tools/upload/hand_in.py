"""Handing in a submission: what is checked before, what Kaggle is sent, and the wait for its score."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from src.errors import UserError
from src.formats import rle
from src.formats.submission import read_submission
from src.sources.kaggle import Params, UploadCutError, call_kaggle

PATIENCE = 900.0  # seconds to wait for a score
INTERVAL = 10.0  # seconds between two looks


def check_submission(path: Path, photos: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raises UserError that names the first thing about the CSV at `path` that does not fit `columns` or the photos."""
    again = f"run dvc repro submit@{path.stem}"
    if not path.exists():
        raise UserError(f"{path} is missing; {again}")
    table = read_submission(path)
    if list(table.columns) != list(columns):
        raise UserError(f"{path}: its columns are {', '.join(table.columns)}, not {', '.join(columns)}; {again}")
    if len(table) != len(photos):
        raise UserError(f"{path}: {len(table)} rows for {len(photos)} test photos; {again}")
    rows = zip(*(table[column] for column in columns), photos["file"], photos["height"], photos["width"], strict=True)
    for line, (name, code, file, height, width) in enumerate(
        tqdm(rows, "check", len(table), unit="photo", disable=None), start=2
    ):
        if name != file:
            raise UserError(f"{path}: line {line} is {name}, but it is the turn of {file}; {again}")
        try:
            rle.decode(code, height, width)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{path}: line {line}, {name}: {error}; {again}") from None


def check_model(variant: str) -> None:
    """Raises UserError if the model of `variant` is on this machine and damaged: its submission would be, too."""
    if Path(f"models/{variant}.safetensors").exists():
        from src.formats.model import load_model, model_path  # noqa: PLC0415  torch takes seconds to load

        load_model(model_path(variant))


def hand_in(path: Path, message: str, params: Params) -> int:
    """Submits `path` to the competition and returns the submission's number; raises UserError that says what to do.

    An attempt whose answer was lost may have counted, so each one first looks whether it is there already.
    """

    def attempt(api: Any) -> int:
        for submission in api.competition_submissions(params.slug):
            if (submission.file_name, submission.description) == (path.name, message):
                return submission.ref
        answer = api.competition_submit(str(path), message, params.slug, quiet=False)
        if answer.message == api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:
            raise UploadCutError
        return answer.ref

    return call_kaggle(attempt, params)


def await_score(number: int, params: Params) -> Any:
    """Kaggle's record of submission `number` once it has been scored or turned down, or None if that takes too long."""
    start = time.monotonic()
    shape = "{desc}: |{bar}| {n:.0f} of {total:.0f} s"
    with tqdm(desc="wait for the score", total=PATIENCE, bar_format=shape, disable=None) as bar:

        def watch(api: Any) -> Any:
            waited = 0.0
            while waited < PATIENCE:
                for submission in api.competition_submissions(params.slug):
                    if submission.ref == number and submission.status.name != "PENDING":
                        return submission
                time.sleep(INTERVAL)
                waited = min(time.monotonic() - start, PATIENCE)
                bar.update(waited - bar.n)
            return None

        return call_kaggle(watch, params)
