"""The format of metrics/VARIANT.json: the headline that DVC compares, and below it the details that the report needs.

threshold       a pixel is person from this probability on
holdout, val    the HEADLINE of that part
details         a list of one dictionary, because DVC's tables show numbers and leave lists out:
    holdout, val       photos, photo_dice (that of each photo), and traits: `dice` and `photos` for each
    threshold_curve    mean val Dice at each of THRESHOLDS, before the clean-up
    curves             those of src/formats/curves.py, a value per epoch; none for an ensemble
    cost               that of src/formats/predictions.py; nothing in files of before there was one

The details are here, in git, because the report cannot list the files of each variant among its deps.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from src.errors import UserError
from src.files import replacing
from src.params import Section

METRICS = Path("metrics")
PARTS = ("holdout", "val")
# Means over photos; those called dataset are of all pixels of the part, taken as one photo.
HEADLINE = (
    *("dice", "dice_low", "dice_high", "dice_raw", "iou", "boundary_iou", "precision", "recall"),
    *("dice_dataset", "iou_dataset", "miou_dataset"),
)
# A map's pixel is a byte; each threshold lies halfway between two bytes, so that 0.5 means "128 or more".
THRESHOLDS = np.round((np.arange(1, 256) - 0.5) / 255, 4)


class Details(Section):
    """What DVC's tables leave out."""

    holdout: dict[str, Any]
    val: dict[str, Any]
    threshold_curve: list[float]
    curves: dict[str, list[float]]
    cost: dict[str, int | float] = Field(default={})


class Content(Section):
    """What is in the file."""

    threshold: Annotated[float, Field(gt=0, lt=1)]
    holdout: dict[str, float]
    val: dict[str, float]
    details: tuple[Details]


def read_metrics(variant: str) -> dict[str, Any]:
    """metrics/VARIANT.json as `write_metrics` took it; raises UserError if it is not there or something else."""
    path = METRICS / f"{variant}.json"
    if not path.exists():
        raise UserError(f"{path} is missing; run dvc repro evaluate@{variant}")
    return parse_metrics(variant, path.read_bytes())


def parse_metrics(variant: str, text: str | bytes) -> dict[str, Any]:
    """The same from what stands in the file."""
    try:
        content = Content.model_validate_json(text)
    except ValidationError:
        path = METRICS / f"{variant}.json"
        raise UserError(f"{path} is not what evaluate wrote; run dvc repro evaluate@{variant}") from None
    details, headline = content.details[0].model_dump(), content.model_dump(exclude={"details"})
    return details | headline | {part: headline[part] | details[part] for part in PARTS}


def write_metrics(variant: str, metrics: dict[str, Any]) -> None:
    """Writes metrics/VARIANT.json: of each part the HEADLINE, and all the rest as details, one line for each."""
    shown = {"threshold": metrics["threshold"]}
    shown |= {part: {key: round(metrics[part][key], 6) for key in HEADLINE} for part in PARTS}
    details = {part: {key: value for key, value in metrics[part].items() if key not in HEADLINE} for part in PARTS}
    details |= {key: value for key, value in metrics.items() if key not in shown}
    lines = ",\n".join(f'    "{key}": {json.dumps(value)}' for key, value in details.items())
    text = json.dumps(shown, indent=2).removesuffix("\n}")
    with replacing(METRICS / f"{variant}.json") as partial:
        partial.write_text(f'{text},\n  "details": [{{\n{lines}\n  }}]\n}}\n')
