"""study FILE [--tables]: queues the experiments of a study, or gathers what came of them.

Not a stage of `dvc repro`. It queues what has neither a result nor a place in the queue; `dvc queue start` runs it.
With --tables it writes the results beside FILE, as JSON, which a later call reads again, and as tables in Markdown. To
gather a result anew, delete it from the JSON. FILE lists each experiment once, by a label, and the questions that
compare them:

    common: [source=local, image_size=128]       # overrides of every experiment, as after -S
    variants: {unet: [cpu.models.unet.width=8]} # of the experiments with that variant
    experiments:
      plain: {variant: unet}
      grey: {variant: unet, changes: [models.unet.color=gray]}
    questions:
      - question: Does colour help?
        base: plain
        rows: {plain: RGB, grey: greyscale}
"""

import argparse
import hashlib
import io
import json
import lzma
import shlex
import subprocess
from pathlib import Path
from typing import Any

import dvc.api
import numpy as np
import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo
from pydantic import Field
from ruamel.yaml import YAML, YAMLError

from src.bootstrap import interval
from src.errors import UserError, run_main
from src.files import replacing
from src.formats.epochs import EPOCHS, read_epochs
from src.formats.metrics import PARTS, parse_metrics
from src.formats.prepared import TRAITS
from src.models import known_variants
from src.params import Section, check_value

Result = dict[str, Any]


class Experiment(Section):
    """One training of `variant` and its scores, with the overrides `changes`."""

    variant: str
    changes: list[str] = Field(default=[])


class Question(Section):
    """Experiments to compare with `base`, each by its label and what the table calls it."""

    question: str
    base: str
    rows: dict[str, str]


class Study(Section):
    """The whole file."""

    common: list[str]
    variants: dict[str, list[str]] = Field(default={})
    experiments: dict[str, Experiment]
    questions: list[Question] = Field(min_length=1)

    def overrides(self, label: str) -> list[str]:
        """What sets the experiment `label` apart from params.yaml."""
        experiment = self.experiments[label]
        return [*self.common, *self.variants.get(experiment.variant, []), *experiment.changes]

    def name(self, label: str) -> str:
        """DVC's name for the experiment `label`: with other overrides it is another one."""
        return f"{label}-{hashlib.sha256(json.dumps(self.overrides(label)).encode()).hexdigest()[:6]}"

    def command(self, label: str, *options: str) -> list[str]:
        """What runs the experiment `label`."""
        flags = [word for override in self.overrides(label) for word in ("-S", override)]
        target = f"evaluate@{self.experiments[label].variant}"
        return ["dvc", "exp", "run", *options, "--name", self.name(label), *flags, target]


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.study", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="such as benchmarks/results/street-photos/study.yaml")
    parser.add_argument("--tables", action="store_true", help="write what came of the experiments")
    options = parser.parse_args(arguments)
    study, stored = read_study(options.file), options.file.with_suffix(".json")
    kept, results = read_results(stored, study)
    revisions, waiting = known_to_dvc()
    missing = [label for label in study.experiments if label not in results]
    if not options.tables:
        queue(study, [label for label in missing if study.name(label) not in revisions.keys() | waiting])
        return
    try:
        found = {name: gather(study, name, rev) for name in missing if (rev := revisions.get(study.name(name)))}
    except DvcException as error:  # such as a cache that was emptied
        raise UserError(" ".join(str(error).split())) from error
    with replacing(stored) as partial:
        partial.write_text(json.dumps(kept | found, indent=1) + "\n")
    results = {label: (results | found)[label] for label in study.experiments if label in results | found}
    options.file.with_suffix(".md").write_text(tables(study, results))
    print(f"{len(results)} of {len(study.experiments)} experiments are in {options.file.with_suffix('.md')}")


def read_study(path: Path) -> Study:
    """The study in the file `path`; raises UserError if it is none, or names what there is not."""
    if not path.is_file():
        raise UserError(f"there is no file {path}; name a study, such as benchmarks/results/street-photos/study.yaml")
    try:
        study = check_value("", YAML(typ="safe", pure=True).load(path.read_bytes().decode()), Study, path)
    except (YAMLError, ValueError) as error:  # bytes that are no text, and a date that there is not, are ValueErrors
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    for variant in (*study.variants, *(experiment.variant for experiment in study.experiments.values())):
        if variant not in known_variants():
            raise UserError(f"{path}: there is no variant {variant!r}; choose from {', '.join(known_variants())}")
    for question in study.questions:
        for label in (question.base, *question.rows):
            if label not in study.experiments:
                raise UserError(f"{path}: {question.question!r} compares {label!r}, which is not under experiments")
    return study


def read_results(path: Path, study: Study) -> tuple[dict[str, Result], dict[str, Result]]:
    """All results in the file `path`, if there is one, by label; and those that `study` would get the same way.

    Where there is none, those in `path`.xz: a study that is finished may be kept so.
    """
    packed = path.with_name(f"{path.name}.xz")
    try:
        text = path.read_bytes() if path.exists() else lzma.decompress(packed.read_bytes()) if packed.exists() else "{}"
        stored: dict[str, Result] = dict(json.loads(text))
        known = stored.keys() & study.experiments.keys()
        same = {label for label in known if stored[label]["command"] == shlex.join(study.command(label))}
    except (KeyError, TypeError, ValueError, lzma.LZMAError):
        raise UserError(f"{path} holds no results of a study; mend it, or git checkout {path}") from None
    return stored, {label: stored[label] for label in study.experiments if label in same}


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
        io.StringIO(dvc.api.read(f"plots/evaluation/{variant}/scores/photos.csv", rev=revision)),
        dtype={"id": str},
        keep_default_na=False,
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


def tables(study: Study, results: dict[str, Result]) -> str:
    """A Markdown table for each question, and the command of each experiment."""
    lines = ["# What the study says", ""]
    for question in study.questions:
        lines += [f"## {question.question}", "", *_table(question, results), ""]
    lines += ["## By trait", "", "Holdout Dice, and the number of photos.", "", *_trait_table(results), ""]
    lines += ["## Commands", "", "```sh", *(result["command"] for result in results.values()), "```", ""]
    return "\n".join(lines)


def _table(question: Question, results: dict[str, Result]) -> list[str]:
    lines = [
        "| | holdout Dice | 95 % interval | against the first | val Dice | parameters | training | photos/s |",
        "|---|--:|---|---|--:|--:|--:|--:|",
    ]
    base = results.get(question.base)
    for label, title in {question.base: question.base, **question.rows}.items():
        if label not in results:
            lines.append(f"| {title} | not run | | | | | | |")
            continue
        result = results[label]
        holdout = result["metrics"]["holdout"]
        against = difference(result, base) if base and label != question.base else ""
        minutes = f"{result['seconds'] / 60:.1f} min" if "seconds" in result else ""
        lines.append(
            f"| {title} | {holdout['dice']:.4f} | {holdout['dice_low']:.3f} to {holdout['dice_high']:.3f} | {against} "
            f"| {result['metrics']['val']['dice']:.4f} | {result['parameters'] / 1e6:.2f} M "
            f"| {minutes} | {result.get('photos_per_second', '')} |"
        )
    return lines


def difference(result: Result, base: Result) -> str:
    """How far the mean Dice of `result` is from that of `base` on the same photos, with its 95 % interval."""
    if result["dice"].keys() != base["dice"].keys():
        return "other photos"
    change = np.array([result["dice"][photo] - dice for photo, dice in base["dice"].items()])
    low, high = interval(change)
    return f"{change.mean():+.4f} ({low:+.4f} to {high:+.4f})"


def _trait_table(results: dict[str, Result]) -> list[str]:
    found = [trait for trait in TRAITS if any(trait in r["metrics"]["holdout"]["traits"] for r in results.values())]
    lines = [f"| | all | {' | '.join(found)} |", f"|---|{'--:|' * (len(found) + 1)}"]
    for label, result in results.items():
        holdout = result["metrics"]["holdout"]
        parts = [holdout, *(holdout["traits"].get(trait) for trait in found)]
        cells = [f"{part['dice']:.3f} ({part['photos']})" if part else "" for part in parts]
        lines.append(f"| `{label}` | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    run_main(main)
