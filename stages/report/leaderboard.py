"""The variants and ensembles side by side, best first."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from src.bootstrap import interval
from src.formats.metrics import HEADLINE


def leaderboard(results: Mapping[str, Any], variants: list[str], release: str) -> dict[str, Any]:
    """What report/leaderboard.json holds: `release`, `leader` (the best), `model` (the best that is no ensemble), and
    `variants`, a row of holdout metrics and val Dice for each in `results`, highest holdout Dice first. `results` holds
    the metrics of each of `variants` and of the ensembles.

    `behind` is the leader's Dice minus the row's, the mean over the same photos, with its 95 % bootstrap interval.
    `parameters` and `gflop` are what the metrics have as `cost`, or None.
    """
    rows = []
    for variant, metrics in results.items():
        holdout = {column: metrics["holdout"][column] for column in HEADLINE}
        row = {"variant": variant, **holdout, "val_dice": metrics["val"]["dice"], "threshold": metrics["threshold"]}
        rows.append(row | {"parameters": None, "gflop": None} | metrics["cost"])
    rows.sort(key=lambda row: (-row["dice"], row["variant"]))
    dice = {variant: np.array(metrics["holdout"]["photo_dice"]) for variant, metrics in results.items()}
    for row in rows:
        lack = dice[rows[0]["variant"]] - dice[row["variant"]]
        low, high = interval(lack)
        row["behind"] = {"dice": float(lack.mean()), "low": low, "high": high}
    names = [row["variant"] for row in rows]
    model = next(name for name in names if name in variants)
    return {"release": release, "leader": names[0], "model": model, "variants": rows}


def headline(board: dict[str, Any]) -> str:
    """One sentence: whether `release` leads, and if not what to change."""
    leader, model, release = board["leader"], board["model"], board["release"]
    start = "" if leader == model else f"`{leader}`, an ensemble, leads; of the models, "
    if model == release:
        return f"{start}`{release}`, the release, leads."
    dice = {row["variant"]: row["dice"] for row in board["variants"]}
    if release not in dice:
        return f"{start}`{model}` leads; the release, `{release}`, is not among the variants."
    return (
        f"{start}`{model}` leads, {dice[model] - dice[release]:.4f} Dice ahead of the release, `{release}`; "
        f"to publish the leader, set `release: {model}` in params.yaml."
    )


def markdown(board: dict[str, Any]) -> str:
    """The leaderboard as a Markdown page."""
    lines = [
        "# Leaderboard",
        "",
        "Mean Dice per photo on the holdout at the photos' own size, with its 95 % bootstrap interval.",
        "",
        "| # | variant | Dice | 95 % interval | parameters | GFLOP | before clean-up | IoU | boundary IoU "
        "| all pixels: Dice | mIoU | precision | recall | val Dice |",
        "|--:|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for place, row in enumerate(board["variants"], start=1):
        size, work = ("", "") if row["gflop"] is None else (f"{row['parameters'] / 1e6:.2f} M", f"{row['gflop']:.1f}")
        lines.append(
            f"| {place} | {row['variant']} | **{row['dice']:.4f}** | {row['dice_low']:.3f} - {row['dice_high']:.3f} "
            f"| {size} | {work} | {row['dice_raw']:.4f} | {row['iou']:.4f} | {row['boundary_iou']:.4f} "
            f"| {row['dice_dataset']:.4f} | {row['miou_dataset']:.4f} | {row['precision']:.4f} "
            f"| {row['recall']:.4f} | {row['val_dice']:.4f} |"
        )
    return "\n".join([*lines, "", headline(board), ""])
