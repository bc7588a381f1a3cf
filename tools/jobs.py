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
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from src.errors import UserError, run_main
from src.files import locked
from src.params import Name, read_params

FOR_ALL = "split"  # the last stage that all variants need
DVC = ("dvc", "--wait-for-lock")
LOCK = Path(".dvc/tmp/make-repro.lock")
GRACE = 20.0  # seconds that a process has to end in after Ctrl-C
MEMORY = {"cpu": 1.0, "gpu": 8.0}  # GB of a training on a CPU, by budget: u2net, which takes most
CGROUP = Path("/sys/fs/cgroup")  # the limits of a container
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_all(number: int, calls: dict[str, list[str]]) -> dict[str, list[str]]:
    """`dvc repro` with the arguments in `calls`, by label, `number` at a time; returns what failed, and its errors.

    Each has a thread, so that Ctrl-C, which comes to the main one, never falls into the start of a process.
    """
    with ThreadPoolExecutor(number) as pool:
        running = {label: pool.submit(repro, label, arguments) for label, arguments in calls.items()}
        try:
            return {label: errors for label, job in running.items() if (errors := job.result())}
        except KeyboardInterrupt:
            for ending in ENDINGS:
                signal.signal(ending, signal.SIG_IGN)  # it is on its way
            pool.shutdown(wait=False, cancel_futures=True)
            for ending in (signal.SIGINT, signal.SIGKILL):
                left = psutil.Process().children(recursive=True)
                for process in left:
                    with suppress(psutil.NoSuchProcess):
                        process.send_signal(ending)
                psutil.wait_procs(left, GRACE)
            raise


def repro(label: str, arguments: list[str]) -> list[str]:
    """Prints what `dvc repro` says, each line behind its `label`; returns the lines that say what failed."""
    process = subprocess.Popen(
        [*DVC, "repro", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,  # which makes the \r of a progress bar the end of a line, too
        errors="replace",
        start_new_session=True,  # Ctrl-C in a terminal comes to us alone
        env={"PYTHONUNBUFFERED": "1"} | os.environ,
    )
    errors = []
    for line in filter(None, map(str.strip, process.stdout or ())):
        print(f"{label}: {line}\n", end="", flush=True)
        if line.lower().startswith("error:"):
            errors.append(line)
    status = process.wait()
    print(f"{label}: {'failed' if status else 'done'}\n", end="", flush=True)
    return (errors or [f"ended with status {status}"]) if status else []


def status() -> dict[str, list[dict[str, dict[str, object]] | str]]:
    """What `dvc status` says against each stage that is out of date."""
    result = subprocess.run([*DVC, "status", "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise UserError("dvc status failed, for the reason above; mend it and start this again")
    return json.loads(result.stdout)


def run(number: int | None) -> None:
    """The whole pipeline; raises UserError that names what failed."""
    definitions = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    names, stale = list(definitions), status()
    if not stale:
        print("Data and pipelines are up to date.")
        return
    if not stale.keys().isdisjoint(names[: names.index(FOR_ALL) + 1]):
        check(run_all(1, {FOR_ALL: [FOR_ALL]}), "what all variants need was not made, for the reason above")
        stale = status()
    of_each = [name for name in names if "matrix" in definitions[name]]
    chains = {v: [f"{name}@{v}" for name in of_each] for v in read_params("variants", list[str])}
    chains = {variant: chain for variant, chain in chains.items() if not stale.keys().isdisjoint(chain)}
    if chains:
        number = min(number or how_many(), len(chains))
        print(f"{len(chains)} variants, {number} side by side; JOBS=N for another number", flush=True)
        failed = run_all(number, {variant: ["--single-item", *chain] for variant, chain in chains.items()})
        for name, errors in failed.items():
            print(*(f"{name}: {line}" for line in errors), sep="\n", file=sys.stderr)
        check(failed, f"{', '.join(failed)} failed, for the reason above; the others went on")
    check(run_all(1, {"rest": []}), "all variants are done, but what comes after them failed, for the reason above")


def check(failed: dict[str, list[str]], what: str) -> None:
    """Raises UserError that says `what` went wrong if anything has `failed`."""
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
    for ending in ENDINGS:
        if signal.getsignal(ending) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C
    try:
        with locked(LOCK, "runs make repro in this folder"):
            run(None if number == "auto" else int(number))
    except KeyboardInterrupt:
        raise UserError("interrupted; start the same command again to go on") from None


if __name__ == "__main__":
    run_main(main)
