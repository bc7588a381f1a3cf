"""The competition's CSV: a header, then a row per test photo: its file name with the extension, its mask encoded."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from src.params import Section

SUBMISSIONS = Path("submissions")


def _differ(columns: list[str]) -> list[str]:
    if columns[0] == columns[1]:
        raise ValueError("must be two different names")
    return columns


class SubmissionParams(Section):
    """The block `submission` of params.yaml; `columns` are the names of the file's and of the mask's."""

    columns: Annotated[
        list[Annotated[str, Field(pattern=r"^\w[\w .-]{0,63}$")]],
        Field(min_length=2, max_length=2),
        AfterValidator(_differ),
    ]
