"""Whatever ends a run at whatever moment, a kill or a full disk, the same command then ends as if nothing had been."""

import hashlib
import inspect
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from src.formats.epochs import EPOCHS
from stages.train.checkpoint import hash_of_files, loaded_code
from stages.train.trainer import Trainer
from tests.conftest import ROOT, VARIANTS, Project, wait_until

MANY = 60  # epochs, each of a fraction of a second each, that a run is still going when the signal comes
OUTS = ("models", "plots", "data/predictions", "metrics", "submissions")


def hashes(project, *folders) -> dict[str, str]:
    """The MD5, as DVC computes it, of every file in `folders`, or in OUTS, by path; starters and `none` are in git."""
    files = [path for out in folders or OUTS for path in (project.root / out).rglob("*") if path.is_file()]
    made = [path for path in files if path.parent.name != "starters" and path.name != "none"]
    return {str(path.relative_to(project.root)): hashlib.md5(path.read_bytes()).hexdigest() for path in made}


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
def long(new_project):
    project = new_project()
    project.set(cpu__train__epochs=MANY, cpu__train__panel_every=MANY // 3)
    return project


@pytest.mark.slow
def test_two_processes_that_were_killed_end_in_the_same_bytes(long):
    long.set(compute__device="cpu", compute__devices=2)
    long.repro("split")
    train = ("python", "-m", "stages.train", "unet")
    assert interrupt(long, signal.SIGKILL, 2, *train)
    assert "going on from epoch" in long.run(*train).stdout
    resumed = hashes(long)
    long.run(*train)
    assert hashes(long) == resumed


def test_ctrl_c_stops_at_once_with_one_line_and_leaves_no_half_written_out(long):
    long.repro("split")
    process = start(long, "python", "-m", "stages.train", "unet")
    wait_until(lambda: checkpoints(long))
    before = sum(psutil.Process(process.pid).cpu_times()[:2])
    os.killpg(process.pid, signal.SIGINT)
    output = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert used.ru_utime + used.ru_stime - before < 3  # of its own time: the machine may be busy with other things
    assert process.returncode == 1
    assert "error: interrupted; start the same command again to go on" in output
    assert "Traceback" not in output
    assert not (long.root / "plots/training/unet").exists()
    again = start(long, "python", "-m", "stages.train", "unet")
    assert any(b"going on from epoch" in line for line in again.stdout)
    os.killpg(again.pid, signal.SIGKILL)
    again.wait()


@pytest.mark.slow
def test_the_checkpoint_of_another_seed_or_another_number_of_threads_is_not_picked_up(long):
    long.set(compute__device="cpu", compute__threads=None)
    long.repro("split")
    train = ("python", "-m", "stages.train", "unet")
    assert interrupt(long, signal.SIGKILL, 1, "env", "OMP_NUM_THREADS=1", *train)
    assert interrupt(long, signal.SIGKILL, 2, "env", "OMP_NUM_THREADS=2", *train)  # the first is the one there was
    long.set(seed=43)
    assert interrupt(long, signal.SIGKILL, 3, "env", "OMP_NUM_THREADS=2", *train)
    assert len(checkpoints(long)) == 3


STAGES = ("download", "prepare", "split", "describe", "train unet", "predict unet", "evaluate unet", "submit unet")
FULL = "ulimit -f 0; exec python -m stages."  # the system then refuses to write even one byte to any file


def litter(project) -> list[str]:
    """What no stage should leave: anything half-written, any lock, any checkpoint of a finished run."""
    names = [path for path in project.root.rglob("*") if ".git" not in path.parts]
    marks = (".partial", ".download", ".kaggle.lock")
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


def test_a_checkpoint_is_of_the_code_that_made_it(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    code = loaded_code()
    assert {ROOT / "src/errors.py", Path(inspect.getfile(Trainer))} <= set(code)
    (tmp_path / "changed.py").write_text("# changed")
    assert hash_of_files(code) != hash_of_files([*code[1:], tmp_path / "changed.py"])
