"""A study: experiments that answer questions, read from a YAML file, and the tables that come of them.

The file lists each experiment once, by a label, and the questions that compare them:

    common: [profile=local, image_size=128]       # overrides of every experiment, as after -S
    variants: {unet: [local.models.unet.width=8]} # of the experiments with that variant
    experiments:
      plain: {variant: unet}
      grey: {variant: unet, changes: [models.unet.color=gray]}
    questions:
      - question: Does colour help?
        base: plain
        rows: {plain: RGB, grey: greyscale}

Results are kept beside it, in a JSON file, so that a study can go on in another clone.
"""

import hashlib
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field, ValidationError

from src.bootstrap import interval
from src.models import known_variants
from src.stage import Section, UserError
from src.traits import TRAITS

Result = dict[str, Any]
TRAINING = re.compile(r"Running stage 'train@.*?(?=Running stage '|\Z)", re.DOTALL)
PROGRESS = re.compile(r"(\d+)/\d+ \[(?:(\d+):)?(\d+):(\d+)<")  # tqdm's: photos, hours, minutes, seconds


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
        variant = experiment.variant
        # DVC ends in an error, after all the work, where plots of a variant that is not on this machine are declared.
        alone = [f"variants=[{variant}]", f"release={variant}"]
        return [*self.common, *alone, *self.variants.get(variant, []), *experiment.changes]

    def name(self, label: str) -> str:
        """DVC's name for the experiment `label`: with other overrides it is another one."""
        return f"{label}-{hashlib.sha256(json.dumps(self.overrides(label)).encode()).hexdigest()[:6]}"

    def command(self, label: str, *options: str) -> list[str]:
        """What runs the experiment `label`."""
        flags = [word for override in self.overrides(label) for word in ("-S", override)]
        target = f"evaluate@{self.experiments[label].variant}"
        return ["dvc", "exp", "run", *options, "--name", self.name(label), *flags, target]


def read_study(path: Path) -> Study:
    """The study in the file `path`; raises UserError if it is none, or names what there is not."""
    if not path.is_file():
        raise UserError(f"there is no file {path}; name a study, such as docs/results/street-photos/study.yaml")
    try:
        study = Study.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg'].lower()}" for e in error.errors()]
        raise UserError(f"{path}: {'; '.join(problems)}") from None
    for variant in (*study.variants, *(experiment.variant for experiment in study.experiments.values())):
        if variant not in known_variants():
            raise UserError(f"{path}: there is no variant {variant!r}; choose from {', '.join(known_variants())}")
    for question in study.questions:
        for label in (question.base, *question.rows):
            if label not in study.experiments:
                raise UserError(f"{path}: {question.question!r} compares {label!r}, which is not under experiments")
    return study


def read_results(path: Path, study: Study) -> dict[str, Result]:
    """The results in the file `path`, if there is one, by label, of experiments that `study` would run the same way."""
    try:
        stored: dict[str, Result] = json.loads(path.read_text()) if path.exists() else {}
    except json.JSONDecodeError:
        raise UserError(f"{path} is not valid JSON; mend it, or git checkout {path}") from None
    return {
        label: stored[label]
        for label in study.experiments
        if label in stored and stored[label]["command"] == shlex.join(study.command(label))
    }


def speed(log: str) -> dict[str, float]:
    """Seconds of training with validation, and photos per second, from what a run printed.

    {} if it trained nothing, or only the rest of what an earlier run had begun.
    """
    section = TRAINING.search(log)
    progress = PROGRESS.findall(section[0]) if section and "going on from epoch" not in section[0] else []
    if not progress:
        return {}
    states = [tuple(int(number or 0) for number in state) for state in progress]
    ends = [now for now, later in pairwise([*states, (0,)]) if later[0] < now[0]]  # each fold has a bar of its own
    photos, total = sum(end[0] for end in ends), sum(3600 * end[1] + 60 * end[2] + end[3] for end in ends)
    return {"seconds": total, "photos_per_second": round(photos / max(total, 1), 1)}


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
