"""How long a model trains, and how much its weights may change at each step, as pure functions of the step."""

import math
from typing import Annotated

from pydantic import Field

from src.stage import Section

Count = Annotated[int, Field(ge=1)]
CountOrOff = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class TrainParams(Section):
    """The block `PROFILE.train` of params.yaml."""

    epochs: Count
    folds: Count
    soft_targets: bool
    batch_size: Count
    accumulate: Count
    learning_rate: Rate
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_epochs: Annotated[float, Field(ge=0)]
    gradient_clip: Rate
    ema_decay: Share
    dice_smoothing: Share
    patience: CountOrOff
    final_epochs: CountOrOff
    final_learning_rate: Rate
    panel_every: CountOrOff


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """The share of the full learning rate at `step` (from 0) of `steps`: linear warm-up, then half a cosine to zero."""
    if step + 1 < warmup:
        return (step + 1) / warmup
    progress = (step + 1 - warmup) / max(1.0, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def ema_decay(step: int, decay: float) -> float:
    """The decay of the weights' average at `step` (from 0): it grows to `decay`, so that first weights fade soon."""
    return min(decay, (1 + step) / (10 + step))
