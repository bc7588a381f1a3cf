"""Which model cuts people out of photos: one trained here, or the starter that came with the clone."""

from pathlib import Path

import numpy as np

from src.dice import count, dice
from src.formats.metadata import MODELS, STARTERS
from src.formats.metrics import METRICS, read_metrics
from src.formats.prepared import LABELLED, PHOTOS, NativeMasks, read_photos, read_rows
from src.formats.split import part_indices, read_split
from src.predictor import Predictor
from tools.find_model import find_model

STARTER = STARTERS / "efficientnet_unet.safetensors"
COMPARED = 40  # holdout photos at most, so that the comparison takes seconds


def choose(device: str) -> tuple[Predictor, str]:
    """The better of the starter and the best model trained here, by holdout Dice, and a line that says which and why.

    Raises UserError if a model cannot be read.
    """
    scored = {file: score for file in sorted(MODELS.glob("*.safetensors")) if (score := scored_dice(file)) is not None}
    if not scored:
        return find_model(STARTER, device), f"{STARTER} is used; no model was trained here yet"
    variant = max(scored, key=lambda file: scored[file]).stem
    own = find_model(variant, device)
    if not (LABELLED / PHOTOS).exists():
        return own, f"{variant} is used; without its holdout photos it cannot be compared with {STARTER}"
    starter, scores = find_model(STARTER, device), read_metrics(variant).holdout.photo_dice[:COMPARED]
    ours, theirs = float(np.mean(scores)), measured_dice(starter)
    said = f"on {len(scores)} holdout photos {variant} has Dice {ours:.3f}, {STARTER} {theirs:.3f}"
    return (own, f"{variant} is used; {said}") if ours >= theirs else (starter, f"{STARTER} is used; {said}")


def scored_dice(file: Path) -> float | None:
    """Dice of the model in `file` on holdout, if it was scored here."""
    scored = file.parent == MODELS and (METRICS / f"{file.stem}.json").exists()
    return read_metrics(file.stem).holdout.dice if scored else None


def measured_dice(predictor: Predictor) -> float:
    """Mean Dice of the model on the first COMPARED holdout photos, at their own size."""
    rows = read_rows(LABELLED)
    indices = part_indices(read_split(list(rows["id"])), "holdout")[:COMPARED]
    photos, masks = read_photos(LABELLED), NativeMasks(rows)
    maps = predictor.maps([photos[index] for index in indices])
    targets = [masks[index] for index in indices]
    found = [predictor.clean_mask(one, target.shape) for one, target in zip(maps, targets, strict=True)]
    return float(np.mean([dice(count(*pair)) for pair in zip(found, targets, strict=True)]))
