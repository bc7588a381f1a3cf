"""kaggle_run [-S KEY=VALUE ...] [--variants NAME ...]: trains on Kaggle's two T4s, and ends as a run at home would.

Sends the current commit to a private kernel there, waits, fetches what it made, and runs the pipeline with that, which
trains nothing. Interrupted anywhere, the same command goes on.
"""

import argparse
import shutil
import time
from pathlib import Path
from typing import NoReturn

from src.errors import UserError, run_main
from src.sources.kaggle import Params
from tools.kaggle_run import home, service
from tools.kaggle_run.home import RESULTS, Results
from tools.kaggle_run.kernel import ARCHIVE
from tools.kaggle_run.pack import (
    Run,
    changed_files,
    committed_params,
    find_run,
    make_clone,
    script,
)
from tools.kaggle_run.service import ENDED, SHAPE, Kernel

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
    if not run.read().get("done"):
        if folder and results:
            home.check_results(run, results, options.fetch)
        elif found := train_there(run, push=options.fetch is None, wait=not options.push_only):
            folder, results = found
        else:
            return
        home.take_in(run, folder, results)
        shutil.rmtree(run.folder / "output", ignore_errors=True)
        run.write(done=True)
    if not options.push_only:
        home.finish(run)


def all_overrides(given: list[str], variants: list[str] | None) -> list[str]:
    """What `-S` says, with the photos of Kaggle, and the variants with the first as release, unless it names others."""
    overrides = [*given, *([f"variants=[{','.join(variants)}]"] if variants else [])]
    if variants and committed_params()["release"] not in variants and not any(o.startswith("release=") for o in given):
        overrides.append(f"release={variants[0]}")
    if committed_params()["source"] != "kaggle" and not any(o.startswith("source=") for o in overrides):
        overrides.insert(0, "source=kaggle")
    return overrides


def train_there(run: Run, push: bool, wait: bool) -> tuple[Path, Results] | None:
    """The folder with what the run's last kernel wrote, and what that is; or None if it is not waited for.

    A run may take several kernels, one after another, each of which goes on from the one before. This starts at most
    one, and none that is there already. Without `push` it starts none, and does not wait for one that runs.
    """
    user = run.read().get("user") or service.user_name()
    ended: list[Kernel] = []
    earlier: list[str] = []
    while True:
        number = len(ended) + 1
        kernel = Kernel(f"{user}/{run.name}{f'-{number}' if number > 1 else ''}")
        word = service.status(kernel)
        if word not in ENDED:
            break
        if found := results_of(run, kernel):
            return found
        ended.append(kernel)
        earlier = [kernel.slug] if (part_folder(run, kernel) / RESULTS).exists() else earlier
    if not push:
        if word:
            raise UserError(f"{kernel.page} is {word.lower()}; the same command without --fetch waits for its results")
        if ended:
            explain(run, ended[-1])
        raise UserError(f"there is no kernel {kernel.page} to fetch from; leave out --fetch to start it")
    if word is None:
        start(run, kernel, earlier)
        run.write(user=user)
    if not wait:
        print(f"{kernel.page} is {'started' if word is None else word.lower()}; without --push-only this waits for it")
        return None
    watch(kernel)
    return results_of(run, kernel) or explain(run, kernel)


def part_folder(run: Run, kernel: Kernel) -> Path:
    """Where what the kernel wrote is kept until all of the run is fetched."""
    return run.folder / "output" / kernel.slug.split("/")[1]


def results_of(run: Run, kernel: Kernel) -> tuple[Path, Results] | None:
    """What the kernel, which has ended, wrote, if that is all of the run."""
    folder = part_folder(run, kernel)
    if not service.fetch(kernel, RESULTS, folder):
        return None
    results = home.read_results(folder)
    if results.state != "complete" or results.errors:
        return None
    home.check_results(run, results, kernel.page)
    if not home.is_whole(folder, results):
        service.fetch(kernel, ARCHIVE, folder)
    return folder, results


def explain(run: Run, kernel: Kernel) -> NoReturn:
    """Raises UserError that says why the kernel, which has ended, did not give all of the run."""
    folder = part_folder(run, kernel)
    if (folder / RESULTS).exists():
        home.check_results(run, home.read_results(folder), kernel.page)
    state = service.look(kernel)
    errors = [line for line in state.lines if "error: " in line.lower()] or [" / ".join(state.lines[-3:])]
    reason = " ".join(filter(None, [state.failure, errors[-1]])) or "its log is empty"
    raise UserError(f"{kernel.page} failed ({state.status}): {reason[:600]}; the same command starts a new one")


def start(run: Run, kernel: Kernel, earlier: list[str]) -> None:
    """Says what is sent, and starts the kernel."""
    params = run.params()
    photos = Params(**params["kaggle"])
    inputs: dict[str, list[str]] = {"competition_sources": [], "dataset_sources": [], "kernel_sources": earlier}
    if params["source"] == "kaggle":
        inputs[f"{photos.kind}_sources"].append("/".join(photos.slug.split("/")[:2]))
    dirty = f"; uncommitted changes stay here: {', '.join(changed_files())}" if changed_files() else ""
    print(f"sends commit {run.commit[:10]} to {kernel.page}, private{dirty}")
    print(f"  files: {run.bundle.stat().st_size / 1e3:.0f} kB, in {run.project}; code and params, nothing else")
    print(f"  params: {' '.join(f'-S {o}' for o in run.overrides) or 'those of the commit'}")
    print(f"  inputs: {', '.join(slug for slugs in inputs.values() for slug in slugs) or 'none'}; machine: {SHAPE}")
    text = script(run, bundled=True)
    if len(text) > service.LONGEST_SCRIPT:
        dataset = f"{kernel.slug.split('/')[0]}/{run.name}-files"
        print(f"  too much for a script: the files go to the private dataset kaggle.com/datasets/{dataset}")
        service.push_dataset(dataset, run.bundle)
        inputs["dataset_sources"].append(dataset)
        text = script(run, bundled=False)
    service.push(kernel, text, inputs)


def watch(kernel: Kernel) -> None:
    """Waits until the kernel has ended, with the last lines of its log."""
    print(f"{kernel.page} runs; Ctrl-C stops the waiting, not the kernel", flush=True)
    shown, word = 0, ""
    while word not in ENDED:
        if word:
            time.sleep(service.INTERVAL)
        state = service.look(kernel)
        for line in state.lines[shown:][-LINES:]:
            print(f"  {line}", flush=True)
        shown = max(shown, len(state.lines))
        if state.status != word:
            word = state.status
            print(", ".join(filter(None, [word.lower(), service.gpu_hours()])), flush=True)


if __name__ == "__main__":
    run_main(main)
