"""What came of a study: the results of its experiments, and the tables in Markdown that answer its questions."""

import json
import lzma
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from src.bootstrap import interval
from src.errors import UserError
from src.formats.prepared import TRAITS
from tools.study.plan import Question, Study

Result = dict[str, Any]


def read_results(path: Path, study: Study) -> dict[str, Result]:
    """The results in the file `path`, if there is one, by label, of experiments that `study` would run the same way.

    Where there is none, those in `path`.xz: a study that is finished may be kept so.
    """
    packed = path.with_name(f"{path.name}.xz")
    try:
        text = path.read_bytes() if path.exists() else lzma.decompress(packed.read_bytes()) if packed.exists() else "{}"
        stored: dict[str, Result] = json.loads(text)
    except json.JSONDecodeError:
        raise UserError(f"{path} is not valid JSON; mend it, or git checkout {path}") from None
    return {
        label: stored[label]
        for label in study.experiments
        if label in stored and stored[label]["command"] == shlex.join(study.command(label))
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
