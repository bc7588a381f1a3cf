"""Which model cuts people out of photos: one trained here, or the starter that came with the clone."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from src.compute import Runtime
from src.errors import UserError
from src.files import check_file
from src.formats.metrics import METRICS, read_metrics
from src.formats.model import STARTERS, load_model, model_path
from src.formats.prepared import LABELLED, PHOTOS, NativeMasks, read_photos, read_rows
from src.formats.split import SPLIT, part_indices, read_split
from src.images import resize_photo
from src.models import known_variants
from src.postprocess import AUTO, PostprocessParams, final_mask
from stages.evaluate.dice import count, dice
from stages.predict.maps import PredictParams, predict

STARTER = STARTERS / "efficientnet_unet.safetensors"
LEADERBOARD = Path("report/leaderboard.json")
UNKNOWN_THRESHOLD = 0.5  # where `auto` has not been chosen on this machine
COMPARED = 40  # holdout photos at most, so that the comparison takes seconds


class Settings(NamedTuple):
    """What params.yaml says about using a model."""

    image_size: int  # of models that do not name their own
    release: str
    predict: PredictParams
    postprocess: PostprocessParams


class Ready(NamedTuple):
    """A model on its device, with what it takes to use it."""

    path: Path
    model: nn.Module
    image_size: int
    threshold: float


def choose(runtime: Runtime, settings: Settings) -> tuple[Ready, str]:
    """The better of the starter and the best model trained here, by holdout Dice, and a line that says which and why.

    Raises UserError if there is neither.
    """
    variant = best_variant(settings.release)
    if not STARTER.exists():
        if variant is None:
            again = f"run dvc repro, or dvc pull train@{settings.release}"
            raise UserError(f"{model_path(settings.release)} is missing; {again}")
        return make_ready(runtime, model_path(variant), settings), f"{variant} is used; there is no {STARTER}"
    starter = make_ready(runtime, STARTER, settings)
    if variant is None:
        return starter, f"{STARTER} is used; no model was trained here yet"
    own = make_ready(runtime, model_path(variant), settings)
    scored = [path.exists() for path in (METRICS / f"{variant}.json", LABELLED / PHOTOS, SPLIT)]
    if not all(scored):
        return own, f"{variant} is used; without its holdout photos it cannot be compared with {STARTER}"
    scores = read_metrics(variant).holdout.photo_dice[:COMPARED]
    ours, theirs = float(np.mean(scores)), holdout_dice(runtime, starter, settings)
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


def named(runtime: Runtime, name: str, settings: Settings) -> tuple[Ready, str]:
    """The model of the variant `name`, or in the file `name`; raises UserError if there is none."""
    path = model_path(name) if name in known_variants() else Path(name)
    if not path.exists():
        raise UserError(f"there is no model {path}; name a variant that was trained here, or a model file")
    check_file(path)
    return make_ready(runtime, path, settings), f"{path} is used, as asked"


def make_ready(runtime: Runtime, path: Path, settings: Settings) -> Ready:
    """The model in the file `path`; its threshold is that of params.yaml, or else the one chosen for it on val."""
    model, about = load_model(path)
    moved = model.to(runtime.device).to(memory_format=torch.channels_last)
    return Ready(path, moved, about.get("image_size", settings.image_size), _threshold(path, about, settings))


def _threshold(path: Path, about: dict[str, Any], settings: Settings) -> float:
    if settings.postprocess.threshold != AUTO:
        return float(settings.postprocess.threshold)
    if path == model_path(path.stem) and (METRICS / f"{path.stem}.json").exists():
        return read_metrics(path.stem).threshold
    return float(about.get("threshold", UNKNOWN_THRESHOLD))


def holdout_dice(runtime: Runtime, ready: Ready, settings: Settings) -> float:
    """Mean Dice of the model on the first COMPARED holdout photos, at their own size."""
    rows = read_rows(LABELLED)
    indices = part_indices(read_split(list(rows["id"])), "holdout")[:COMPARED]
    photos, masks = read_photos(LABELLED), NativeMasks(rows)
    seen = np.stack([resize_photo(photos[index], ready.image_size) for index in indices])
    maps = predict(runtime, ready.model, seen, settings.predict, "comparing on the holdout")
    targets = [masks[index] for index in indices]
    found = [
        final_mask(one, target.shape, ready.threshold, settings.postprocess)
        for one, target in zip(maps, targets, strict=True)
    ]
    return float(np.mean([dice(count(*pair)) for pair in zip(found, targets, strict=True)]))
