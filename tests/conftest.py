"""Small real inputs: photos, raw folders, and copies of the project to run in."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two pytest workers on two cores: more threads would only get in the way

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import yaml
from filelock import FileLock

from tests.browser import browser  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parent.parent
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
TINY = {
    "image_size": 32,
    "synthetic.labelled": 24,
    "synthetic.test": 4,
    "synthetic.size": 96,
    "cpu.train.epochs": 2,
    "cpu.train.small_share": 0.0,  # the image is small already
    "cpu.train.batch_size": 4,
    "cpu.train.warmup_epochs": 0.5,
    "gpu.train.epochs": 1,
    "gpu.train.small_share": 0.0,
    "gpu.train.batch_size": 4,
    "compute.checkpoint_seconds": 0.0,  # after every epoch: these last a fraction of a second
    "predict.batch_size": 8,
    "postprocess.threshold": 0.5,  # auto would call all of a photo person: models this small cannot beat that
}
SMALLEST = {"width": 2, "mid": 2}
VARIANTS = ["unet", "residual_unet"]  # of the finished project


def pytest_configure(config: pytest.Config) -> None:
    # A job that a shell runs in the background ignores Ctrl-C, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "slow: `make test` leaves it out; `make test-all` and CI run it")
    config.addinivalue_line("markers", "gpu: needs a CUDA GPU; python -m pytest -m gpu runs these alone")


def set_params(folder: Path, changes: dict[str, Any]) -> None:
    """Writes `changes`, by dotted key, into the params.yaml of `folder`."""
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split(".")
        node = params
        for parent in parents:
            node = node[parent]
        node[last] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def photo_and_mask(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy photo (size, size, 3) with one bright disc on it, and the mask (size, size; 0 and 1) of the disc."""
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 120, (size, size, 3), dtype=np.uint8)
    mask = np.zeros((size, size), np.uint8)
    centre = tuple(int(c) for c in rng.integers(size // 3, 2 * size // 3, 2))
    cv2.circle(mask, centre, int(rng.integers(size // 6, size // 3)), 1, -1)
    photo[mask > 0] = rng.integers(150, 250, 3, dtype=np.uint8)
    return photo, mask


def write_raw(root: Path, labelled: int = 20, test: int = 3, size: int = 48) -> Path:
    """A raw folder in the competition's layout under `root`; returns `root`."""
    for part in ("train/images", "train/masks", "test/images"):
        (root / part).mkdir(parents=True)
    for i in range(labelled + test):
        photo, mask = photo_and_mask(size, i)
        folder = root / ("train" if i < labelled else "test")
        cv2.imwrite(str(folder / "images" / f"{i}.png"), photo)
        if i < labelled:
            cv2.imwrite(str(folder / "masks" / f"{i}.png"), cv2.merge([mask] * 3))
    return root


@dataclass
class Project:
    """A copy of the project in a folder of its own."""

    root: Path

    def set(self, **changes: Any) -> None:
        """Params by dotted key, with `__` for the dots."""
        set_params(self.root, {key.replace("__", "."): value for key, value in changes.items()})

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command of the environment in the project; `check` fails the test if it fails."""
        result = subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, check=False
        )
        assert not check or result.returncode == 0, f"{' '.join(command)}:\n{result.stdout}\n{result.stderr}"
        return result

    def environment(self) -> dict[str, str]:
        """The variables that commands run with."""
        return os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "PYTHONDONTWRITEBYTECODE": "",  # as on a user's machine
            "MAKELEVEL": "",  # the tests run under make, which speaks up in a make of its own
        }

    def stage(self, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs one stage's script by hand."""
        return self.run("python", "-m", f"stages.{name}", *arguments, check=check)

    def tool(self, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs one of the tools."""
        return self.run("python", "-m", f"tools.{name}", *arguments, check=check)

    def processes(self, command: str = "") -> list[psutil.Process]:
        """Those that run `command` in the project, or in a copy that DVC made of it."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # it has ended, or is not ours
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and Path(process.cwd()).is_relative_to(self.root) and command in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def with_environment(self) -> "Project":
        """Itself, where make finds an environment: ours."""
        (self.root / ".venv").mkdir(exist_ok=True)
        (self.root / ".venv/requirements").touch()
        return self

    def commit(self, message: str) -> None:
        """Commits everything."""
        self.run("git", "add", ".")
        self.run("git", "commit", "--quiet", "--message", message)

    def repro(self, *arguments: str) -> list[str]:
        """Runs `dvc repro` and returns the stages that ran, in order."""
        return ran(self.run("dvc", "repro", *arguments).stdout)


def wait_until(done: Callable[[], object], interval: float = 0.05, timeout: float = 600) -> None:
    """Returns once `done` is true; fails the test if that takes too long."""
    deadline = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(interval)


def ran(output: str) -> list[str]:
    """The stages that DVC says it ran, in order."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")]


def copy_project(folder: Path, variants: list[str]) -> Project:
    """What git tracks or would track, with tiny params, as the first commit of a git repository of its own."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    # What a run of the project writes is not part of it: a copy starts without results.
    left = ("metrics/", "data/split.csv", "docs/", "benchmarks/results/")
    for file in files:
        if (ROOT / file).exists() and not file.startswith(left) and file != "dvc.lock":
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, folder / file)
    project = Project(folder)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    smallest = {
        f"{budget}.models.{variant}.{key}": SMALLEST[key]
        for budget in ("cpu", "gpu")
        for variant, sizes in params[budget]["models"].items()
        for key in SMALLEST.keys() & sizes.keys()
    }
    release = params["release"] if params["release"] in variants else variants[0]
    set_params(folder, TINY | smallest | {"variants": variants, "release": release})
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    identify(project)
    project.commit("tiny")
    return project


def identify(project: Project) -> None:
    """Says who commits in the git repository of `project`."""
    project.run("git", "config", "user.name", "Test")
    project.run("git", "config", "user.email", "test@localhost")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of VARIANTS after its first `dvc repro`, committed; made once for all workers. Nobody changes it."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "finished"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            project = copy_project(folder.with_name("making"), VARIANTS)
            run = project.run("dvc", "repro")
            folder.with_suffix(".log").write_text(run.stdout + run.stderr)
            project.commit("results")
            project.root.rename(folder)
    return folder


@pytest.fixture(scope="session")
def first_run(finished: Path) -> str:
    """What the first `dvc repro` of the finished project printed, which was kept in a file."""
    return finished.with_suffix(".log").read_text()


@pytest.fixture(scope="module")
def project(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished project for all tests of a module, which go on from there in their order."""
    return copy_finished(finished, tmp_path_factory.mktemp("module") / "project")


def copy_finished(finished: Path, folder: Path) -> Project:
    """A copy of the finished project in `folder`, with its cache."""
    return Project(Path(shutil.copytree(finished, folder, symlinks=True)))


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[..., Project]:
    """Makes a fresh copy of the project with tiny params."""

    def make(name: str = "project", variants: tuple[str, ...] = ("unet",)) -> Project:
        return copy_project(tmp_path / name, list(variants))

    return make


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and nothing else, as the current one."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path
