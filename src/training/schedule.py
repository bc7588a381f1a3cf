"""How much the weights may change at each step, as pure functions of the step."""

import math


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """The share of the full learning rate at `step` (from 0) of `steps`: linear warm-up, then half a cosine to zero."""
    if step + 1 < warmup:
        return (step + 1) / warmup
    progress = (step + 1 - warmup) / max(1.0, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def ema_decay(step: int, decay: float) -> float:
    """The decay of the weights' average at `step` (from 0): it grows to `decay`, so that first weights fade soon."""
    return min(decay, (1 + step) / (10 + step))
