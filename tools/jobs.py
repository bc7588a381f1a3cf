"""jobs NUMBER: the pipeline with so many variants side by side; `make repro JOBS=NUMBER` runs it.

What all variants need comes first, then the stages of each variant, then what is left, such as the report. A variant's
stages are one `dvc repro --single-item`: DVC lets go of its lock while a command runs, and with `--single-item` it does
not look at the stages before, which would be "busy" as soon as another variant reads what they wrote.
"""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock

import yaml

from src.errors import UserError, run_main
from src.params import read_params

FOR_ALL = "split"  # the last stage that all variants need
DVC = ("dvc", "--wait-for-lock")
BUSY = "is busy, it is being blocked by"  # DVC's words where another dvc works on the same stage
TRY_AGAIN = 5.0  # seconds until the next try then
GRACE = 20.0  # seconds that a process has to end in after Ctrl-C
SEEN_AT_ONCE = {"PYTHONUNBUFFERED": "1"}


class Jobs:
    """The `dvc repro` that run now, each in a process group of its own, so that all it started can be stopped."""

    def __init__(self) -> None:
        self.lock, self.stopped = Lock(), Event()
        self.running: set[subprocess.Popen[str]] = set()

    def repro(self, label: str, *arguments: str) -> list[str]:
        """Runs `dvc repro`, `label` before every line that it prints; returns the lines that say what failed.

        Where another dvc is busy with the same stage, waits and tries again: a tool that was killed leaves its own
        behind, which end when they next write to the pipe that nobody reads.
        """
        errors = self._once(label, *arguments)
        while any(BUSY in line for line in errors) and not self.stopped.wait(TRY_AGAIN):
            errors = self._once(label, *arguments)
        return errors

    def _once(self, label: str, *arguments: str) -> list[str]:
        with self.lock:  # what has started is in `running` before anybody stops it
            if self.stopped.is_set():
                return ["not started"]
            process = subprocess.Popen(
                [*DVC, "repro", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,  # which makes the \r of a progress bar the end of a line, too
                errors="replace",
                start_new_session=True,
                env=SEEN_AT_ONCE | os.environ,
            )
            self.running.add(process)
        errors = []
        for line in map(str.strip, process.stdout or ()):
            if line:
                print(f"{label}: {line}\n", end="", flush=True)
            if line.lower().startswith("error:"):
                errors.append(line)
        status = process.wait()
        self.running.discard(process)
        return (errors or [f"ended with status {status}"]) if status else []

    def stop(self) -> None:
        """Sends Ctrl-C to all that runs, and kills what has not ended after GRACE seconds."""
        with self.lock:
            self.stopped.set()
        for number, patience in ((signal.SIGINT, GRACE), (signal.SIGKILL, None)):
            left = list(self.running)
            for process in left:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            for process in left:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(patience)


def stale_variants() -> dict[str, list[str]]:
    """Those of `variants` of which a stage is out of date, each with all its stages in the order of dvc.yaml."""
    output = subprocess.run([*DVC, "status", "--json"], stdout=subprocess.PIPE, check=True).stdout
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    names = [name for name, definition in stages.items() if "matrix" in definition]
    chains = {v: [f"{name}@{v}" for name in names] for v in read_params("variants", list[str])}
    return {variant: chain for variant, chain in chains.items() if not json.loads(output).keys().isdisjoint(chain)}


def run(jobs: Jobs, pool: ThreadPoolExecutor) -> None:
    """The whole pipeline; raises UserError that names what failed."""
    if pool.submit(jobs.repro, FOR_ALL, FOR_ALL).result():
        raise UserError("what all variants need was not made; the lines above say why")
    chains = stale_variants()
    running = {name: pool.submit(jobs.repro, name, "--single-item", *chain) for name, chain in chains.items()}
    failed = {name: errors for name, job in running.items() if (errors := job.result())}
    for name, errors in failed.items():
        print(*(f"{name}: {line}" for line in errors), sep="\n", file=sys.stderr)
    if failed:
        names = ", ".join(failed)
        raise UserError(f"{names} failed, for the reason above; the others went on; mend it and start this again")
    if pool.submit(jobs.repro, "rest").result():
        raise UserError("all variants are done, but what comes after them failed; the lines above say why")


def main(number: str = "") -> None:
    if not number.isdecimal() or int(number) < 1:
        raise UserError(f"JOBS is how many variants run side by side, such as 2, not {number!r}")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C
    jobs, pool = Jobs(), ThreadPoolExecutor(int(number))
    try:
        run(jobs, pool)
    except KeyboardInterrupt:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)  # it is on its way
        pool.shutdown(wait=False, cancel_futures=True)
        jobs.stop()
        raise UserError("interrupted; start the same command again to go on") from None


if __name__ == "__main__":
    run_main(main)
