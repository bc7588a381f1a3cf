"""Whatever ends a run at whatever moment, a kill or a full disk, the same command then ends as if nothing had been."""

import os
import random
import signal
import time
from contextlib import suppress

import psutil
import pytest

from src.formats.epochs import EPOCHS
from tests.conftest import VARIANTS, Project, wait_until
from tests.test_resume import checkpoints, hashes, start

STAGES = ("download", "prepare", "split", "describe", "train unet", "predict unet", "evaluate unet", "submit unet")
FULL = "ulimit -f 0; exec python -m stages."  # the system then refuses to write even one byte to any file


def litter(project) -> list[str]:
    """What no stage should leave: anything half-written, any lock, any checkpoint of a finished run."""
    names = [path for path in project.root.rglob("*") if ".git" not in path.parts]
    marks = (".partial", ".download-", ".kaggle.lock")
    kept = [path for path in (project.root / ".dvc/cache/checkpoints").glob("*") if path.name != EPOCHS]
    return [str(path) for path in [*kept, *(path for path in names if any(mark in path.name for mark in marks))]]


@pytest.mark.slow
def test_killed_at_random_moments_of_all_stages_it_ends_in_the_same_bytes(finished, new_project):
    project = new_project(variants=VARIANTS)
    rng = random.Random(0)
    for number, victim in enumerate(["dvc", "stage", "both"] * 2):
        run = start(project, "dvc", "repro")
        wanted = STAGES[number % len(STAGES)].split()[0]
        wait_until(lambda: run.poll() is not None or project.processes(f"stages.{wanted}"))  # noqa: B023
        time.sleep(rng.random() * 0.8)
        of_stage = project.processes("stages.")
        for process in project.processes():
            if victim == "both" or (process in of_stage) == (victim == "stage"):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        run.communicate(timeout=60)
        wait_until(lambda: not project.processes(), timeout=10)  # whoever is left works on beside the next run
    project.repro()
    assert hashes(project) == hashes(Project(finished))
    assert project.run("dvc", "status").stdout.startswith("Data and pipelines are up to date")
    assert not litter(project)


@pytest.mark.slow
def test_a_training_waits_for_another_of_the_same_run_and_says_for_which(new_project, tmp_path):
    project = new_project()
    project.set(cpu__train__epochs=40)
    project.repro("split")
    first = start(project, "python", "-m", "stages.train", "unet")
    wait_until(lambda: checkpoints(project))
    os.kill(first.pid, signal.SIGSTOP)  # however slow this machine is, the second one finds it at work
    second = start(project, "python", "-m", "stages.train", "unet")
    line = next(line for line in second.stdout if b"waiting" in line)
    assert line.decode().strip() == f"waiting for process {first.pid}, which trains the same unet"
    os.kill(first.pid, signal.SIGCONT)
    assert [process.communicate(timeout=120) and process.returncode for process in (first, second)] == [0, 0]
    curve = (project.root / "plots/training/unet/plots/metrics/val/dice.tsv").read_text()
    assert len(curve.splitlines()) == 41
    assert not litter(project)


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
