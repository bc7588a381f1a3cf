"""What a process prints is seen, until it or its reader ends."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

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
