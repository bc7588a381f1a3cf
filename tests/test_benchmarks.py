"""The benchmarks for a GPU keep what they have when their time is up."""

import json
import os
import subprocess

import pytest

from tests.conftest import ROOT, write_raw


def test_a_part_that_fails_keeps_what_it_printed_and_the_next_ones_run(tmp_path):
    (tmp_path / "python").write_text('#!/bin/sh\necho "ran $3"\n[ "$3" != pytest ]\n')
    (tmp_path / "python").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    command = ["sh", ROOT / "benchmarks/gpu.sh", tmp_path / "out"]
    printed = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=True).stdout
    assert "== tests ended with status 1" in printed and "== compile ended with status 0" in printed
    for name, ran in (("tests", "pytest"), ("training", "benchmarks.training"), ("compile", "benchmarks.training")):
        assert f"ran {ran}\n" in (tmp_path / "out" / f"{name}.txt").read_text()


@pytest.mark.slow
def test_the_study_trains_all_that_there_is_and_goes_on_where_it_was_stopped(new_project, tmp_path):
    project, out = new_project(), tmp_path / "out"
    photos = write_raw(tmp_path / "photos", labelled=30)
    command = ("python", "-m", "benchmarks.study", str(photos), "--out", str(out), "--miniature", "--epochs", "2")
    stopped = project.run(*command, "--minutes", "0.5", check=False)  # as long as it takes to end
    assert "the same command again goes on" in stopped.stderr
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
