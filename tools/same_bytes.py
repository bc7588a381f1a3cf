"""same_bytes: whether this machine's results are those that git holds, byte for byte; `make repro` ends with it.

Compares dvc.lock with that of the last commit. Where a stage had the same inputs and made other bytes, this machine
rounds otherwise than the one that made the committed results: such stages are named, and how far Dice moved.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from src.errors import UserError, run_main
from src.formats.metrics import METRICS
from tools.git import git
from tools.lock import LOCK, read_stages

INPUTS = ("cmd", "deps", "params")  # of a stage, in dvc.lock


def main() -> None:
    if not LOCK.exists():
        raise UserError(f"{LOCK} is missing; run dvc repro first")
    if not (committed := show(LOCK)):
        print(f"the last commit has no {LOCK} to compare with; commit this run, and later ones are compared with it")
        return
    ours = read_stages()
    outs = {name: [Path(out["path"]) for out in stage.get("outs", [])] for name, stage in ours.items()}
    if missing := [name for name, paths in outs.items() if not all(path.exists() for path in paths)]:
        print(f"{len(missing)} of {len(ours)} stages, such as {missing[0]}, have no results here; dvc repro makes them")
        return
    print(verdict(yaml.safe_load(committed)["stages"], ours))


def verdict(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """One line on the stages `ours` of this machine and `theirs` of the last commit."""
    if ours.items() <= theirs.items():
        return "same bytes as committed"
    changed = sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])
    if rounded := [name for name in changed if all(ours[name].get(key) == theirs[name].get(key) for key in INPUTS)]:
        return (
            f"{', '.join(rounded)}: same inputs, other bytes than those committed. This CPU or GPU, or another version "
            f"of a library, rounds otherwise than what made them; nothing is broken. {moved()}"
        )
    return "this run is of other code, params or data than the last commit; there is nothing to compare"


def moved() -> str:
    """How far holdout Dice is from the committed one, at most."""
    changes = []
    for path in sorted(METRICS.glob("*.json")):
        if text := show(path):
            now, before = (json.loads(found)["holdout"]["dice"] for found in (path.read_text(), text))
            changes.append((abs(now - before), f"{path.stem} {before:.3f} to {now:.3f}"))
    return f"Holdout Dice moved most for {max(changes)[1]}." if changes else ""


def show(path: Path) -> str:
    """`path` as the last commit has it; empty if it has none, or this is no git repository."""
    return git("show", f"HEAD:./{path}", check=False)


if __name__ == "__main__":
    run_main(main)
