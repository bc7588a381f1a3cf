"""docs/reruns.md says what reruns when: some of it is run again, with the real dvc, and compared."""

import pytest

from src.sources import known_sources
from tests.conftest import PARAMS
from tests.reruns import CHANGES, Matrix, committed
from tools.check import BUDGETS

# From nothing to a training: that dvc.yaml declares what the code uses, for all the others, is for test_declared.py.
ROWS = [
    "`losses`, another one",
    "`postprocess.threshold`",
    "`models.unet.dropout`",
    "`source`, with the same photos",
    "a comment in `src/models/unet.py`",
    "a comment in `src/page/page.css`",
    "a comment in `README.md`",
]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return Matrix(tmp_path_factory.mktemp("reruns"))


def test_the_table_holds_these_changes_and_no_others():
    assert committed().keys() == {change.name for change in CHANGES}, "write it again: python -m tests.reruns"


def test_every_param_has_a_row():
    # `start` fits one variant alone: tests/test_start.py has what it reruns.
    params = PARAMS.keys() - {*known_sources(), *BUDGETS, "start"}
    assert params <= {change.name.strip("`,").split(".")[0].split("`")[0] for change in CHANGES}


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_what_reruns_is_what_the_table_says(table, name):
    (change,) = (change for change in CHANGES if change.name == name)
    assert table.rerun(change) == committed()[name], f"docs/reruns.md, {name}: write it again: python -m tests.reruns"
