"""experiments: all experiments of the branch's last commits, below the commit that each started from.

Of the params and of the variants' holdout Dice it shows what differs. DVC's own table is `dvc exp show`.
"""

import shutil
from collections.abc import Iterator
from typing import Any

import pandas as pd
from dvc.repo import Repo

from src.errors import UserError, run_main
from src.formats.metrics import METRICS
from tools.git import git

COMMITS = 50  # how far back
WIDEST = 24  # characters of one value


def main() -> None:
    commits = git("rev-list", f"--max-count={COMMITS}", "HEAD", check=False).split()
    if not commits:
        first = 'git init && git add . && git commit -m "First"'
        raise UserError(f"experiments belong to commits, and there is none; type: {first}")
    with Repo() as repo:
        known = repo.experiments.ls(all_commits=True)
        found = repo.experiments.show(revs=[commits[0], *(commit for commit in commits[1:] if commit in known)])
    table = pd.DataFrame.from_records(list(rows(found)), index="experiment").rename_axis(None).fillna("")
    table = table.loc[:, table.nunique() > 1]
    width = shutil.get_terminal_size().columns
    print(table.to_string(line_width=width, max_colwidth=WIDEST) if len(table.columns) else "no experiment differs")


def rows(found: list[Any]) -> Iterator[dict[str, str]]:
    """A row for the workspace, for each commit of `found` (DVC's ExpState) and, indented, for each experiment on it."""
    for commit in found:
        yield row(commit.name or commit.rev[:9], commit)
        for experiment in commit.experiments or []:
            tip = experiment.revs[0]
            name = f"  {tip.name or tip.rev[:7]}"
            status = experiment.executor.state if experiment.executor else "success"
            yield row(name, tip) if status == "success" else row(f"{name} ({status})", tip, scored=False)


def row(name: str, state: Any, scored: bool = True) -> dict[str, str]:
    """The params of `state` by dotted key, and the holdout Dice by variant if they are its own."""
    cells: dict[str, str] = {"experiment": name}
    if state.data:  # none for what DVC could not read
        params = state.data.params.get("params.yaml", {}).get("data", {})
        cells |= {str(key): str(value) for key, value in pd.json_normalize(params).iloc[0].items()}
        for file, metrics in state.data.metrics.items() if scored else ():
            if dice := metrics.get("data", {}).get("holdout", {}).get("dice"):
                cells[file.removeprefix(f"{METRICS}/").removesuffix(".json")] = f"{dice:.4f}"
    return cells


if __name__ == "__main__":
    run_main(main)
