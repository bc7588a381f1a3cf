"""The command that proves the project on a GPU, in miniature on a CPU; and that no part harms the others."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from benchmarks.gpu.report import tables
from benchmarks.gpu.runner import Options, Part, run_parts
from tests.conftest import ROOT

pytestmark = pytest.mark.slow  # the whole command, even in miniature, takes minutes on a CPU
PARTS = ("exact", "loop", "pipeline", "minutes", "sync", "predict")
VARIANTS = 8


def command(out: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.gpu", "--miniature", "--out", str(out), *arguments]


def run(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, **options)


def read(folder: Path, part: str) -> dict:
    return json.loads((folder / f"{part}.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the whole command leaves and prints, where there is neither a git repository nor git."""
    folder = tmp_path_factory.mktemp("gpu")
    for name in ("benchmarks", "src", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "models/starters").mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml", ".dvcignore", ".gitignore", "models/starters/none"):
        shutil.copy(ROOT / name, folder / name)
    python = folder / "bin/python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    environment = os.environ | {"PATH": str(python.parent), "OMP_NUM_THREADS": "1"}
    result = run(folder / "out", "--minutes", "12", cwd=folder, env=environment)
    assert result.returncode == 0, result.stderr
    return folder / "out", result.stdout


def test_every_part_is_done_and_nothing_failed(whole):
    for part in PARTS:
        content = read(whole[0], part)
        assert (content["status"], content["failures"]) == ("done", {}), part
        assert "no time was left" not in " ".join(content["notes"])


def test_equal_runs_and_resumed_ones_end_in_equal_bits(whole):
    rows = read(whole[0], "exact")["sections"]["bits"]
    assert len(rows) % VARIANTS == 0 and len({row["variant"] for row in rows}) == VARIANTS
    assert all(row["twice_equal"] and row["resumed_equal"] and row["finite"] and not row["difference"] for row in rows)


def test_the_loop_is_timed_with_each_variant_deterministic_and_not(whole):
    sections = read(whole[0], "loop")["sections"]
    assert len({(row["variant"], row["deterministic"]) for row in sections["speed"]}) == 2 * VARIANTS
    assert [row["variants"] for row in sections["together"]] == [VARIANTS, VARIANTS]
    assert all(row["megabytes"] > 0.1 for row in sections["saving"])


def test_a_killed_pipeline_ends_in_the_same_bytes(whole):
    (row,) = read(whole[0], "pipeline")["sections"]["pipeline"]
    assert row["killed"] and row["went_on"] and row["same_bytes"]
    assert 0 < row["holdout_dice"] < 1
    (training,) = read(whole[0], "minutes")["sections"]["training"]
    assert len(training["curve"]) == training["epochs"]


def test_the_table_names_the_machine_and_every_part(whole):
    folder, printed = whole
    table = (folder / "table.txt").read_text()
    assert table in printed and "torch" in table.splitlines()[0]
    assert all(f"== {part}: done" in table for part in PARTS)


@dataclass(frozen=True)
class Row:
    number: int


def quick(report, options):
    report.add("rows", Row(1))
    with report.attempt("something"):
        raise ValueError("went wrong\nwith details")
    report.add("rows", Row(2))


def raises(report, options):
    report.add("rows", Row(1))
    raise KeyError("missing")


def hangs(report, options):
    report.add("rows", Row(subprocess.Popen(["sleep", "600"]).pid))
    time.sleep(600)


def dies(report, options):
    report.add("rows", Row(1))
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings("ignore:This process")  # Python 3.12 warns of forks beside threads
def test_a_part_that_fails_or_hangs_keeps_its_rows_and_the_next_ones_run(tmp_path):
    parts = {work.__name__: Part(work, 1) for work in (raises, hangs, dies, quick)}
    run_parts(multiprocessing.get_context("fork"), parts, tmp_path, 12, Options(miniature=True))
    assert {name: read(tmp_path, name)["status"] for name in parts} == {
        "raises": "failed",
        "hangs": "cut off",
        "dies": "failed",
        "quick": "done",
    }
    assert all(len(read(tmp_path, name)["sections"]["rows"]) == 1 for name in ("raises", "hangs", "dies"))
    assert read(tmp_path, "raises")["error"] == "KeyError: 'missing'"
    assert read(tmp_path, "quick")["failures"] == {"something": "ValueError: went wrong"}
    assert len(read(tmp_path, "quick")["sections"]["rows"]) == 2
    child = read(tmp_path, "hangs")["sections"]["rows"][0]["number"]
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert "== hangs: cut off" in tables(tmp_path, list(parts))


def test_a_command_that_is_told_to_end_keeps_what_it_has(tmp_path):
    process = subprocess.Popen(command(tmp_path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not ((tmp_path / "exact.json").exists() and read(tmp_path, "exact")["sections"]):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    printed = process.communicate(timeout=30)[0]
    assert read(tmp_path, "exact")["status"] == "cut off"
    assert "== exact: cut off" in printed and "== loop: not run" in printed


def test_an_unknown_part_is_named(tmp_path):
    result = run(tmp_path, "--parts", "exact,speed", cwd=ROOT)
    assert result.returncode == 2 and "there is no speed; choose from exact, loop" in result.stderr
