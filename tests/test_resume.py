"""A training that was stopped goes on where it was."""

import hashlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_until

EPOCHS = 60  # so many, of a fraction of a second each, that a run is still going when the signal comes
OUTS = ("models", "plots", "data/predictions", "metrics", "submissions")


def hashes(project) -> dict[str, str]:
    files = [path for out in OUTS for path in (project.root / out).rglob("*") if path.is_file()]
    return {str(path.relative_to(project.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def checkpoints(project) -> list[Path]:
    return list((project.root / ".dvc/cache/checkpoints").glob("*.safetensors"))


def start(project, *command) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def interrupt(project, number, epochs, *command) -> bool:
    """Starts `command`, and sends `number` to all of it once `epochs` are finished; whether it was still running."""
    process = start(project, *command)
    seen, latest, deadline = 0, 0.0, time.monotonic() + 120
    while process.poll() is None and seen < epochs and time.monotonic() < deadline:
        times = [path.stat().st_mtime for path in checkpoints(project)]
        if times and max(times) > latest:
            seen, latest = seen + 1, max(times)
        time.sleep(0.01)
    time.sleep(random.Random(epochs).random() * 0.3)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, number)
    process.communicate(timeout=60)
    return running


@pytest.fixture
def project(new_project):
    project = new_project()
    project.set(cpu__train__epochs=EPOCHS, cpu__train__panel_every=EPOCHS // 3)
    return project


@pytest.mark.slow
def test_two_processes_that_were_killed_end_in_the_same_bytes(project):
    project.set(compute__device="cpu", compute__devices=2)
    project.repro("split")
    train = ("python", "-m", "stages.train", "unet")
    assert interrupt(project, signal.SIGKILL, 2, *train)
    assert "going on from epoch" in project.run(*train).stdout
    resumed = hashes(project)
    project.run(*train)
    assert hashes(project) == resumed


def test_ctrl_c_stops_at_once_with_one_line_and_leaves_no_half_written_out(project):
    project.repro("split")
    process = start(project, "python", "-m", "stages.train", "unet")
    wait_until(lambda: checkpoints(project))
    before = sum(psutil.Process(process.pid).cpu_times()[:2])
    os.killpg(process.pid, signal.SIGINT)
    output = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert used.ru_utime + used.ru_stime - before < 3  # of its own time: the machine may be busy with other things
    assert process.returncode == 1
    assert "error: interrupted; start the same command again to go on" in output
    assert "Traceback" not in output
    assert not (project.root / "plots/training/unet").exists()
    again = start(project, "python", "-m", "stages.train", "unet")
    assert any(b"going on from epoch" in line for line in again.stdout)
    os.killpg(again.pid, signal.SIGKILL)
    again.wait()


@pytest.mark.slow
def test_the_checkpoint_of_another_seed_or_another_number_of_threads_is_not_picked_up(project):
    project.set(compute__device="cpu", compute__threads=None)
    project.repro("split")
    train = ("python", "-m", "stages.train", "unet")
    assert interrupt(project, signal.SIGKILL, 1, "env", "OMP_NUM_THREADS=1", *train)
    assert interrupt(project, signal.SIGKILL, 2, "env", "OMP_NUM_THREADS=2", *train)  # the first is the one there was
    project.set(seed=43)
    assert interrupt(project, signal.SIGKILL, 3, "env", "OMP_NUM_THREADS=2", *train)
    assert len(checkpoints(project)) == 3
