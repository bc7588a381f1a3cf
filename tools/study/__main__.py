"""study FILE [--tables]: queues the experiments of a study, or gathers what came of them.

Not a stage of `dvc repro`. It queues what has neither a result nor a place in the queue; `dvc queue start` runs it.
With --tables it writes the results beside FILE, as JSON, which a later call reads again, and as tables in Markdown. To
gather a result anew, delete it from the JSON.
"""

import argparse
import io
import json
import shlex
import subprocess
from pathlib import Path

import dvc.api
import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo

from src.errors import UserError, run_main
from src.formats.epochs import EPOCHS, read_epochs
from src.formats.metrics import PARTS, parse_metrics
from tools.study.plan import Study, read_study
from tools.study.tables import Result, read_results, tables


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.study", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="such as benchmarks/results/street-photos/study.yaml")
    parser.add_argument("--tables", action="store_true", help="write what came of the experiments")
    options = parser.parse_args(arguments)
    study, stored = read_study(options.file), options.file.with_suffix(".json")
    results = read_results(stored, study)
    revisions, waiting = known_to_dvc()
    missing = [label for label in study.experiments if label not in results]
    if not options.tables:
        queue(study, [label for label in missing if study.name(label) not in revisions.keys() | waiting])
        return
    try:
        found = {name: gather(study, name, rev) for name in missing if (rev := revisions.get(study.name(name)))}
    except DvcException as error:  # such as a cache that was emptied
        raise UserError(" ".join(str(error).split())) from error
    results = {label: (results | found)[label] for label in study.experiments if label in results | found}
    stored.write_text(json.dumps(results, indent=1) + "\n")
    options.file.with_suffix(".md").write_text(tables(study, results))
    print(f"{len(results)} of {len(study.experiments)} experiments are in {options.file.with_suffix('.md')}")


def known_to_dvc() -> tuple[dict[str, str], set[str]]:
    """The revisions of finished experiments by name, and the names of those that wait or run."""
    with Repo() as repo:
        finished = {name: rev for found in repo.experiments.ls(all_commits=True).values() for name, rev in found if rev}
        tasks = repo.experiments.celery_queue
        return finished, {str(entry.name) for entry in (*tasks.iter_queued(), *tasks.iter_active())}


def queue(study: Study, labels: list[str]) -> None:
    """Puts the experiments `labels` into DVC's queue; raises UserError if DVC takes one not."""
    for label in labels:
        if subprocess.run(study.command(label, "--queue"), check=False).returncode:
            raise UserError(f"DVC did not queue {label}, for the reason above; mend it and run the same again")
    print(f"{len(labels)} experiments queued; dvc queue start runs them" if labels else "nothing to queue")


def gather(study: Study, label: str, revision: str) -> Result:
    """What the experiment `label` left at `revision`: its metrics, the Dice of each holdout photo, size and, if it was
    trained here, speed."""
    variant = study.experiments[label].variant
    photos = pd.read_csv(
        io.StringIO(dvc.api.read(f"plots/evaluation/{variant}/scores/photos.csv", rev=revision)), dtype={"id": str}
    )
    holdout = photos[photos["part"] == "holdout"].set_index("id")["dice"]
    metrics = parse_metrics(variant, dvc.api.read(f"metrics/{variant}.json", rev=revision))
    kept = {part: getattr(metrics, part).model_dump(exclude={"photo_dice"}) for part in PARTS}
    with Repo() as repo:
        epochs = read_epochs(Path(repo.cache.local_cache_dir, "checkpoints", EPOCHS), variant, study.name(label))
    photo_count, seconds = int(epochs["photos"].sum()), float(epochs["seconds"].sum())
    return {
        "command": shlex.join(study.command(label)),
        "metrics": {"threshold": metrics.threshold, **kept},
        "dice": holdout.round(5).to_dict(),
        "parameters": metrics.cost.parameters,
        **({"seconds": round(seconds), "photos_per_second": round(photo_count / seconds, 1)} if seconds else {}),
    }


if __name__ == "__main__":
    run_main(main)
