"""The project on a GPU, proved and measured by one command: python -m benchmarks.gpu --out FOLDER --minutes 9

Runs its jobs in order of worth, each as long as its share of the minutes and what earlier ones left allow. What a job
prints stands in FOLDER/JOB.txt at once, so that a run that is cut off keeps what it has; all of it is printed at the
end, and at FOLDER/table.txt. benchmarks/study.py, which trains all variants on photos, has ten minutes of its own.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

BUDGET = ("--budget", "gpu")
JOBS = {  # the arguments of python -m, and the share of the minutes
    "tests": (("pytest", "-m", "gpu", "-v", "--tb=short", "-p", "no:cacheprovider", "tests"), 0.45),
    "training": (("benchmarks.training", *BUDGET, "--variant", "all", "--steps", "20", "--turns", "2"), 0.4),
    "compile": (("benchmarks.training", *BUDGET, "--steps", "20", "--turns", "2", "--compile"), 0.15),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder for what is found out")
    parser.add_argument("--minutes", type=float, default=9.0, help="that all may take together")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS), help="only these")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    end, paths = time.monotonic() + options.minutes * 60, [options.out / f"{name}.txt" for name in options.jobs]
    try:
        for place, (name, path) in enumerate(zip(options.jobs, paths, strict=True)):
            share = JOBS[name][1] / sum(JOBS[other][1] for other in options.jobs[place:])
            run(JOBS[name][0], path, (end - time.monotonic()) * share)
    finally:
        table = "\n".join(path.read_text() for path in paths if path.exists())
        (options.out / "table.txt").write_text(table)
        print(table, flush=True)


def run(arguments: tuple[str, ...], path: Path, limit: float) -> None:
    """Runs `python -m ARGUMENT...` for at most `limit` seconds; what it prints, and how it ends, goes to `path`."""
    start = time.monotonic()
    with path.open("w") as file:
        print(f"== {path.stem}: {' '.join(arguments)}", file=file, flush=True)
        command, status = [sys.executable, "-u", "-m", *arguments], "was cut off"
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = f"ended with status {process.wait(limit)}"
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            print(f"== {path.stem} {status} after {time.monotonic() - start:.0f} of {limit:.0f} s", file=file)


if __name__ == "__main__":
    main()
