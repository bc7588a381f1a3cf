"""What is sent to Kaggle: the files of the commit that a run needs, as a git bundle, and a script that runs it."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from dvc.utils.hydra import apply_overrides

from src.errors import UserError
from src.files import replacing
from src.sources.kaggle import cache_folder
from tools.git import git

# Nothing else is sent, since it could hold a secret, as .dvc/config can: the address of a remote may have a password.
SENT = re.compile(
    r"(src|stages|tools)/([\w-]+/)*[\w-]+\.(py|html|css|js|md)"
    r"|(dvc|params)\.yaml|requirements\.txt|\.dvcignore|\.gitignore|\.dvc/\.gitignore"
)
SCRIPT = '''\
"""Sent by tools.kaggle_run: clones the files among its inputs and runs tools/kaggle_run/kernel.py of them."""
import os, pathlib, runpy, subprocess, sys, tempfile

SETTINGS = {settings!r}
project = pathlib.Path(tempfile.gettempdir(), "person-segmentation-run/project")
bundle = next(pathlib.Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input")).rglob("project.bundle"))
subprocess.run(["git", "clone", "--quiet", bundle, project], check=True)
sys.argv = ["kernel.py", SETTINGS]
runpy.run_path(str(project / "tools/kaggle_run/kernel.py"), run_name="__main__")
'''


class Run(NamedTuple):
    """A run: the commit, in full, what `-S` says, the folder that keeps what is known of it, and if all is fetched."""

    commit: str
    overrides: list[str]
    folder: Path
    done: bool = False

    @property
    def name(self) -> str:
        """Of its kernels at Kaggle: a slug, with the number of the kernel behind it from the second on."""
        return f"person-segmentation-{self.folder.name}"

    @property
    def project(self) -> Path:
        """A clone of the commit with the run's params."""
        return self.folder / "project"

    @property
    def bundle(self) -> Path:
        """What is sent of it."""
        return self.folder / "project.bundle"

    def params(self) -> dict[str, Any]:
        """params.yaml with the overrides."""
        return yaml.safe_load((self.project / "params.yaml").read_text())

    def write(self, done: bool) -> None:
        """Notes that it was started, or that all of it is fetched."""
        facts = {"commit": self.commit, "overrides": self.overrides, "done": done}
        with replacing(self.folder / "run.json") as partial:
            partial.write_text(json.dumps(facts, indent=2) + "\n")

    def script(self) -> str:
        """What the kernel runs."""
        gpu = self.params()["compute"]["device"] != "cpu"
        return SCRIPT.format(settings=json.dumps({"commit": self.commit, "overrides": self.overrides, "gpu": gpu}))


def find_run(overrides: list[str]) -> Run:
    """The run of the current commit with `overrides`.

    Raises UserError if one of another commit is under way: its outputs would not belong to this one.
    """
    commit, runs = git("rev-parse", "HEAD"), cache_folder() / "runs"
    key = hashlib.sha256(json.dumps([commit, overrides]).encode()).hexdigest()[:8]
    run = Run(commit, overrides, runs / key)
    for path in runs.glob("*/run.json"):
        known = Run(folder=path.parent, **json.loads(path.read_text()))
        if known.folder == run.folder:
            run = known
        elif known.overrides == overrides and not known.done:
            raise UserError(
                f"a run with these params is under way of commit {known.commit[:10]}, but {commit[:10]} is checked "
                f"out; git checkout {known.commit[:10]} to go on with it, or rm -r {path.parent} to forget it"
            )
    return run


def committed_params() -> dict[str, Any]:
    """params.yaml of the commit; that of the workspace may be left from an experiment."""
    return yaml.safe_load(git("show", "HEAD:./params.yaml"))


def make_clone(run: Run) -> None:
    """Makes `run.project` and `run.bundle`; raises UserError if the params do not fit, or a file may hold a secret."""
    if run.bundle.exists():
        return
    shutil.rmtree(run.project, ignore_errors=True)  # what an earlier try has left
    run.folder.mkdir(parents=True, exist_ok=True)
    git("clone", "--quiet", "--depth", "1", Path.cwd().resolve().as_uri(), str(run.project.resolve()))
    set_params(run)
    tracked = set(git("ls-files", "-z", folder=run.project).split("\0")) - {""}
    left = sorted(tracked - files_to_send(run, tracked))
    git("--literal-pathspecs", "rm", "--quiet", "--cached", "--", *left, folder=run.project)
    identity = ["-c", "user.name=kaggle_run", "-c", "user.email=kaggle_run@localhost"]
    message = ["--reset-author", "--message", f"The files of {run.commit}"]  # a commit without parents: no history
    git(*identity, "commit", "--quiet", "--amend", *message, folder=run.project)
    git("bundle", "create", "--quiet", str(run.bundle.resolve()), "HEAD", folder=run.project)


def files_to_send(run: Run, tracked: set[str]) -> set[str]:
    """The `tracked` files that SENT names or a stage depends on; raises UserError if code is among the rest."""
    params = run.params()
    if params["start"] not in tracked:
        raise UserError(f"params.yaml: start: {params['start']} is not in git, so it is not sent; commit it")
    sent = {path for path in tracked if SENT.fullmatch(path)} | ({params["start"], params["local"]["path"]} & tracked)
    if left := sorted(path for path in tracked - sent if path.startswith(("src/", "stages/"))):
        raise UserError(
            f"{left[0]} is in the commit, and is not sent, since a file of its kind may hold a secret; git rm --cached "
            "and commit, or add its kind to SENT in tools/kaggle_run/pack.py"
        )
    return sent


def set_params(run: Run) -> None:
    """Applies the overrides to the clone; raises UserError if they do not fit, or name photos Kaggle does not have."""
    try:
        apply_overrides(run.project / "params.yaml", run.overrides)
    except Exception as error:  # Hydra, OmegaConf and ruamel.yaml have errors of their own
        said = " ".join(str(error.__cause__ or error).split())
        raise UserError(f"-S: {said}; it takes one value for each key, and make check names the keys") from None
    if run.params()["source"] == "local":
        raise UserError("source is local, and photos of your own are not at Kaggle; docs/kaggle.md says what works")
    command = [sys.executable, "-m", "tools.check"]
    done = subprocess.run(command, cwd=run.project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(done.stderr.strip().removeprefix("error: ") or "tools.check failed")
