"""What a run shows: bars that count photos in a terminal, and all that it printed, until it or its reader ends."""

import os
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT, Project, copy_project

BAR = re.compile(r"(?:(\w[\w ]*): +)?\d+%[^\r\n]*?(\d+)/(\d+) \[[^\r\n]*photo")
LABELLED, TEST = 130, 10  # 140 photos are drawn two at a time
BARS = {  # and how many photos each counts; the training's has no name
    "drawing": LABELLED + TEST,
    "prepare labelled": LABELLED,
    "prepare test": TEST,
    "hash": LABELLED,
    "encode": TEST,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    project = copy_project(tmp_path_factory.mktemp("progress") / "project", ["unet"])
    project.set(synthetic__labelled=LABELLED, synthetic__test=TEST, synthetic__size=64, postprocess__threshold="auto")
    return project


@pytest.mark.slow
def test_in_a_terminal_every_bar_counts_photos_and_ends_at_all_of_them(project):
    shown = project.in_terminal("dvc", "repro", "--force", "submit@unet")
    last = {name: (int(done), int(total)) for name, done, total in BAR.findall(shown)}
    assert {name: last[name] for name in BARS} == {name: (count, count) for name, count in BARS.items()}
    assert {"", "threshold", "score"} <= set(last)
    assert all(done == total for done, total in last.values()), last
    assert "epoch 1 of" not in shown


PROGRAM = """
import atexit, threading, time
from src.errors import run_main
def main():
    threading.Thread(target=lambda: (time.sleep(0.3), print("the thread"))).start()
    atexit.register(print, "at exit")
    print("main")
run_main(main)
"""


def test_a_process_ends_with_all_that_it_printed_after_its_threads_and_what_is_due_at_exit():
    command = [sys.executable, "-c", PROGRAM]
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    result = subprocess.run(command, cwd=ROOT, env=buffered, capture_output=True, text=True, check=True)
    assert (result.stdout.split("\n"), result.stderr) == (["main", "the thread", "at exit", ""], "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_error(unbuffered):
    program = "from src.errors import run_main\nrun_main(lambda: [print(number) for number in range(100_000)])"
    command = f"{sys.executable} -c '{program}' | head -1"
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    result = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("0\n", "")
