"""study FILE [--tables]: queues the experiments of a study, or gathers what came of them.

Not a stage of `dvc repro`. It queues what has no result yet; `dvc queue start` runs it. With --tables it writes the
results beside FILE: NAME.json, which a later call reads again, and NAME.md.
"""

import argparse
import io
import json
import shlex
import subprocess
from pathlib import Path

import dvc.api
import pandas as pd
import yaml
from dvc.repo import Repo

from src import models, stage
from src.study import Result, Study, read_results, read_study, speed, tables


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.study", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="such as docs/results/street-photos/study.yaml")
    parser.add_argument("--tables", action="store_true", help="write what came of the experiments")
    options = parser.parse_args(arguments)
    study, stored = read_study(options.file), options.file.with_suffix(".json")
    results = read_results(stored, study)
    with Repo() as repo:
        revisions = {name: rev for found in repo.experiments.ls(all_commits=True).values() for name, rev in found}
    if not options.tables:
        queue(study, [name for name in study.experiments if name not in results and name not in revisions])
        return
    results |= {name: gather(study, name, revisions[name]) for name in study.experiments if name in revisions}
    stored.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    options.file.with_suffix(".md").write_text(tables(study, results))
    print(f"{len(results)} of {len(study.experiments)} experiments are in {options.file.with_suffix('.md')}")


def queue(study: Study, names: list[str]) -> None:
    """Puts the experiments `names` into DVC's queue."""
    for name in names:
        subprocess.run(study.command(name, "--queue"), check=True)
    print(f"{len(names)} experiments queued; dvc queue start runs them")


def gather(study: Study, name: str, revision: str) -> Result:
    """What the experiment `name` left at `revision`: its metrics, the Dice of each holdout photo, size and speed."""
    variant = study.experiments[name].variant
    params = yaml.safe_load(dvc.api.read("params.yaml", rev=revision))
    arguments = params["models"][variant] | params[params["profile"]]["models"][variant]
    model = models.build(variant, models.architecture(variant).without_pretraining(arguments))
    photos = pd.read_csv(
        io.StringIO(dvc.api.read(f"plots/evaluation/{variant}/scores/photos.csv", rev=revision)), dtype={"id": str}
    )
    holdout = photos[photos["part"] == "holdout"].set_index("id")["dice"]
    log = subprocess.run(["dvc", "queue", "logs", name], capture_output=True, text=True, check=False).stdout
    return {
        "command": shlex.join(study.command(name)),
        "metrics": json.loads(dvc.api.read(f"metrics/{variant}.json", rev=revision)),
        "dice": holdout.round(5).to_dict(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **speed(log),
    }


if __name__ == "__main__":
    stage.run(main)
