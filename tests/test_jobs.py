"""`make repro JOBS=2`: variants side by side end in what one after another ends in, whatever happens on the way."""

import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest
import yaml

from src.errors import UserError
from tests.conftest import VARIANTS, Project, copy_finished, copy_project
from tests.test_resume import checkpoints, hashes, start
from tools import jobs

EPOCHS = 40  # of a fraction of a second each, so that two trainings are still going when the signal comes
INTERRUPTED = "error: interrupted; start the same command again to go on\n"


@pytest.fixture(scope="module")
def whole(finished, tmp_path_factory):
    """The variants, one after another."""
    return with_environment(copy_finished(finished, tmp_path_factory.mktemp("whole") / "project"))


def with_environment(project: Project) -> Project:
    (project.root / ".venv").mkdir()
    (project.root / ".venv/requirements").touch()  # the environment is there: ours
    return project


def processes(project) -> list[psutil.Process]:
    """All that run in the project's folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or is not ours
            if process.cwd() == str(project.root) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
def test_side_by_side_they_end_in_the_bytes_of_one_after_another_and_then_nothing_is_left_to_run(whole, tmp_path):
    project = with_environment(copy_project(tmp_path / "project", VARIANTS))
    output = project.run("make", "repro", "JOBS=2").stdout
    assert sorted(ran(output)) == sorted(lock(whole)["stages"])
    same(project, whole)
    assert ran(project.run("make", "repro", "JOBS=2").stdout) == []


@pytest.mark.slow
def test_stopped_or_killed_and_started_again_they_end_in_the_same_bytes(finished, tmp_path):
    whole, project = (with_environment(copy_finished(finished, tmp_path / name)) for name in ("whole", "project"))
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

    tool = begin()
    tool.send_signal(signal.SIGINT)  # as Ctrl-C does
    output = tool.communicate(timeout=60)[0].decode()
    assert tool.returncode == 1
    assert output.endswith(INTERRUPTED)
    assert "Traceback" not in output
    assert not processes(project)
    assert not list((project.root / "models").glob("*.safetensors"))

    begin()
    for process in processes(project):
        process.kill()
    assert len(checkpoints(project)) == 2

    begin().kill()  # what it started goes on until it next writes something, and the next run waits for that
    project.run("make", "repro", "JOBS=2")
    same(project, whole)


@pytest.mark.slow
def test_kill_stops_it_as_ctrl_c_does(whole):
    tool = start(whole, "python", "-m", "tools.jobs", "2")
    wait_until(lambda: len(processes(whole)) > 1)
    tool.terminate()
    assert tool.communicate(timeout=60)[0].decode().endswith(INTERRUPTED)
    assert tool.returncode == 1
    assert not processes(whole)


@pytest.mark.slow
def test_one_that_fails_is_named_and_the_others_go_on(finished, tmp_path):
    project = with_environment(copy_finished(finished, tmp_path / "changed"))
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
    assert again[-1] == "report"
    assert not any(stage.endswith("@residual_unet") for stage in again)


@pytest.mark.parametrize("number", ["", "0", "all"])
def test_how_many_is_a_number(number):
    with pytest.raises(UserError, match=f"how many variants run side by side, such as 2, not '{number}'"):
        jobs.main(number)
