"""Runs the parts one after another, each in a process of its own that is ended when its time is up.

So a part that hangs, crashes or fills the GPU's memory takes nothing from the next one. The processes are forked, since
importing torch and the rest takes longer than some parts do. That works only as long as nobody has touched CUDA before
the fork; where even an import does, each part's process starts afresh instead.
"""

import multiprocessing
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

from benchmarks.gpu.report import CUT_OFF, DONE, FAILED, Report, close, first_line, read_part, write_json

Context = multiprocessing.context.ForkContext | multiprocessing.context.SpawnContext
OWN_END = 0.93  # share of its time after which a part should have ended by itself


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    miniature: bool
    photos: Path | None = None  # a folder or zip in the competition's layout; None: drawn
    encoder_weights: Path | None = None  # of timm's tf_efficientnet_lite0
    loss: str | None = None  # if not that of params.yaml


@dataclass(frozen=True)
class Part:
    """What is run, and the share of the time that it may take."""

    run: Callable[[Report, Options], None]
    share: float


def run_parts(context: Context, parts: dict[str, Part], folder: Path, seconds: float, options: Options) -> None:
    """All of `parts` in `seconds`; what one leaves of its time is the next ones'."""
    end = time.monotonic() + seconds
    waiting = dict(parts)
    for name, part in parts.items():
        limit = (end - time.monotonic()) * part.share / sum(other.share for other in waiting.values())
        del waiting[name]
        print(f"{name}: at most {limit:.0f} s", flush=True)
        run_part(context, part, Report(folder, name, limit * OWN_END), limit, options)


def run_part(context: Context, part: Part, report: Report, limit: float, options: Options) -> None:
    """One part, in a process that is ended after `limit` seconds."""
    folder, name = report.path.parent, report.path.stem
    if limit < 1:
        close(folder, name, CUT_OFF, "no time was left for it")
        return
    process = context.Process(target=within, args=(part, report, options))
    process.start()
    try:
        process.join(limit)
    finally:
        still_running = process.is_alive()
        kill_tree(process.pid)
        process.join()
        if still_running:
            close(folder, name, CUT_OFF, "ended before it had finished")
        elif (read_part(folder, name) or {}).get("status") not in (DONE, FAILED):
            close(folder, name, FAILED, f"its process ended with status {process.exitcode}")


def within(part: Part, report: Report, options: Options) -> None:
    """The part's own process."""
    try:
        part.run(report, options)
    except Exception as error:
        report.finish(FAILED, first_line(error))
        raise
    report.finish(DONE)


def kill_tree(pid: int | None) -> None:
    """Ends a process and all that it has started."""
    try:
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def working_context(folder: Path) -> Context:
    """How to start processes that can use the GPU; FOLDER/machine.json then says what machine this is."""
    contexts: list[Context] = [multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")]
    for context in contexts:
        process = context.Process(target=describe, args=(folder,))
        process.start()
        process.join()
        if process.exitcode == 0:
            return context
    raise RuntimeError("the GPU can be used neither by a forked nor by a new process")


def describe(folder: Path) -> None:
    """Writes FOLDER/machine.json, after a first operation on the GPU, if there is one."""
    has_gpu = torch.cuda.is_available()
    facts = {"date": time.strftime("%Y-%m-%d %H:%M"), "card": "none", "cores": os.cpu_count()}
    if has_gpu:
        torch.ones(1, device="cuda").sum().item()
        major, minor = torch.cuda.get_device_capability()
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        facts |= {
            "card": torch.cuda.get_device_name(),
            "capability": f"{major}.{minor}",
            "memory": f"{memory:.0f} GiB",
            "driver": driver(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    facts |= {name: version(name) for name in ("torch", "lightning-fabric", "kornia", "numpy")}
    write_json(folder / "machine.json", facts | {"python": platform.python_version()})


def driver() -> str:
    """The NVIDIA driver's version, as nvidia-smi gives it."""
    if not shutil.which("nvidia-smi"):
        return "unknown"
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return next(iter(answer.stdout.splitlines()), "unknown")
