"""docs/reruns.md says what reruns when: this runs all of it again, with the real dvc, and compares."""

import pytest
import yaml

from src.sources import known_sources
from tests.conftest import ROOT
from tests.reruns import CHANGES, committed_rows, matrix
from tools.check import BUDGETS


@pytest.fixture(scope="module")
def table():
    with matrix() as table:
        yield table


def test_the_table_holds_these_changes_and_no_others():
    assert list(committed_rows()) == [change.name for change in CHANGES], "write it again: python -m tests.reruns"


def test_every_param_has_a_row():
    params = set(yaml.safe_load((ROOT / "params.yaml").read_text())) - {*known_sources(), *BUDGETS}
    assert params <= {change.name.strip("`,").split(".")[0].split("`")[0] for change in CHANGES}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_what_reruns_is_what_the_table_says(table, change):
    committed = committed_rows()[change.name]
    assert table.row(change) == committed, f"docs/reruns.md, {change.name}: write it again: python -m tests.reruns"
