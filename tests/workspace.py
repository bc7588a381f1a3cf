"""A project after `predict`, made up in a second: masks, noisy probability maps of them, and learning curves."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from src.formats.metrics import HEADLINE, Metrics, PartMetrics, TraitScore
from src.formats.predictions import Cost, write_cost, write_predictions
from src.formats.prepared import LABELLED, TEST, Prepared, write_prepared
from src.formats.split import SPLIT
from tests.conftest import ROOT, photo_and_mask, set_params

SIZE = 32
PARTS = ["train"] * 4 + ["val"] * 8 + ["holdout"] * 12
FOLDS = [{"train": 1, "val": 0, "holdout": -1}[part] for part in PARTS]
SIZES = [(60, 48), (48, 60), (50, 50)]  # height, width
VARIANTS = {"unet": 10.0, "residual_unet": 40.0, "unet_paper": 80.0}  # and how noisy they are
TESTS = 3


def make_workspace(folder: Path) -> None:
    """Fills `folder`, which must be the current one."""
    shutil.copy(ROOT / "params.yaml", folder)
    set_params(folder, {"variants": list(VARIANTS), "image_size": SIZE})
    rng = np.random.default_rng(0)
    masks, items = [], []
    for i in range(len(PARTS) + TESTS):
        height, width = SIZES[i % len(SIZES)]
        photo, mask = photo_and_mask(SIZE, i)
        big = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        masks.append(mask)
        row = {"id": f"{i:03d}", "file": f"{i:03d}.png", "height": height, "width": width}
        hard = {"grey": i % 6 == 0, "glare": False}
        if i < len(PARTS):
            row |= {"coverage": big.mean(), "small": i % 4 == 0, "cut": i % 5 == 0}
            items.append(Prepared(photo, row | hard, 255 * mask, np.packbits(big)))
        else:
            items.append(Prepared(photo, row | hard))
    n = len(PARTS)
    write_prepared(LABELLED, items[:n])
    write_prepared(TEST, items[n:])
    ids = [item.row["id"] for item in items[:n]]
    pd.DataFrame({"id": ids, "part": PARTS, "fold": FOLDS, "group": ["000", "000", *ids[2:]]}).to_csv(
        SPLIT, index=False
    )
    for variant, noise in VARIANTS.items():
        for part in ("val", "holdout"):
            write_predictions(
                variant, part, probabilities([masks[i] for i in range(n) if PARTS[i] == part], noise, rng)
            )
        write_predictions(variant, "test", probabilities(masks[n:], noise, rng))
        write_cost(variant, Cost(parameters=int(1e5 * noise), gflop=noise / 10))
        write_curves(variant)


def probabilities(masks: list[np.ndarray], noise: float, rng: np.random.Generator) -> np.ndarray:
    """Maps uint8 (N, S, S) that put person a little below one half."""
    maps = [cv2.GaussianBlur(m * 170.0, (0, 0), 1.5) + rng.normal(20, noise, m.shape) for m in masks]
    return np.clip(maps, 0, 255).astype(np.uint8)


def write_curves(variant: str, epochs: int = 12) -> None:
    """Learning curves as DVCLive writes them."""
    steps = np.arange(epochs)
    dice = 0.9 - 0.5 * np.exp(-steps / 2)
    curves = {
        "val/dice": dice,
        "val/dice_smoothed": dice,
        "train/loss": np.exp(-steps / 3),
        "train/image_size": 0 * steps + SIZE,
    }
    for name, values in curves.items():
        path = Path(f"plots/training/{variant}/plots/metrics/{name}.tsv")
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"step": steps, path.stem: values}).to_csv(path, sep="\t", index=False)


def some_metrics(threshold: float, score: float, **traits: TraitScore) -> Metrics:
    """Metrics of a variant whose every score is `score`, on holdout and val alike."""
    scores = dict.fromkeys(HEADLINE, score)
    part = PartMetrics(**scores, photos=17, photo_dice=[score] * 17, traits=traits)
    cost = Cost(parameters=1000, gflop=0.1)
    return Metrics(threshold=threshold, holdout=part, val=part, threshold_curve=[], curves={}, cost=cost)
