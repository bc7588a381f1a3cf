"""jobs [NUMBER]: the pipeline with so many variants side by side; `make repro` runs it, with JOBS as NUMBER.

What all variants need comes first, then the stages of each variant, then what is left, such as the report. A variant's
stages are one `dvc repro --single-item`: DVC lets go of its lock while a command runs, and with `--single-item` it does
not look at the stages before, which would be "busy" as soon as another variant reads what they wrote.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock

import psutil
import yaml
from tqdm import tqdm

from src.errors import UserError, run_main
from src.files import locked
from src.params import Name, read_params

FOR_ALL = "split"  # the last stage that all variants need
DVC = ("dvc", "--wait-for-lock")
LOCK = Path(".dvc/tmp/make-repro.lock")
BUSY = "is busy, it is being blocked by"  # DVC's words where another dvc works on the same stage
FULL = "No possible cache link types"  # DVC's words for a full disk
TRY_AGAIN = 5.0  # seconds until the next try then
GRACE = 20.0  # seconds that a process has to end in after Ctrl-C
TAIL = 30  # lines of a variant that failed, which the status line does not show
MEMORY = {"cpu": 1.0, "gpu": 8.0}  # GB of a training on a CPU, by budget: u2net, which takes most
CGROUP = Path("/sys/fs/cgroup")  # the limits of a container
SEEN_AT_ONCE = {"PYTHONUNBUFFERED": "1"}


class Screen:
    """In a terminal the latest line of each of `labels`; elsewhere all lines, each behind its label."""

    def __init__(self, labels: Iterable[str] = ()) -> None:
        self.lines: dict[str, tqdm] = {}
        for label in labels if sys.stdout.isatty() else ():
            place = len(self.lines)
            line = tqdm(desc=label, position=place, bar_format="{desc}", dynamic_ncols=True, file=sys.stdout)
            self.lines[label] = line

    def show(self, label: str, line: str) -> None:
        if label in self.lines:
            self.lines[label].set_description_str(f"{label}: {line}")
        else:
            print(f"{label}: {line}\n", end="", flush=True)

    def close(self) -> None:
        for line in self.lines.values():
            line.close()


class Jobs:
    """The `dvc repro` that run now, each in a process group of its own, so that all it started can be stopped."""

    def __init__(self) -> None:
        self.lock, self.stopped, self.screen = Lock(), Event(), Screen()
        self.running: set[subprocess.Popen[str]] = set()

    def run(self, number: int, calls: dict[str, list[str]]) -> dict[str, list[str]]:
        """`dvc repro` with the arguments in `calls`, by label, `number` at a time; returns what failed, and its errors.

        Each has a thread, so that Ctrl-C, which comes to the main one, never falls into the start of a process.
        """
        with ThreadPoolExecutor(number) as pool:
            running = {label: pool.submit(self._repro, label, arguments) for label, arguments in calls.items()}
            try:
                return {label: errors for label, job in running.items() if (errors := job.result())}
            except KeyboardInterrupt:
                for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(ending, signal.SIG_IGN)  # it is on its way
                pool.shutdown(wait=False, cancel_futures=True)
                self.stop()
                raise
            finally:
                self.screen.close()

    def _repro(self, label: str, arguments: list[str]) -> list[str]:
        """Shows what `dvc repro` prints as `label`'s; returns the lines that say what failed.

        Where another dvc is busy with the same stage, waits and tries again: a tool that was killed leaves its own
        behind, which end when they next write to the pipe that nobody reads.
        """
        errors = self._once(label, arguments)
        while any(BUSY in line for line in errors) and not self.stopped.wait(TRY_AGAIN):
            errors = self._once(label, arguments)
        self.screen.show(label, "failed" if errors else "done")
        return errors

    def _once(self, label: str, arguments: list[str]) -> list[str]:
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
        lines: deque[str] = deque(maxlen=TAIL)
        errors = []
        for line in filter(None, map(str.strip, process.stdout or ())):
            self.screen.show(label, line)
            lines.append(line)
            if line.lower().startswith("error:"):
                errors.append(line)
        status = process.wait()
        self.running.discard(process)
        if not status:
            return []
        return (list(lines) if label in self.screen.lines else errors) or [f"ended with status {status}"]

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


def status() -> dict[str, list[dict[str, dict[str, object]] | str]]:
    """What `dvc status` says against each stage that is out of date; waits while another dvc works on one."""
    while True:
        result = subprocess.run([*DVC, "status", "--json"], capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return json.loads(result.stdout)
        print(result.stderr, end="", file=sys.stderr)
        if BUSY not in result.stderr:
            raise UserError("dvc status failed, for the reason above; mend it and start this again")
        time.sleep(TRY_AGAIN)


def run(jobs: Jobs, number: int | None) -> None:
    """The whole pipeline; raises UserError that names what failed."""
    definitions = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    names, stale = list(definitions), status()
    if not stale:
        print("Data and pipelines are up to date.")
        return
    if not stale.keys().isdisjoint(names[: names.index(FOR_ALL) + 1]):
        check(jobs.run(1, {FOR_ALL: [FOR_ALL]}), "what all variants need was not made, for the reason above")
        stale = status()
    of_each = [name for name in names if "matrix" in definitions[name]]
    chains = {v: [f"{name}@{v}" for name in of_each] for v in read_params("variants", list[str])}
    chains = {variant: chain for variant, chain in chains.items() if not stale.keys().isdisjoint(chain)}
    if chains:
        number = min(number or how_many(), len(chains))
        print(f"{len(chains)} variants, {number} side by side; JOBS=N for another number", flush=True)
        jobs.screen = Screen(chains)
        failed = jobs.run(number, {variant: ["--single-item", *chain] for variant, chain in chains.items()})
        for name, errors in failed.items():
            print(*(f"{name}: {line}" for line in errors), sep="\n", file=sys.stderr)
        check(failed, f"{', '.join(failed)} failed, for the reason above; the others went on")
    check(jobs.run(1, {"rest": []}), "all variants are done, but what comes after them failed, for the reason above")


def check(failed: dict[str, list[str]], what: str) -> None:
    """Raises UserError that says `what` went wrong if anything has `failed`."""
    if any(FULL in line for errors in failed.values() for line in errors):
        what = f"{what}; where DVC speaks of cache link types, there is no room left on the disk"
    if failed:
        raise UserError(f"{what}; mend it and start this again")


def how_many() -> int:
    """How many variants fit side by side: one on each GPU, else as many as cores and free memory allow."""
    import torch  # noqa: PLC0415 - here, since it takes seconds to load

    from src.compute import ComputeParams, find_device  # noqa: PLC0415

    compute = read_params("compute", ComputeParams)
    if find_device(compute) == "cuda":
        return max(1, torch.cuda.device_count() // compute.devices)
    if compute.threads is None:  # each takes all cores
        return 1
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    memory = psutil.virtual_memory().available / 1e9
    with suppress(OSError, ValueError):  # there is none, or "max"
        quota, period = map(int, (CGROUP / "cpu.max").read_text().split())
        cores = min(cores, quota // period)
    with suppress(OSError, ValueError):
        memory = min(memory, int((CGROUP / "memory.max").read_text()) / 1e9)
    each = MEMORY[read_params("budget", Name)]
    return max(1, min(cores // (compute.threads * compute.devices), int(memory / each)))


def main(number: str = "auto") -> None:
    if number != "auto" and (not number.isdecimal() or int(number) < 1):
        raise UserError(f"JOBS is how many variants run side by side, such as 2, or auto, not {number!r}")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C
    jobs = Jobs()
    try:
        with locked(LOCK, "runs make repro in this folder"):
            run(jobs, None if number == "auto" else int(number))
    except KeyboardInterrupt:
        raise UserError("interrupted; start the same command again to go on") from None


if __name__ == "__main__":
    run_main(main)
