"""At home again: the results of a run go into DVC's cache, and the pipeline is run with them, which trains nothing."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import yaml
from dvc.repo import Repo
from dvc.utils.serialize import modify_yaml

from src.errors import UserError
from src.formats.raw import RAW
from src.sources.archive import check_room, room_needed, unpack
from tools.kaggle_run.pack import Run, changed_files

SHARED = ("download", "prepare")  # of dvc.lock: with these, a clone without photos needs none


def read_results(folder: Path) -> dict[str, Any]:
    """The results.json in `folder`; raises UserError if there is none, or not all that it names."""
    path = folder / "results.json"
    if not path.is_file():
        raise UserError(f"{path} is missing; name the folder with what the kernel or the notebook wrote")
    try:
        facts = json.loads(path.read_text())
        _ = facts["commit"], facts["overrides"], facts["state"], facts["errors"]
        for name, size in facts["archives"].items():
            if not (folder / name).is_file() or (folder / name).stat().st_size != size:
                raise UserError(f"{folder / name} is missing or not whole; get it again")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is not what the kernel wrote; get it again") from None
    return facts


def check_results(run: Run, facts: dict[str, Any], where: str) -> None:
    """Raises UserError if the results are those of another commit, or not all of a run's."""
    if facts["commit"] != run.commit:
        theirs, ours = facts["commit"][:10], run.commit[:10]
        raise UserError(f"{where} belongs to commit {theirs}, but {ours} is checked out; git checkout {theirs}")
    if facts["errors"]:
        raise UserError(f"{where}: {' '.join(facts['errors'][-1].removeprefix('error: ').split())}; {AGAIN}")
    if facts["state"] != "complete":
        raise UserError(f"{where} was {facts['state']} before all was trained; {AGAIN}")


AGAIN = "what is finished is kept, and the same command goes on from there in a new kernel"


def take_in(run: Run, folder: Path, facts: dict[str, Any]) -> None:
    """Fetches the results in `folder` into DVC's cache, its record of runs included."""
    unpacked = run.folder / "results" if facts["archives"] else folder  # a notebook on Colab writes no archives
    shutil.rmtree(run.folder / "results", ignore_errors=True)
    check_room(run.folder, 2 * sum(facts["archives"].values()), "what came from Kaggle: unpacked and in DVC's cache it")
    with room_needed(run.folder):
        for name in facts["archives"]:
            for path in [p for p in unpack(folder / name, run.folder / "part").rglob("*") if p.is_file()]:
                target = unpacked / path.relative_to(run.folder / "part")
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
            shutil.rmtree(run.folder / "part")
    shutil.copy(unpacked / "dvc.lock", run.project)
    with Repo() as repo:
        cache = Path(repo.cache.local_cache_dir).resolve()
    dvc(run.project, "cache", "dir", "--local", str(cache))
    dvc(
        run.project, "remote", "add", "--local", "--force", "--default", "results", str((unpacked / "remote").resolve())
    )
    dvc(run.project, "remote", "modify", "--local", "results", "verify", "true")
    stages = yaml.safe_load((run.project / "dvc.lock").read_text())["stages"]
    dvc(run.project, "fetch", "--run-cache", *(name for name in stages if name != "download"))
    shutil.rmtree(run.folder / "results", ignore_errors=True)


def dvc(folder: Path, *arguments: str) -> None:
    """Runs dvc in `folder`; raises UserError if it fails."""
    done = subprocess.run(["dvc", *arguments], cwd=folder, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise UserError(f"dvc {arguments[0]} failed, for the reason above; then run the same command again")


def finish(run: Run) -> None:
    """Runs the pipeline with the run's params; raises UserError if that is not possible, or would train."""
    params = [word for override in run.overrides for word in ("-S", override)]
    command = ["dvc", *(["exp", "run"] if params else ["repro"]), "--allow-missing", *params]
    shown = " ".join(command)
    changed = [path for path in changed_files() if path != "params.yaml" or not has_params(run)]
    if changed:
        raise UserError(f"all is fetched, but {changed[0]} differs from the commit; git stash, then {shown}")
    share_lock(run)
    print(shown, flush=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    training = ""
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if line.startswith("Running stage 'train@") and not training:
            training = line.split("'")[1]
            process.send_signal(signal.SIGINT)
    if training:
        process.wait()
        raise UserError(
            f"{training} is not among the results, since the photos here differ from Kaggle's, or a file of the "
            "project does; dvc status names what changed"
        )
    if process.wait():
        raise UserError(f"all is fetched, but {shown} failed, for the reason above; mend that and run it again")
    print("report/index.html compares the variants; python -m tools.upload VARIANT hands one in")


def has_params(run: Run) -> bool:
    """Whether params.yaml is that of the run: an earlier try has left it."""
    return yaml.safe_load(Path("params.yaml").read_text()) == run.params()


def share_lock(run: Run) -> None:
    """Takes what Kaggle found out about the photos over into dvc.lock, unless they are here.

    Other photos that the download stage put here, such as drawn ones, make way: it can put them here again.
    """
    stages = yaml.safe_load((run.project / "dvc.lock").read_text())["stages"]
    if not Path("dvc.lock").exists():
        Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    if RAW.exists():
        ours = yaml.safe_load(Path("dvc.lock").read_text())["stages"].get("download", {})
        if ours.get("outs") == stages["download"]["outs"]:
            return
        RAW.unlink()
    with modify_yaml("dvc.lock") as lock:
        lock["stages"] |= {name: stages[name] for name in SHARED}
    dvc(Path(), "checkout", "--force", "prepare")
