"""The format of metrics/VARIANT.json: the headline that DVC compares, and below it the details that the report needs.

threshold       a pixel is person from this probability on
holdout, val    the Headline of that part
details         a list of one dictionary, because DVC's tables show numbers and leave lists out: all else of Metrics

The details are here, in git, because the report cannot list the files of each variant among its deps.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from src.errors import UserError
from src.files import replacing
from src.formats.predictions import Cost
from src.params import Section

METRICS = Path("metrics")
PARTS = ("holdout", "val")
# A map's pixel is a byte; each threshold lies halfway between two bytes, so that 0.5 means "128 or more".
THRESHOLDS = np.round((np.arange(1, 256) - 0.5) / 255, 4)


class Headline(Section):
    """Means over the photos of a part; those called dataset are of all its pixels, taken as one photo."""

    dice: float
    dice_low: float
    dice_high: float
    dice_raw: float
    iou: float
    boundary_iou: float
    precision: float
    recall: float
    dice_dataset: float
    iou_dataset: float
    miou_dataset: float


HEADLINE = tuple(Headline.model_fields)


class TraitScore(Section):
    """Mean Dice of the photos that have a trait, and how many these are."""

    dice: float
    photos: int


class PartMetrics(Headline):
    """What is known of one part: `photo_dice` is that of each photo; `traits` holds those that any photo has."""

    photos: int
    photo_dice: list[float]
    traits: dict[str, TraitScore]


class Metrics(Section):
    """What is known of a variant or an ensemble: `threshold_curve` is the mean val Dice at each of THRESHOLDS, before
    the clean-up; `curves` are what `read_curves` gives.
    """

    threshold: Annotated[float, Field(gt=0, lt=1)]
    holdout: PartMetrics
    val: PartMetrics
    threshold_curve: list[float]
    curves: dict[str, list[float]]
    cost: Cost


def read_metrics(variant: str) -> Metrics:
    """What metrics/VARIANT.json holds; raises UserError if it is not there or something else."""
    path = METRICS / f"{variant}.json"
    if not path.exists():
        raise UserError(f"{path} is missing; run dvc repro evaluate@{variant}")
    return parse_metrics(variant, path.read_bytes())


def parse_metrics(variant: str, text: str | bytes) -> Metrics:
    """The same from what stands in the file."""
    try:
        shown = json.loads(text)
        (details,) = shown.pop("details")
        return Metrics(**details | shown | {part: shown[part] | details[part] for part in PARTS})
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):  # pydantic's are ValueErrors
        path = METRICS / f"{variant}.json"
        raise UserError(f"{path} is not what evaluate wrote; run dvc repro evaluate@{variant}") from None


def write_metrics(variant: str, metrics: Metrics) -> None:
    """Writes metrics/VARIANT.json: of each part the Headline, and all the rest as details, one line for each."""
    details = metrics.model_dump()
    shown = {"threshold": details.pop("threshold")}
    shown |= {part: {key: round(details[part].pop(key), 6) for key in HEADLINE} for part in PARTS}
    lines = ",\n".join(f'    "{key}": {json.dumps(value)}' for key, value in details.items())
    text = json.dumps(shown, indent=2).removesuffix("\n}")
    with replacing(METRICS / f"{variant}.json") as partial:
        partial.write_text(f'{text},\n  "details": [{{\n{lines}\n  }}]\n}}\n')
