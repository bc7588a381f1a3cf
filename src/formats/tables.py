"""Reading the CSV and TSV files of the pipeline: the one place, so that every cell is what was written.

pandas on its own takes a photo called NA for a missing value, 007 for the number 7, and fills up lines that are short.
"""

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from src.errors import UserError
from src.files import check_file

csv.field_size_limit(sys.maxsize)  # the code of a large mask is one cell


def read_table(path: Path, columns: Mapping[str, type], again: str) -> pd.DataFrame:
    """The file as strings, but for `columns`, which it must have: they become int, float or bool.

    Numbers must be finite. Raises UserError that names the file and the first thing wrong with it, and ends in `again`:
    how to get it anew. Raises FileNotFoundError if there is none.
    """
    check_file(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
            header, *rows = [line for line in lines if line]
    except (csv.Error, ValueError) as error:  # bytes that are not UTF-8, and an empty file, are ValueErrors
        said = " ".join(str(error).split())
        raise UserError(f"{path}: not a {path.suffix[1:].upper()} file ({said}); {again}") from None
    if len(set(header)) < len(header) or any(len(row) != len(header) for row in rows):
        raise UserError(f"{path}: not every line has one cell for each column; {again}")
    table = pd.DataFrame(rows, columns=header, dtype=str)
    if missing := [name for name in columns if name not in table]:
        raise UserError(f"{path}: the column {missing[0]} is missing; {again}")
    for name, kind in columns.items():
        try:
            table[name] = _convert(table[name], kind)
        except (ValueError, OverflowError):
            raise UserError(f"{path}: the column {name} holds something else than {kind.__name__}; {again}") from None
    return table


def _convert(cells: pd.Series, kind: type) -> pd.Series:
    """Raises ValueError or OverflowError if not every cell is a `kind`."""
    if kind is str:
        return cells
    if kind is bool:
        if not cells.isin(["True", "False"]).all():
            raise ValueError
        return cells == "True"
    numbers = cells.astype(np.int64 if kind is int else np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError
    return numbers
