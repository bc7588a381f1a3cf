"""At home again: the results of a run go into DVC's cache, and the pipeline is run with them, which trains nothing."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml
from dvc.repo import Repo
from dvc.utils.serialize import modify_yaml

from src.errors import UserError
from src.formats.raw import RAW
from src.params import Section
from src.sources.archive import unpack
from tools.kaggle_run.kernel import ARCHIVE
from tools.kaggle_run.pack import Run

RESULTS = "results.json"
SHARED = ("download", "prepare")  # of dvc.lock: with these, a clone without photos needs none
AGAIN = "what is finished is kept, and the same command goes on from there in a new kernel"


class Incomplete(UserError):  # noqa: N818
    """The results are not all of a run's."""


class Results(Section):
    """What a kernel says of its results; `problem` is why they are not all of the run, empty if they are."""

    commit: str
    overrides: list[str]
    problem: str


def read_results(folder: Path) -> Results:
    """The RESULTS in `folder`; raises UserError if there are none, or they are not what a kernel writes."""
    path = folder / RESULTS
    if not path.is_file():
        raise UserError(f"{path} is missing; name the folder with what the kernel or the notebook wrote")
    try:
        return Results.model_validate_json(path.read_bytes())
    except ValueError:
        raise UserError(f"{path} is not what a kernel wrote; get it again") from None


def check_results(run: Run, results: Results, where: str) -> None:
    """Raises UserError if the results are those of another commit, Incomplete if they are not all of the run's."""
    if results.commit != run.commit:
        theirs, ours = results.commit[:10], run.commit[:10]
        raise UserError(f"{where} belongs to commit {theirs}, but {ours} is checked out; git checkout {theirs}")
    if results.problem:
        raise Incomplete(f"{where}: {results.problem}; {AGAIN}")


def take_in(run: Run, folder: Path) -> None:
    """Fetches the results in `folder`, or in its ARCHIVE, into DVC's cache, its record of runs included."""
    unpacked = run.folder / "results"
    shutil.rmtree(unpacked, ignore_errors=True)
    origin = unpack(folder / ARCHIVE, unpacked) if (folder / ARCHIVE).exists() else folder
    stages = read_lock(origin / "dvc.lock")
    shutil.copy(origin / "dvc.lock", run.project)
    with Repo() as repo:
        cache = Path(repo.cache.local_cache_dir).resolve()
    dvc(run.project, "cache", "dir", "--local", str(cache))
    remote = str((origin / "remote").resolve())
    dvc(run.project, "remote", "add", "--local", "--force", "--default", "results", remote)
    dvc(run.project, "remote", "modify", "--local", "results", "verify", "true")
    dvc(run.project, "fetch", "--run-cache", "--", *(name for name in stages if name != "download"))
    shutil.rmtree(unpacked, ignore_errors=True)


def read_lock(path: Path) -> dict[str, Any]:
    """The stages of a dvc.lock that a kernel wrote; raises UserError if it is none, or lacks those of SHARED."""
    try:
        stages = yaml.safe_load(path.read_bytes())["stages"]
        _ = [stages[name]["outs"] for name in SHARED]
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        raise UserError(f"{path} is missing, or not what DVC writes; get the results again") from None
    return stages


def dvc(folder: Path, *arguments: str) -> None:
    """Runs dvc in `folder`; raises UserError if it fails."""
    if subprocess.run(["dvc", *arguments], cwd=folder, stdout=subprocess.DEVNULL, check=False).returncode:
        raise UserError(f"dvc {arguments[0]} failed, for the reason above; then run the same command again")


def finish(run: Run) -> None:
    """Runs the pipeline with the run's params; raises UserError if that is not possible, or would train."""
    params = [word for override in run.overrides for word in ("-S", override)]
    command = ["dvc", *(["exp", "run"] if params else ["repro"]), "--allow-missing", *params]
    shown = " ".join(command)
    share_lock(run)
    print(shown, flush=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if line.startswith(("Running stage 'download'", "Running stage 'train@")):
            interrupt(process)
            stage = line.split("'")[1]
            raise UserError(
                f"{stage} is not among the results, since the photos here differ from Kaggle's, or a file of the "
                "project does; dvc status names what changed"
            )
    if process.wait():
        raise UserError(f"all is fetched, but {shown} failed, for the reason above; mend that and run it again")
    print("report/index.html compares the variants; python -m tools.upload VARIANT hands one in")


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ends dvc and the stage that it runs, during which dvc itself ignores Ctrl-C."""
    process.send_signal(signal.SIGINT)
    while process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGINT)
        time.sleep(0.2)


def share_lock(run: Run) -> None:
    """Takes what Kaggle found out about the photos over into dvc.lock, unless they are here.

    Other photos that the download stage put here, such as drawn ones, make way: it can put them here again.
    """
    stages = read_lock(run.project / "dvc.lock")
    if not Path("dvc.lock").exists():
        Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    with modify_yaml("dvc.lock") as lock:
        if RAW.exists():
            if lock["stages"].get("download", {}).get("outs") == stages["download"]["outs"]:
                return
            RAW.unlink()
        lock["stages"] |= {name: stages[name] for name in SHARED}
    dvc(Path(), "checkout", "--force", "prepare")
