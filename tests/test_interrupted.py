"""Whatever ends a run at whatever moment, a kill or a full disk, the same command then ends as if nothing had been."""

import os
import random
import shutil
import signal
import time

import cv2
import psutil
import pytest

from tests.conftest import copy_finished, photo_and_mask
from tests.test_resume import hashes, start

STAGES = ("download", "prepare", "split", "describe", "train unet", "predict unet", "evaluate unet", "submit unet")
FULL = "ulimit -f 0; exec python -m stages."  # the system then refuses to write even one byte to any file


def litter(project) -> list[str]:
    """What no stage should leave: anything half-written, any lock, any checkpoint of a finished run."""
    names = [path for path in project.root.rglob("*") if ".git" not in path.parts]
    marks = (".partial", ".download-", ".kaggle.lock")
    kept = list((project.root / ".dvc/cache/checkpoints").glob("*"))
    return [str(path) for path in [*kept, *(path for path in names if any(mark in path.name for mark in marks))]]


def own_processes(project) -> list[psutil.Process]:
    """Every process that works in the project's folder."""
    found = []
    for process in psutil.process_iter(["cwd"]):
        if process.info["cwd"] and process.info["cwd"].startswith(str(project.root)):
            found.append(process)
    return found


def kill(project, victim: str) -> None:
    """Kills dvc, the stage that it runs, or both, as `kill -9` does."""
    processes = own_processes(project)
    for process in processes:
        try:
            is_stage = any(part.startswith("stages.") for part in process.cmdline())
            if victim == "both" or is_stage == (victim == "stage"):
                process.kill()
        except psutil.NoSuchProcess:
            pass


def all_gone(project) -> bool:
    deadline = time.monotonic() + 10
    while own_processes(project) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not own_processes(project)


@pytest.mark.slow
def test_killed_at_random_moments_of_all_stages_it_ends_in_the_same_bytes(new_project):
    project, whole = new_project(), new_project("whole")
    rng = random.Random(0)
    for number, victim in enumerate(["dvc", "stage", "both"] * 2):
        run = start(project, "dvc", "repro")
        wanted = STAGES[number % len(STAGES)].split()[0]
        deadline = time.monotonic() + 60
        while run.poll() is None and time.monotonic() < deadline:
            # The stage under way, once it is one that is due; then a moment inside it.
            if any(
                f"stages.{wanted}" in process.cmdline() for process in own_processes(project) if process.is_running()
            ):
                time.sleep(rng.random() * 0.8)
                break
            time.sleep(0.02)
        kill(project, victim)
        run.communicate(timeout=60)
        assert all_gone(project), "whoever is left works on beside the next run"
    project.repro()
    whole.repro()
    assert hashes(project) == hashes(whole)
    assert project.run("dvc", "status").stdout.startswith("Data and pipelines are up to date")
    assert not litter(project)


@pytest.mark.slow
def test_a_training_waits_for_another_of_the_same_run_and_says_for_which(new_project, tmp_path):
    project = new_project()
    project.set(cpu__train__epochs=40)
    project.repro("split")
    first = start(project, "python", "-m", "stages.train", "unet")
    checkpoints = project.root / ".dvc/cache/checkpoints"
    while first.poll() is None and not list(checkpoints.glob("*.safetensors")):
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGSTOP)  # however slow this machine is, the second one finds it at work
    second = start(project, "python", "-m", "stages.train", "unet")
    line = next(line for line in second.stdout if b"waiting" in line)
    assert line.decode().strip() == f"waiting for process {first.pid}, which trains the same unet"
    os.kill(first.pid, signal.SIGCONT)
    assert [process.communicate(timeout=120) and process.returncode for process in (first, second)] == [0, 0]
    curve = (project.root / "plots/training/unet/plots/metrics/val/dice.tsv").read_text()
    assert len(curve.splitlines()) == 41
    assert not litter(project)


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory):
    """A project in which everything has run, to fill the disk of."""
    return copy_finished(finished, tmp_path_factory.mktemp("full") / "project")


QUICK = [pytest.param(name, marks=pytest.mark.slow if "unet" in name else []) for name in STAGES]


@pytest.mark.parametrize("name", [*QUICK, "report"])
def test_a_full_disk_is_one_line_and_with_room_the_same_command_works(project, name):
    before = hashes(project)
    result = project.run("bash", "-c", FULL + name, check=False)
    lines = [line for line in result.stderr.replace("\r", "\n").splitlines() if "error" in line.lower()]
    assert result.returncode == 1, result.stderr
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ") and "no room left on the disk" in lines[0]
    assert "Traceback" not in result.stderr
    project.run("bash", "-c", f"python -m stages.{name}")
    assert hashes(project) == before
    assert not litter(project)


@pytest.mark.slow
def test_pictures_on_a_full_disk_are_an_error_too(project, tmp_path):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), photo_and_mask(96, seed=1)[0])
    for photo_or_folder in ("ulimit -f 0; ", "touch demo; "):
        shutil.rmtree(project.root / "demo", ignore_errors=True)
        result = project.run("bash", "-c", f"{photo_or_folder}exec python -m tools.demo {photo}", check=False)
        assert result.returncode == 1
        assert "see demo" not in result.stdout
        assert result.stderr.splitlines()[-1].startswith("error: ")
        assert "Traceback" not in result.stderr
    (project.root / "demo").unlink()
    assert "see demo" in project.run("python", "-m", "tools.demo", str(photo)).stdout
