"""dvc repro with nothing to do, against dvc itself on as many trivial stages: python -m benchmarks.nothing

Once with a single dep and out per stage, and once with the deps, params and outs of ours: the difference is what it
costs to know exactly what has to run again.
"""

import argparse
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks import in_turns, machine, spread
from tests.conftest import ROOT, Project, copy_project

BOUND = 1.5


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.nothing", description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = finished_project(Path(folder, "ours"))
        alike = alike_project(Path(folder, "alike"), ours)
        stages = len(yaml.safe_load((ours.root / "dvc.lock").read_text())["stages"])
        bare = bare_project(Path(folder, "bare"), stages)
        projects = (ours, alike, bare)
        seconds = in_turns(*(partial(nothing, project) for project in projects), repeats=5)
    print(f"dvc repro with nothing to do, {stages} stages ({machine()})")
    print(f"  seconds, ours                         {spread([turn[0] for turn in seconds])}")
    print(f"  against our deps, params and outs     {spread([turn[0] / turn[1] for turn in seconds])}")
    print(f"  against one dep and one out per stage {spread([turn[0] / turn[2] for turn in seconds])}")
    print(f"  wanted: at most {BOUND}")


def finished_project(folder: Path) -> Project:
    """All variants of this project, trained on next to nothing."""
    variants = yaml.safe_load((ROOT / "params.yaml").read_text())["variants"]
    project = copy_project(folder, variants)
    project.set(image_size=64)  # the least that all variants take
    project.repro()
    return project


def bare_project(folder: Path, stages: int) -> Project:
    """A finished pipeline in which each of `stages` stages copies one file to the next."""
    folder.mkdir()
    (folder / "0").write_text("nothing")
    steps = {f"stage{i}": {"cmd": f"cp {i} {i + 1}", "deps": [f"{i}"], "outs": [f"{i + 1}"]} for i in range(stages)}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": steps}))
    project = Project(folder)
    project.run("git", "init", "--quiet")
    project.run("dvc", "init", "--quiet")
    project.repro()
    return project


def alike_project(folder: Path, ours: Project) -> Project:
    """A copy of `ours` whose dvc.yaml holds each stage written out, without templates, plots or a real command."""
    shutil.copytree(ours.root, folder)
    lock = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    steps = {name.replace("@", "-"): written_out(stage) for name, stage in lock.items()}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": steps}))
    (folder / "dvc.lock").unlink()
    project = Project(folder)
    project.run("dvc", "commit", "--force", "--quiet")
    return project


def written_out(stage: dict[str, Any]) -> dict[str, Any]:
    """A stage of dvc.lock as a stage of dvc.yaml that does nothing."""
    cached = {out["path"]: not out["path"].startswith(("metrics/", "data/split")) for out in stage["outs"]}
    return {
        "cmd": "true",
        "deps": [dep["path"] for dep in stage.get("deps", [])],
        "params": list(stage.get("params", {}).get("params.yaml", {})),
        "outs": [{path: {"cache": cache}} for path, cache in cached.items()],
    }


def nothing(project: Project) -> None:
    """Runs dvc repro, which must find nothing to do."""
    assert project.repro() == []


if __name__ == "__main__":
    main()
