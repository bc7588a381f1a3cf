"""kaggle_run [-S KEY=VALUE ...] [--variants NAME ...]: trains on Kaggle's two T4s, and ends as a run at home would.

Sends the current commit to a private kernel there, waits, fetches what it made, and runs the pipeline with that, which
trains nothing. Interrupted anywhere, the same command goes on.
"""

import argparse
import shutil
import time
from itertools import count
from pathlib import Path

from src.errors import UserError, run_main
from src.sources.kaggle import Params
from tools.git import git
from tools.kaggle_run import home, service
from tools.kaggle_run.home import RESULTS, Incomplete
from tools.kaggle_run.kernel import ARCHIVE
from tools.kaggle_run.pack import Run, committed_params, find_run, make_clone
from tools.kaggle_run.service import ENDED, SHAPE, page

LINES = 8  # of the log, at each look


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.kaggle_run", description=__doc__.splitlines()[0])
    parser.add_argument(
        "-S", "--set-param", action="append", default=[], metavar="KEY=VALUE", help="as dvc exp run has it"
    )
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="train these alone")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--push-only", action="store_true", help="start the kernel and do not wait for it")
    only.add_argument(
        "--fetch",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="start nothing and wait for nothing; fetch what a kernel that has ended made, or take it from a folder",
    )
    options = parser.parse_args(arguments)
    folder = Path(options.fetch) if options.fetch else None
    results = home.read_results(folder) if folder else None
    if results and (options.set_param or options.variants):
        raise UserError(f"{options.fetch} says which params it was made with; leave -S and --variants out")
    run = find_run(results.overrides if results else all_overrides(options.set_param, options.variants))
    make_clone(run)
    if not run.done:
        if folder and results:
            home.check_results(run, results, options.fetch)
        else:
            folder = train_there(run, push=options.fetch is None, wait=not options.push_only)
        if folder is None:
            return
        home.take_in(run, folder)
        shutil.rmtree(run.folder / "output", ignore_errors=True)
        run.write(done=True)
    if not options.push_only:
        home.finish(run)


def all_overrides(given: list[str], variants: list[str] | None) -> list[str]:
    """What `-S` says, with the photos of Kaggle, and the variants with the first as release, unless it names others."""
    overrides = [*given, *([f"variants=[{','.join(variants)}]"] if variants else [])]
    params = committed_params()
    if variants and params["release"] not in variants and not any(o.startswith("release=") for o in given):
        overrides.append(f"release={variants[0]}")
    if params["source"] != "kaggle" and not any(o.startswith("source=") for o in overrides):
        overrides[:0] = ["source=kaggle", *(["local.path=data/none"] if params["source"] == "local" else [])]
    return overrides


def train_there(run: Run, push: bool, wait: bool) -> Path | None:
    """The folder with what the run's last kernel wrote; None if it is not waited for.

    A run may take several kernels, one after another, each of which goes on from the one before. This starts at most
    one, and none that is there already. Without `push` it starts none, and does not wait for one that runs.
    """
    user = service.user_name()
    why: UserError | None = None  # the last of the kernels that have ended did not give all of the run
    earlier: list[str] = []  # the last of them that wrote something to go on from
    for number in count(1):
        kernel = f"{user}/{run.name}{f'-{number}' if number > 1 else ''}"
        word, _ = service.state(kernel)
        if word not in ENDED:
            break
        try:
            return collect(run, kernel)
        except Incomplete as error:
            why = error
            earlier = [kernel] if (output(run, kernel) / RESULTS).exists() else earlier
    if not push:
        if word:
            raise UserError(f"{page(kernel)} is {word.lower()}; the same command without --fetch waits for its results")
        raise why or UserError(f"there is no kernel {page(kernel)} to fetch from; leave out --fetch to start it")
    if not word:
        start(run, kernel, earlier)
        run.write(done=False)
    if not wait:
        print(f"{page(kernel)} is {word.lower() or 'started'}; without --push-only this waits for it")
        return None
    watch(kernel)
    return collect(run, kernel)


def output(run: Run, kernel: str) -> Path:
    """Where what the kernel wrote is kept until all of the run is fetched."""
    return run.folder / "output" / kernel.split("/")[1]


def collect(run: Run, kernel: str) -> Path:
    """The folder with what the kernel, which has ended, wrote; raises Incomplete if that is not all of the run."""
    folder = output(run, kernel)
    if service.fetch(kernel, RESULTS, folder):
        home.check_results(run, home.read_results(folder), page(kernel))
        service.fetch(kernel, ARCHIVE, folder)
        return folder
    (word, failure), lines = service.state(kernel), service.log(kernel)
    errors = [line for line in lines if "error: " in line.lower()] or [" / ".join(lines[-3:])]
    reason = " ".join(filter(None, [failure, errors[-1]])) or "its log is empty"
    raise Incomplete(f"{page(kernel)} failed ({word}): {reason[:600]}; the same command starts a new one")


def start(run: Run, kernel: str, earlier: list[str]) -> None:
    """Says what is sent, and starts the kernel."""
    params = run.params()
    photos = Params(**params["kaggle"])
    files = f"{kernel.split('/', 1)[0]}/{run.name}-files"
    inputs = {"competition_sources": [], "dataset_sources": [files], "kernel_sources": earlier}
    if params["source"] == "kaggle":
        inputs[f"{photos.kind}_sources"].append("/".join(photos.slug.split("/")[:2]))
    size, dirty = run.bundle.stat().st_size / 1e3, git("diff", "--name-only", "HEAD").replace("\n", ", ")
    print(f"sends commit {run.commit[:10]} to {page(kernel)}, private")
    print(f"  files: {size:.0f} kB, in {run.project}; code and params, nothing else; to a private dataset")
    print(f"  uncommitted changes, which stay here: {dirty or 'none'}")
    print(f"  params: {' '.join(f'-S {o}' for o in run.overrides) or 'those of the commit'}")
    print(f"  inputs: {', '.join(slug for slugs in inputs.values() for slug in slugs)}; machine: {SHAPE}", flush=True)
    service.push_dataset(files, run.bundle)
    service.push(kernel, run.script(), inputs)


def watch(kernel: str) -> None:
    """Waits until the kernel has ended, with the last lines of its log."""
    print(f"{page(kernel)} runs; Ctrl-C stops the waiting, not the kernel", flush=True)
    shown, before = 0, ""
    while True:
        (word, _), lines = service.state(kernel), service.log(kernel)
        for line in lines[shown:][-LINES:]:
            print(f"  {line}", flush=True)
        if word != before:
            print(", ".join(filter(None, [word.lower(), service.gpu_hours()])), flush=True)
        if word in (*ENDED, ""):
            return
        shown, before = max(shown, len(lines)), word
        time.sleep(service.INTERVAL)


if __name__ == "__main__":
    run_main(main)
