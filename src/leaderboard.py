"""The variants side by side, best first."""

import json
from pathlib import Path
from typing import Any

from src.stage import UserError

METRICS = Path("metrics")
COLUMNS = ("dice", "dice_low", "dice_high", "dice_raw", "iou", "precision", "recall")


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


def leaderboard(variants: list[str], release: str) -> dict[str, Any]:
    """The variants' holdout metrics and val Dice, sorted by holdout Dice, and which of them leads."""
    rows = []
    for variant in variants:
        metrics = read_metrics(variant)
        holdout = {column: metrics["holdout"][column] for column in COLUMNS}
        rows.append({"variant": variant, **holdout, "val_dice": metrics["val"]["dice"]})
    rows.sort(key=lambda row: (-row["dice"], row["variant"]))
    return {"release": release, "leader": rows[0]["variant"], "variants": rows}


def advice(board: dict[str, Any]) -> str:
    """One sentence: whether `release` leads, and if not what to change."""
    leader, release = board["leader"], board["release"]
    if leader == release:
        return f"`{release}`, the release, leads."
    dice = {row["variant"]: row["dice"] for row in board["variants"]}
    if release not in dice:
        return f"`{leader}` leads; the release, `{release}`, is not among the variants."
    return (
        f"`{leader}` leads by {dice[leader] - dice[release]:.4f} Dice, but `{release}` is the release; "
        f"to publish the leader, set `release: {leader}` in params.yaml."
    )


def markdown(board: dict[str, Any]) -> str:
    """The leaderboard as a Markdown page."""
    lines = [
        "# Leaderboard",
        "",
        "Mean Dice per photo on the holdout at the photos' own size, with its 95 % bootstrap interval.",
        "",
        "| # | variant | Dice | 95 % interval | before clean-up | IoU | precision | recall | val Dice |",
        "|--:|---|--:|---|--:|--:|--:|--:|--:|",
    ]
    for place, row in enumerate(board["variants"], start=1):
        lines.append(
            f"| {place} | {row['variant']} | **{row['dice']:.4f}** | {row['dice_low']:.3f} - {row['dice_high']:.3f} "
            f"| {row['dice_raw']:.4f} | {row['iou']:.4f} | {row['precision']:.4f} | {row['recall']:.4f} "
            f"| {row['val_dice']:.4f} |"
        )
    return "\n".join([*lines, "", advice(board), ""])
