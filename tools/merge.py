"""merge: dvc.lock, and the results that git holds, where two branches that both ran the pipeline are being merged.

Of each stage the side is taken whose code and params are those of the merge, and whose inputs come from a side that was
taken. `dvc repro` then runs what neither side has. It is the same in a rebase and in a cherry-pick.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from src.errors import UserError, run_main
from src.files import replacing
from tools.git import git
from tools.jobs import status

LOCK = Path("dvc.lock")
HEADS = ("MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD")
Entry = dict[str, Any]  # of a stage in dvc.lock


def main() -> None:
    sides = ("HEAD", other_side())
    locks = {side: yaml.safe_load(git("show", f"{side}:{LOCK}")) for side in sides}
    check_conflicts({path for lock in locks.values() for entry in lock["stages"].values() for path in outs(entry)})
    chosen = choose({side: locks[side]["stages"] for side in sides}, {side: changed(locks[side]) for side in sides})
    write(locks["HEAD"] | {"stages": {name: locks[side]["stages"][name] for name, side in chosen.items()}})
    for side in sides:
        paths = [path for name, taken in chosen.items() if taken == side for path in outs(locks[side]["stages"][name])]
        if tracked := git("ls-tree", "-r", "--name-only", side, "--", *paths).splitlines():
            git("checkout", side, "--", *tracked)
    counts = Counter(chosen.values())
    print(f"dvc.lock has {counts[sides[0]]} stages of this branch and {counts[sides[1]]} of the other")
    print("next: dvc repro (where the data is not here: dvc repro --pull --allow-missing), git add . && git commit")


def other_side() -> str:
    """What is being merged into HEAD; raises UserError if nothing is."""
    for head in HEADS:
        if git("rev-parse", "--verify", "--quiet", head, check=False):
            return head
    raise UserError("no merge is going on; make merge is for the conflicts of a git merge, rebase or cherry-pick")


def check_conflicts(results: set[str]) -> None:
    """Raises UserError if a file has conflicts that is neither dvc.lock nor one of `results`."""
    left = set(git("diff", "--name-only", "--diff-filter=U").splitlines()) - results - {str(LOCK)}
    if left:
        raise UserError(f"{', '.join(sorted(left))}: resolve the conflict, then type make merge again")


def changed(lock: dict[str, Any]) -> set[str]:
    """The stages whose entry in `lock` is of other code, params or files from outside the pipeline than those here."""
    write(lock)
    made = [path for entry in lock["stages"].values() for path in outs(entry)]
    found = set()
    for name, changes in status().items():
        deps = [path for change in changes if isinstance(change, dict) for path in change.get("changed deps", {})]
        if "changed command" in changes or any(not inside(path, made) for path in deps):
            found.add(name)
    return found


def choose(stages: dict[str, dict[str, Entry]], stale: dict[str, set[str]]) -> dict[str, str]:
    """The side of each stage, given each side's `stages` and which of those are `stale`; the first if neither fits."""

    @cache
    def side_of(name: str) -> str:
        having = [side for side in stages if name in stages[side]]
        return next((side for side in having if fits(name, side)), having[0])

    def fits(name: str, side: str) -> bool:
        read = [dep["path"] for dep in stages[side][name].get("deps", [])]
        makers = {maker for path in read for maker, entry in stages[side].items() if inside(path, outs(entry))}
        same = (outs(stages[side][maker]) == outs(stages[side_of(maker)][maker]) for maker in makers)
        return name not in stale[side] and all(same)

    return {name: side_of(name) for side in stages for name in stages[side]}


def outs(entry: Entry) -> dict[str, str]:
    """The hashes of what a stage made, by path."""
    return {out["path"]: out.get("md5", "") for out in entry.get("outs", [])}


def inside(path: str, others: Any) -> bool:
    """Whether `path` is one of `others`, or in one of them."""
    return any(Path(path).is_relative_to(other) for other in others)


def write(lock: dict[str, Any]) -> None:
    with replacing(LOCK) as partial:
        partial.write_text(yaml.safe_dump(lock, sort_keys=False))


if __name__ == "__main__":
    run_main(main)
