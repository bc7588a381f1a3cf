"""The params of a training (`BUDGET.train`), and the learning rate at each step, which depends on them alone."""

import math
from typing import Annotated

from pydantic import Field

from src.params import Section

Count = Annotated[int, Field(ge=1, le=100_000)]
CountOrOff = Annotated[int, Field(ge=0, le=100_000)]
Rate = Annotated[float, Field(gt=0, le=1000)]
Share = Annotated[float, Field(ge=0, lt=1)]


class TrainParams(Section):
    """The block `BUDGET.train` of params.yaml."""

    epochs: Count
    small_share: Share
    folds: Count
    batch_size: Count
    accumulate: Count
    learning_rate: Rate
    weight_decay: Annotated[float, Field(ge=0, le=1000)]
    warmup_epochs: Annotated[float, Field(ge=0, le=100_000)]
    gradient_clip: Rate
    ema_decay: Share
    dice_smoothing: Share
    patience: CountOrOff
    panel_every: CountOrOff

    @property
    def small_epochs(self) -> int:
        """How many of the epochs, the first ones, are on photos of half the height and width."""
        return int(self.small_share * self.epochs + 1e-9)  # 0.29 of 100 are 29

    def cycle(self, epoch: int) -> range:
        """The epochs over which the learning rate falls once: the small ones if `epoch` is one of them, or the rest."""
        small = self.small_epochs
        return range(small) if epoch < small else range(small, self.epochs)


def learning_rate(params: TrainParams, epoch: int, step: int, steps: int) -> float:
    """The learning rate at `step` (from 0) of the `steps` of `epoch` (from 0).

    It rises linearly for `warmup_epochs`, at most half of the time, then falls along half a cosine to zero, and does so
    again after the `small_epochs` (Loshchilov and Hutter 2017, "SGDR", arXiv 1608.03983).
    """
    cycle = params.cycle(epoch)
    done, total = (epoch - cycle.start) * steps + step + 1, len(cycle) * steps
    warmup = min(params.warmup_epochs * steps, total / 2)
    if done < warmup:
        return params.learning_rate * (done / warmup)
    progress = (done - warmup) / max(1.0, total - warmup)
    return params.learning_rate * (0.5 * (1 + math.cos(math.pi * progress)))
