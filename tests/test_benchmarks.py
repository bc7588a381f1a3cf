"""The benchmarks for a GPU keep what they have when their time is up."""

import json
import sys

import psutil
import pytest

from benchmarks import gpu
from tests.conftest import write_raw


def test_a_job_that_hangs_or_fails_keeps_what_it_printed_and_the_next_ones_run(tmp_path, monkeypatch, capsys):
    hangs = "import subprocess as s; p = s.Popen(['sleep', '600']); print('child', p.pid); p.wait()"
    works = {"hangs": hangs, "fails": "print(1 / 0)", "works": "print('all', 'well')"}
    jobs = {name: (("timeit", "-n1", "-r1", work), 0.3) for name, work in works.items()}
    monkeypatch.setattr(gpu, "JOBS", jobs)
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path), "--minutes", "0.2"])
    gpu.main()
    printed = capsys.readouterr().out
    assert "hangs was cut off" in printed and "fails ended with status 1" in printed and "ZeroDivisionError" in printed
    assert "all well" in (tmp_path / "works.txt").read_text() and (tmp_path / "table.txt").read_text() in printed
    child = int((tmp_path / "hangs.txt").read_text().split("child ")[1].split()[0])
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_the_study_trains_all_that_there_is_and_goes_on_where_it_was_stopped(new_project, tmp_path):
    project, out = new_project(), tmp_path / "out"
    photos = write_raw(tmp_path / "photos", labelled=30)
    command = ("python", "-m", "benchmarks.study", str(photos), "--out", str(out), "--miniature")
    stopped = project.run(*command, "--minutes", "0.5", check=False)  # as long as it takes to end
    assert "the same command again goes on" in stopped.stderr and "2 epochs in -" in stopped.stdout
    assert json.loads((out / "study.json").read_text())["models"] == []
    project.run(*command, "--minutes", "20")
    models = json.loads((out / "study.json").read_text())["models"]
    assert {(model["variant"], model["start"]) for model in models} == {
        ("unet", "random"),
        ("efficientnet_unet", "starter"),
    }
    assert all(model["epochs"] == 2 and model["seconds"] > 0 for model in models)
    project.run(*command, "--minutes", "20")
    assert json.loads((out / "study.json").read_text())["models"] == models  # with the same seconds
    assert {path.name for path in out.iterdir()} == {"study.json", "study.md", "study.zip", "gallery.zip"}
