"""Which model cuts people out of photos: one trained here, or the starter that came with the clone."""

import json
from pathlib import Path

import numpy as np

from src.dice import count, dice
from src.errors import UserError
from src.formats.metadata import STARTERS, model_path
from src.formats.metrics import METRICS, read_metrics
from src.formats.prepared import LABELLED, PHOTOS, NativeMasks, read_photos, read_rows
from src.formats.split import SPLIT, part_indices, read_split
from src.models import known_variants
from src.params import Name, read_params
from src.predictor import Predictor
from tools.find_model import find_model

STARTER = STARTERS / "efficientnet_unet.safetensors"
LEADERBOARD = Path("report/leaderboard.json")
COMPARED = 40  # holdout photos at most, so that the comparison takes seconds


def choose(device: str) -> tuple[Predictor, str]:
    """The better of the starter and the best model trained here, by holdout Dice, and a line that says which and why.

    Raises UserError if there is neither.
    """
    release = read_params("release", Name)
    variant = best_variant(release)
    if not STARTER.exists():
        if variant is None:
            again = f"run dvc repro, or dvc pull train@{release}"
            raise UserError(f"{model_path(release)} is missing; {again}")
        return find_model(variant, device), f"{variant} is used; there is no {STARTER}"
    starter = find_model(STARTER, device)
    if variant is None:
        return starter, f"{STARTER} is used; no model was trained here yet"
    own = find_model(variant, device)
    scored = [path.exists() for path in (METRICS / f"{variant}.json", LABELLED / PHOTOS, SPLIT)]
    if not all(scored):
        return own, f"{variant} is used; without its holdout photos it cannot be compared with {STARTER}"
    scores = read_metrics(variant).holdout.photo_dice[:COMPARED]
    ours, theirs = float(np.mean(scores)), holdout_dice(starter)
    said = f"on {len(scores)} holdout photos {variant} has Dice {ours:.3f}, {STARTER} {theirs:.3f}"
    return (own, f"{variant} is used; {said}") if ours >= theirs else (starter, f"{STARTER} is used; {said}")


def best_variant(release: str) -> str | None:
    """The leader of the leaderboard if its model is here, else the release if its model is, else None."""
    if LEADERBOARD.exists():
        try:
            leader = json.loads(LEADERBOARD.read_text())["model"]
        except (LookupError, TypeError, ValueError):
            leader = None
        if leader not in known_variants():
            raise UserError(f"{LEADERBOARD} is damaged; run dvc repro -f -s report, or remove it")
        if model_path(leader).exists():
            return leader
    return release if model_path(release).exists() else None


def holdout_dice(predictor: Predictor) -> float:
    """Mean Dice of the model on the first COMPARED holdout photos, at their own size."""
    rows = read_rows(LABELLED)
    indices = part_indices(read_split(list(rows["id"])), "holdout")[:COMPARED]
    photos, masks = read_photos(LABELLED), NativeMasks(rows)
    maps = predictor.maps([photos[index] for index in indices])
    targets = [masks[index] for index in indices]
    found = [predictor.clean_mask(one, target.shape) for one, target in zip(maps, targets, strict=True)]
    return float(np.mean([dice(count(*pair)) for pair in zip(found, targets, strict=True)]))
