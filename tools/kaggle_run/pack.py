"""What is sent to Kaggle: the commit as a git bundle, in the kernel's script, and the settings to run it with."""

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
from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides, to_hydra_overrides

from src.errors import UserError
from src.formats.model import STARTERS
from src.sources.kaggle import cache_folder

KERNEL = Path(__file__).with_name("kernel.py")
# What no stage reads, and what could hold a secret: the address of a remote may have a password in it.
LEFT_OUT = ("docs", "tests", "benchmarks", ".github", ".ci", ".dvc/config", "dvc.lock", "metrics", "submissions")
MADE = ("dvc.lock", "metrics", "data/split.csv", "submissions")  # a run writes these; they may differ from the commit
SECRET_FILES = re.compile(r"(kaggle\.json|access_token|credentials\.json|\.env|config\.local|id_[a-z0-9]+|.*\.pem)")
LONGEST_SCRIPT = 900_000  # characters; more goes into a private dataset


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
        self.folder.mkdir(parents=True, exist_ok=True)
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
    run = Run(commit, overrides, runs / key)
    for path in runs.glob("*/run.json"):
        known = json.loads(path.read_text())
        if known["overrides"] == overrides and known["commit"] != commit and not known.get("done"):
            raise UserError(
                f"a run with these params is under way of commit {known['commit'][:10]}, but {commit[:10]} is checked "
                f"out; git checkout {known['commit'][:10]} to go on with it, or rm -r {path.parent} to forget it"
            )
    return run


def committed_params() -> dict[str, Any]:
    """params.yaml of the commit; that of the workspace may be left from an experiment."""
    return yaml.safe_load(git("show", "HEAD:./params.yaml"))


def changed_files() -> list[str]:
    """Tracked files that differ from the commit, other than those that a run writes or does not read."""
    return git("diff", "--name-only", "HEAD", "--", ".", *(f":!{path}" for path in (*MADE, *LEFT_OUT))).splitlines()


def check_overrides(overrides: list[str]) -> None:
    """Raises UserError if `overrides` are not what `-S` takes, or have several values of a key."""
    try:
        several = [o.input_line for o in to_hydra_overrides(overrides) if o.is_sweep_override()]
    except Exception as error:  # the parser has errors of its own
        raise UserError(f"-S: {next(iter(str(error).splitlines()), 'not KEY=VALUE')}; see dvc exp run --help") from None
    if several:
        raise UserError(f"-S {several[0]}: one value for each key; start a run for each of them")


def start_of(run: Run) -> str:
    """The file of weights that the run starts from."""
    given = [override.partition("=")[2] for override in run.overrides if override.startswith("start=")]
    return given[-1] if given else committed_params()["start"]


def make_clone(run: Run) -> None:
    """Makes `run.project`; raises UserError if the params do not fit."""
    if (run.folder / "project.bundle").exists():
        return
    check_overrides(run.overrides)
    shutil.rmtree(run.project, ignore_errors=True)  # what an earlier try has left
    run.folder.mkdir(parents=True, exist_ok=True)
    git("clone", "--quiet", "--depth", "1", Path.cwd().resolve().as_uri(), str(run.project.resolve()))
    git("checkout", "--quiet", "--orphan", "sent", folder=run.project)
    unused = {f"models/starters/{path.name}" for path in STARTERS.glob("*.safetensors")} - {start_of(run)}
    git("rm", "-r", "--force", "--quiet", "--ignore-unmatch", "--", *LEFT_OUT, *unused, folder=run.project)
    sent = git("ls-files", folder=run.project).splitlines()
    if secret := [path for path in sent if SECRET_FILES.fullmatch(Path(path).name)]:
        raise UserError(f"{secret[0]} is in the commit and may hold a secret; git rm --cached it, and commit")
    identity = ["-c", "user.name=kaggle_run", "-c", "user.email=kaggle_run@localhost"]
    git(*identity, "commit", "--quiet", "--message", f"The files of {run.commit}", folder=run.project)
    try:
        apply_overrides(run.project / "params.yaml", run.overrides)
    except DvcException as error:
        cause = error.__cause__ or error
        raise UserError(f"-S: {' '.join(str(cause).split())}; make check names the keys") from None
    check_params(run)
    bundle = str((run.folder / "project.bundle").resolve())
    git("bundle", "create", "--quiet", bundle, "HEAD", "sent", folder=run.project)


def check_params(run: Run) -> None:
    """Raises UserError if the run's params are not valid, or name photos that Kaggle does not have."""
    command = [sys.executable, "-m", "tools.check"]
    done = subprocess.run(command, cwd=run.project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(done.stderr.strip().removeprefix("error: ") or "tools.check failed")
    if run.params()["source"] == "local":
        raise UserError("source is local, and photos of your own are not at Kaggle; docs/kaggle.md says what works")


def script(run: Run, earlier: list[str], dataset: str) -> str:
    """The kernel's script for `run`; with the bundle in it, or in `dataset`, OWNER/SLUG, if that is not empty."""
    bundle = "" if dataset else base64.b85encode((run.folder / "project.bundle").read_bytes()).decode()
    settings = {
        "COMMIT": run.commit,
        "OVERRIDES": run.overrides,
        "GPU_NEEDED": run.params()["compute"]["device"] != "cpu",
        "BUNDLE": bundle,
        "BUNDLE_DATASET": dataset,
        "EARLIER": earlier,
    }
    return fill_in(KERNEL.read_text(), settings)


def fill_in(text: str, settings: dict[str, Any]) -> str:
    """`text` of the kernel with other values for its settings."""
    for name, value in settings.items():
        before, found, after = re.split(rf"(?m)^({name}\b.*? = ).*$", text, maxsplit=1)
        text = f"{before}{found}{value!r}{after}"
    return text
