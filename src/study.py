"""A study: experiments that answer questions, read from a YAML file, and the tables that come of them.

The file lists each experiment once, by name, and the questions that compare them:

    common: [profile=local, image_size=128]       # overrides of every experiment, as after -S
    variants: {unet: [local.models.unet.width=8]} # of the experiments with that variant
    experiments:
      plain: {variant: unet}
      grey: {variant: unet, changes: [models.unet.color=gray]}
    questions:
      - question: Does colour help?
        base: plain
        rows: {plain: RGB, grey: greyscale}

Results are kept beside it, in NAME.json, so that a study can go on in another clone: an experiment whose command has
not changed keeps its result.
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field, ValidationError

from src.bootstrap import interval
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
    """Experiments to compare with `base`, each by its name and what the table calls it."""

    question: str
    base: str
    rows: dict[str, str]


class Study(Section):
    """The whole file."""

    common: list[str]
    variants: dict[str, list[str]] = Field(default={})
    experiments: dict[str, Experiment]
    questions: list[Question] = Field(min_length=1)

    def command(self, name: str, *options: str) -> list[str]:
        """What runs the experiment `name`."""
        experiment = self.experiments[name]
        variant = experiment.variant
        # DVC ends in an error, after all the work, where plots of a variant that is not on this machine are declared.
        alone = [f"variants=[{variant}]", f"release={variant}"]
        overrides = [*self.common, *alone, *self.variants.get(variant, []), *experiment.changes]
        flags = [word for override in overrides for word in ("-S", override)]
        return ["dvc", "exp", "run", *options, "--name", name, *flags, f"evaluate@{variant}"]


def read_study(path: Path) -> Study:
    """The study in the file `path`; raises UserError if it is none, or compares what it does not list."""
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(
            f"there is no file {path}; name a study, such as docs/results/street-photos/study.yaml"
        ) from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg'].lower()}" for e in error.errors()]
        raise UserError(f"{path}: {'; '.join(problems)}") from None
    for question in study.questions:
        for name in (question.base, *question.rows):
            if name not in study.experiments:
                raise UserError(f"{path}: {question.question!r} compares {name!r}, which is not under experiments")
    return study


def read_results(path: Path, study: Study) -> dict[str, Result]:
    """The results in the file `path`, if there is one, of experiments that `study` would still run the same way."""
    stored: dict[str, Result] = json.loads(path.read_text()) if path.exists() else {}
    wanted = {name: shlex.join(study.command(name)) for name in study.experiments}
    return {name: stored[name] for name in wanted if name in stored and stored[name]["command"] == wanted[name]}


def speed(log: str) -> dict[str, float]:
    """Seconds of training with validation, and photos per second, from what a run printed; {} if it trained nothing."""
    section = TRAINING.search(log)
    progress = PROGRESS.findall(section[0]) if section else []
    if not progress:
        return {}
    photos, hours, minutes, seconds = (int(number or 0) for number in progress[-1])
    total = 3600 * hours + 60 * minutes + seconds
    return {"seconds": total, "photos_per_second": round(photos / max(total, 1), 1)}


def tables(study: Study, results: dict[str, Result]) -> str:
    """A Markdown table for each question, and the command of each experiment."""
    lines: list[str] = []
    for question in study.questions:
        lines += [f"### {question.question}", "", *_table(question, results), ""]
    lines += ["### By trait", "", *_trait_table(study, results), ""]
    lines += ["### Commands", "", "```sh"]
    lines += [results[name]["command"] for name in study.experiments if name in results]
    return "\n".join([*lines, "```", ""])


def _table(question: Question, results: dict[str, Result]) -> list[str]:
    lines = [
        "| | holdout Dice | 95 % interval | against the first | val Dice | parameters | training | photos/s |",
        "|---|--:|---|---|--:|--:|--:|--:|",
    ]
    for name, label in {question.base: question.rows.get(question.base, question.base), **question.rows}.items():
        if name not in results:
            lines.append(f"| {label} | not run | | | | | | |")
            continue
        result = results[name]
        holdout = result["metrics"]["holdout"]
        against = (
            "" if name == question.base or question.base not in results else difference(result, results[question.base])
        )
        seconds, rate = result.get("seconds"), result.get("photos_per_second")
        lines.append(
            f"| {label} | {holdout['dice']:.4f} | {holdout['dice_low']:.3f} to {holdout['dice_high']:.3f} | {against} "
            f"| {result['metrics']['val']['dice']:.4f} | {result['parameters'] / 1e6:.2f} M "
            f"| {f'{seconds / 60:.1f} min' if seconds else ''} | {rate or ''} |"
        )
    return lines


def difference(result: Result, base: Result) -> str:
    """How far the mean Dice of `result` is from that of `base` on the same photos, with its 95 % interval."""
    change = np.array(list(result["dice"].values())) - np.array([base["dice"][photo] for photo in result["dice"]])
    low, high = interval(change)
    return f"{change.mean():+.4f} ({low:+.4f} to {high:+.4f})"


def _trait_table(study: Study, results: dict[str, Result]) -> list[str]:
    found = [name for name in study.experiments if name in results]
    if not found:
        return ["Nothing has run yet."]
    traits = [trait for trait in TRAITS if trait in results[found[0]]["metrics"]["holdout"]["traits"]]
    counts = results[found[0]]["metrics"]["holdout"]["traits"]
    lines = [
        "| | all | " + " | ".join(f"{trait} ({counts[trait]['photos']})" for trait in traits) + " |",
        "|---|" + "--:|" * (len(traits) + 1),
    ]
    for name in found:
        holdout = results[name]["metrics"]["holdout"]
        cells = [f"{holdout['dice']:.3f}", *(f"{holdout['traits'][trait]['dice']:.3f}" for trait in traits)]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines
