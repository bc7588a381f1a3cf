"""The format of metrics/VARIANT.json: `threshold` (0 to 1), and under `holdout` and `val` the metrics of that part.

`summarise` in stages/evaluate/summary.py says what a part's metrics are.
"""

import json
from pathlib import Path
from typing import Any

from src.stage import UserError

METRICS = Path("metrics")


def read_metrics(variant: str) -> dict[str, Any]:
    """metrics/VARIANT.json; raises UserError if it is not there."""
    path = METRICS / f"{variant}.json"
    if not path.exists():
        raise UserError(f"{path} is missing; run dvc repro evaluate@{variant}")
    return json.loads(path.read_text())


def write_metrics(variant: str, metrics: dict[str, Any]) -> None:
    """Writes metrics/VARIANT.json."""
    METRICS.mkdir(exist_ok=True)
    (METRICS / f"{variant}.json").write_text(json.dumps(metrics, indent=2) + "\n")
