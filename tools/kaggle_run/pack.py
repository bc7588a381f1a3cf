"""What is sent to Kaggle: the files of the commit that a run needs, as a git bundle, and a script that runs it."""

import base64
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
from src.sources.kaggle import cache_folder

# Nothing else is sent, since it could hold a secret, as .dvc/config can: the address of a remote may have a password.
SENT = re.compile(
    r"(src|stages|tools)/([\w-]+/)*[\w-]+\.(py|html|css|js|md)"
    r"|(dvc|params)\.yaml|requirements\.txt|\.dvcignore|\.gitignore|\.dvc/\.gitignore"
)
MADE = ("dvc.lock", "metrics", "data/split.csv", "submissions")  # a run writes these; they may differ from the commit
NOT_READ = ("docs", "tests", "benchmarks", ".github", ".ci")  # nor does a change in these matter to it
SCRIPT = '''\
"""Sent by tools.kaggle_run: clones the commit and runs tools/kaggle_run/kernel.py in it."""
import base64, os, pathlib, runpy, subprocess, sys, tempfile

SETTINGS = {settings!r}
BUNDLE = {bundle!r}
work = pathlib.Path(tempfile.gettempdir(), "person-segmentation-run")
work.mkdir()
sent = work / "project.bundle"
if BUNDLE:
    sent.write_bytes(base64.b85decode(BUNDLE))
else:  # it is in a dataset among the inputs
    sent = next(pathlib.Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input")).rglob(sent.name))
subprocess.run(["git", "clone", "--quiet", sent, work / "project"], check=True)
sys.argv = ["kernel.py", SETTINGS]
runpy.run_path(str(work / "project/tools/kaggle_run/kernel.py"), run_name="__main__")
'''


class Run(NamedTuple):
    """A run: the commit, in full, what `-S` says, and the folder that keeps what is known of it."""

    commit: str
    overrides: list[str]
    folder: Path

    @property
    def name(self) -> str:
        """Of its kernels at Kaggle: a slug, with the number of the part behind it from the second on."""
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

    def read(self) -> dict[str, Any]:
        """What is known of it; empty if it is new."""
        path = self.folder / "run.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def write(self, **changes: Any) -> None:
        """Adds to what is known of it."""
        facts = {"commit": self.commit, "overrides": self.overrides} | self.read() | changes
        (self.folder / "run.json").write_text(json.dumps(facts, indent=2) + "\n")


def git(*arguments: str, folder: Path = Path()) -> str:
    """What git prints; raises UserError if it fails."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"git {arguments[0]} failed: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def find_run(overrides: list[str]) -> Run:
    """The run of the current commit with `overrides`.

    Raises UserError if one of another commit is under way: its outputs would not belong to this one.
    """
    commit, runs = git("rev-parse", "HEAD"), cache_folder() / "runs"
    key = hashlib.sha256(json.dumps([commit, overrides]).encode()).hexdigest()[:8]
    for path in runs.glob("*/run.json"):
        known = json.loads(path.read_text())
        if known["overrides"] == overrides and known["commit"] != commit and not known.get("done"):
            raise UserError(
                f"a run with these params is under way of commit {known['commit'][:10]}, but {commit[:10]} is checked "
                f"out; git checkout {known['commit'][:10]} to go on with it, or rm -r {path.parent} to forget it"
            )
    return Run(commit, overrides, runs / key)


def committed_params() -> dict[str, Any]:
    """params.yaml of the commit; that of the workspace may be left from an experiment."""
    return yaml.safe_load(git("show", "HEAD:./params.yaml"))


def changed_files() -> list[str]:
    """Tracked files that differ from the commit, other than those that a run writes or does not read."""
    return git("diff", "--name-only", "HEAD", "--", ".", *(f":!{path}" for path in (*MADE, *NOT_READ))).splitlines()


def make_clone(run: Run) -> None:
    """Makes `run.project` and `run.bundle`; raises UserError if the params do not fit, or a file may hold a secret."""
    if run.bundle.exists():
        return
    shutil.rmtree(run.project, ignore_errors=True)  # what an earlier try has left
    run.folder.mkdir(parents=True, exist_ok=True)
    git("clone", "--quiet", "--depth", "1", Path.cwd().resolve().as_uri(), str(run.project.resolve()))
    set_params(run)
    git("checkout", "--quiet", "--orphan", "sent", folder=run.project)
    sent = files_to_send(run, git("ls-files", "-z", folder=run.project).split("\0")[:-1])
    git("read-tree", "--empty", folder=run.project)
    git("--literal-pathspecs", "reset", "--quiet", run.commit, "--", *sent, folder=run.project)
    identity = ["-c", "user.name=kaggle_run", "-c", "user.email=kaggle_run@localhost"]
    git(*identity, "commit", "--quiet", "--message", f"The files of {run.commit}", folder=run.project)
    git("bundle", "create", "--quiet", str(run.bundle.resolve()), "HEAD", "sent", folder=run.project)


def files_to_send(run: Run, tracked: list[str]) -> list[str]:
    """The `tracked` files that SENT names or a stage depends on; raises UserError if code is among the rest."""
    params = run.params()
    inputs = {params["start"], params["local"]["path"]}
    sent = [path for path in tracked if SENT.fullmatch(path) or path in inputs]
    if left := [path for path in tracked if path.startswith(("src/", "stages/")) and path not in sent]:
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


def script(run: Run, bundled: bool) -> str:
    """What the kernel runs, with the bundle in it if it is to be `bundled`."""
    settings = {"commit": run.commit, "overrides": run.overrides, "gpu": run.params()["compute"]["device"] != "cpu"}
    bundle = base64.b85encode(run.bundle.read_bytes()).decode() if bundled else ""
    return SCRIPT.format(settings=json.dumps(settings), bundle=bundle)
