"""kaggle_run [-S KEY=VALUE ...] [--variants NAME ...]: trains on Kaggle's two T4s, and ends as a run at home would.

Sends the current commit to a private kernel there, waits, fetches what it made, and runs the pipeline with that, which
trains nothing. Interrupted anywhere, the same command goes on.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from src.errors import UserError, run_main
from src.sources.kaggle import Params
from tools.kaggle_run import home, pack, service
from tools.kaggle_run.pack import Run, changed_files, committed_params, find_run, make_clone, script
from tools.kaggle_run.service import ENDED, SHAPE, Kernel

LINES = 8  # of the log, at each look
LIMIT = 12 * 3600.0  # seconds that a kernel may run


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
        help="start nothing; fetch what a kernel made, or take it from a folder",
    )
    options = parser.parse_args(arguments)
    given = home.read_results(Path(options.fetch)) if options.fetch else None
    if given and (options.set_param or options.variants):
        raise UserError(f"{options.fetch} says which params it was made with; leave -S and --variants out")
    run = find_run(given["overrides"] if given else all_overrides(options.set_param, options.variants))
    make_clone(run)
    if not run.read().get("done"):
        if given:
            folder, facts = Path(options.fetch), given
            home.check_results(run, facts, options.fetch)
        elif found := train_there(run, push=options.fetch is None, wait=not options.push_only):
            folder, facts = found
        else:
            return
        home.take_in(run, folder, facts)
        shutil.rmtree(run.folder / "output", ignore_errors=True)
        run.write(done=True)
    if not options.push_only:
        home.finish(run)


def all_overrides(given: list[str], variants: list[str] | None) -> list[str]:
    """What `-S` says, with the photos of Kaggle and the variants unless it names others."""
    overrides = [*given, *([f"variants=[{','.join(variants)}]"] if variants else [])]
    if committed_params()["source"] != "kaggle" and not any(o.startswith("source=") for o in overrides):
        overrides.insert(0, "source=kaggle")
    return overrides


def train_there(run: Run, push: bool, wait: bool) -> tuple[Path, dict[str, Any]] | None:
    """The folder with what the run's last kernel wrote, and its results.json; or None if that is not waited for.

    A run may take several kernels, one after another, each of which goes on from the one before. This starts at most
    one, and none that is there already.
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
        earlier = [kernel.slug] if service.fetch_facts(kernel, part_folder(run, kernel)) else earlier
    if word is None:
        if not push and ended:
            explain(run, ended[-1])
        if not push:
            raise UserError(f"there is no kernel {kernel.page} to fetch from; leave out --fetch to start it")
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


def results_of(run: Run, kernel: Kernel) -> tuple[Path, dict[str, Any]] | None:
    """What the kernel, which has ended, wrote, if that is all of the run."""
    folder = part_folder(run, kernel)
    facts = service.fetch_facts(kernel, folder)
    if not facts or facts["state"] != "complete" or facts["errors"]:
        return None
    home.check_results(run, facts, kernel.page)
    service.fetch_archives(kernel, folder, facts)
    return folder, facts


def explain(run: Run, kernel: Kernel) -> NoReturn:
    """Raises UserError that says why the kernel, which has ended, did not give all of the run."""
    if facts := service.fetch_facts(kernel, part_folder(run, kernel)):
        home.check_results(run, facts, kernel.page)
    state = service.look(kernel)
    errors = [line for line in state.lines if "error: " in line.lower()] or [" / ".join(state.lines[-3:])]
    reason = " ".join(filter(None, [state.failure, errors[-1]])) or "its log is empty"
    raise UserError(f"{kernel.page} failed ({state.status}): {reason[:600]}; the same command starts a new one")


def start(run: Run, kernel: Kernel, earlier: list[str]) -> None:
    """Says what is sent, and starts the kernel."""
    params, bundle = run.params(), run.folder / "project.bundle"
    photos = Params(**params["kaggle"])
    inputs: dict[str, list[str]] = {"competition_sources": [], "dataset_sources": [], "kernel_sources": earlier}
    if params["source"] == "kaggle":
        inputs[f"{photos.kind}_sources"].append("/".join(photos.slug.split("/")[:2]))
    text = script(run, earlier, dataset="")
    dirty = f"; uncommitted changes stay here: {', '.join(changed_files())}" if changed_files() else ""
    print(f"sends commit {run.commit[:10]} to {kernel.page}, private{dirty}")
    print(f"  files: {bundle.stat().st_size / 1e3:.0f} kB, in {run.project}; no history, documents or credentials")
    print(f"  params: {' '.join(f'-S {o}' for o in run.overrides) or 'those of the commit'}")
    print(f"  inputs: {', '.join(slug for slugs in inputs.values() for slug in slugs) or 'none'}; machine: {SHAPE}")
    if len(text) > pack.LONGEST_SCRIPT:
        dataset = f"{kernel.slug.split('/')[0]}/{run.name}-files"
        print(f"  too much for a script: the files go to the private dataset kaggle.com/datasets/{dataset}")
        service.push_dataset(dataset, bundle)
        inputs["dataset_sources"].append(dataset)
        text = script(run, earlier, dataset)
    service.push(kernel, text, inputs)


def watch(kernel: Kernel) -> None:
    """Waits until the kernel has ended, with a bar and the last lines of its log."""
    print(f"{kernel.page} runs; Ctrl-C stops the waiting, not the kernel", flush=True)
    shape, shown, word = "{desc} |{bar}| {n:.1f} of {total:.0f} h{postfix}", 0, ""
    with tqdm(total=LIMIT / 3600, bar_format=shape, disable=None) as bar:
        while True:
            state = service.look(kernel)
            for line in state.lines[shown:][-LINES:]:
                tqdm.write(f"  {line}", file=sys.stderr)
            shown = max(shown, len(state.lines))
            if state.status != word:
                word = state.status
                tqdm.write(", ".join(filter(None, [word.lower(), state.quota])), file=sys.stderr)
            bar.set_description_str(state.status.lower(), refresh=False)
            bar.set_postfix_str(state.quota, refresh=False)
            bar.update(max(0.0, min(state.seconds, LIMIT) / 3600 - bar.n))
            bar.refresh()
            if state.status in ENDED:
                return
            time.sleep(service.INTERVAL)


if __name__ == "__main__":
    run_main(main)
