"""`make repro`: variants side by side end in what one after another ends in, whatever happens on the way."""

import os
import re
import signal
import sys
import time
from types import SimpleNamespace

import psutil
import pytest
import yaml

from src import gpus
from src.errors import UserError
from tests.conftest import VARIANTS, Project, copy_finished, copy_project, wait_until
from tests.test_resume import checkpoints, hashes, start
from tools import jobs

EPOCHS = 40  # of a fraction of a second each, so that two trainings are still going when the signal comes
INTERRUPTED = "error: interrupted; start the same command again to go on\n"


def lock(project):
    return yaml.safe_load((project.root / "dvc.lock").read_text())


def ran(output: str) -> list[str]:
    return re.findall(r"^\S+: Running stage '(.*)'", output, re.M)


def same(project, whole):
    assert hashes(project) == hashes(whole)
    assert lock(project) == lock(whole)
    assert "up to date" in project.run("dvc", "status").stdout
    assert (project.root / "report/index.html").read_bytes() == (whole.root / "report/index.html").read_bytes()


@pytest.mark.slow
def test_side_by_side_they_end_in_the_bytes_of_one_after_another_and_then_nothing_is_left_to_run(finished, tmp_path):
    project, whole = copy_project(tmp_path / "project", VARIANTS).with_environment(), Project(finished)
    output = project.run("make", "repro", "JOBS=2").stdout
    assert sorted(ran(output)) == sorted(lock(whole)["stages"])
    same(project, whole)
    assert ran(project.run("make", "repro", "JOBS=2").stdout) == []


@pytest.mark.slow
def test_stopped_or_killed_and_started_again_they_end_in_the_same_bytes(finished, tmp_path):
    whole, project = (copy_finished(finished, tmp_path / name).with_environment() for name in ("whole", "project"))
    for each in (whole, project):
        each.set(cpu__train__epochs=EPOCHS)
    whole.repro()
    for model in (project.root / "models").glob("*.safetensors"):
        model.unlink()

    def begin():
        """Starts it, and waits until both trainings have saved a checkpoint since."""
        begun, tool = time.time(), start(project, "python", "-m", "tools.jobs", "2")
        wait_until(lambda: sum(path.stat().st_mtime > begun for path in checkpoints(project)) == 2)
        assert tool.poll() is None
        return tool

    for number in (signal.SIGINT, signal.SIGTERM):  # as Ctrl-C and kill do
        tool = begin()
        tool.send_signal(number)
        output = tool.communicate(timeout=60)[0].decode()
        assert tool.returncode == 1
        assert output.endswith(INTERRUPTED)
        assert "Traceback" not in output
        assert not project.processes()
    assert not list((project.root / "models").glob("*.safetensors"))

    begin()
    killed = project.processes()
    for process in killed:
        process.kill()
    psutil.wait_procs(killed)  # to DVC, the lock of one whose number is still taken is held
    assert len(checkpoints(project)) == 2

    begin().kill()  # what it started goes on until it next writes something
    wait_until(lambda: not project.processes())
    project.run("make", "repro", "JOBS=2")
    same(project, whole)


@pytest.mark.slow
def test_one_that_fails_is_named_and_the_others_go_on(finished, tmp_path):
    project = copy_finished(finished, tmp_path / "changed").with_environment()
    project.set(seed=43)
    model = project.root / "src/models/unet.py"
    working = model.read_text()
    model.write_text(working + "\n\nUNet.forward_normalised = None\n")
    result = project.run("make", "repro", "JOBS=2", check=False)
    assert result.returncode != 0
    *_, error = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert error == "error: unet failed, for the reason above; the others went on; mend it and start this again"
    assert "unet: ERROR: failed to reproduce 'train@unet'" in result.stderr
    assert "Running stage 'submit@residual_unet'" in result.stdout
    model.write_text(working)
    again = ran(project.run("make", "repro", "JOBS=2").stdout)
    assert again[:2] == ["train@unet", "predict@unet"]
    assert set(again[-2:]) == {"report", "release"}
    assert not any(stage.endswith("@residual_unet") for stage in again)


def test_two_at_once_take_turns(project):
    project.set(postprocess__threshold=0.45)
    first = start(project, "python", "-m", "tools.jobs", "2")
    wait_until((project.root / jobs.LOCK).exists)
    second = project.tool("jobs")
    assert second.stderr == f"waiting for process {first.pid}, which runs make repro in this folder\n"
    assert second.stdout == "Data and pipelines are up to date.\n"
    log = first.communicate()[0].decode()
    assert sorted(ran(log)) == sorted(
        [*(f"{s}@{v}" for s in ("evaluate", "submit") for v in VARIANTS), "report", "release"]
    )


@pytest.mark.parametrize(
    ("change", "files", "expected"),
    [
        ({}, {}, 6),
        ({"compute__threads": 2}, {}, 3),
        ({"compute__threads": None}, {}, 1),
        ({"budget": "gpu"}, {}, 2),  # 20 GB are free
        ({}, {"cpu.max": "200000 100000", "memory.max": "max"}, 2),
        ({}, {"cpu.max": "max 100000", "memory.max": "3000000000"}, 3),
        ({}, {"cpu.max": "50000 100000"}, 1),
    ],
)
def test_cores_memory_and_the_limits_of_a_container_say_how_many(bare, monkeypatch, change, files, expected):
    Project(bare).set(compute__device="cpu", **change)
    for name, text in files.items():
        (bare / name).write_text(f"{text}\n")
    monkeypatch.setattr(jobs, "CGROUP", bare)
    monkeypatch.setattr(jobs.os, "sched_getaffinity", lambda _: range(6), raising=False)
    monkeypatch.setattr(jobs.psutil, "virtual_memory", lambda: SimpleNamespace(available=20e9))
    assert jobs.how_many() == expected


@pytest.mark.parametrize("number", ["", "0", "all"])
def test_how_many_is_a_number(number):
    with pytest.raises(UserError, match=f"how many variants run side by side, such as 2, or auto, not '{number}'"):
        jobs.main(number)


def test_without_the_environment_activated_dvc_takes_its_python_or_one_line_says_that_there_is_none(project):
    (project.root / "bin").mkdir()
    (project.root / "bin/python").symlink_to(getattr(sys, "_base_executable", sys.executable))
    (project.root / ".venv").symlink_to(sys.prefix)
    path = f"PATH={project.root / 'bin'}:/usr/bin:/bin"
    repro = ["env", path, f"{sys.prefix}/bin/dvc", "repro", "--force", "--single-item", "split"]
    assert ran(project.run(*repro).stdout.replace("Running", "x: Running")) == ["split"]
    (project.root / ".venv").unlink()
    result = project.run(*repro, check=False)
    line = "error: this Python lacks the project's packages; type: make check && source .venv/bin/activate"
    assert line in result.stderr
    assert "Traceback" not in result.stderr


def test_gpus_are_locked_in_a_folder_that_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setattr(gpus, "TAKEN", {})
    monkeypatch.setattr(gpus.tempfile, "tempdir", str(tmp_path))
    folder, others = tmp_path / f"person-segmentation-{os.getuid()}", tmp_path / "others"
    others.mkdir()
    (others / "file").write_text("theirs")
    folder.symlink_to(others)
    with pytest.raises(UserError, match="is a link, a file or another user's; remove it, or set TMPDIR"):
        gpus.take_gpu(["a"])
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o755)
    assert gpus.take_gpu(["b"]) == 0
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.read_text() for path in others.iterdir()} == {"file": "theirs"}
