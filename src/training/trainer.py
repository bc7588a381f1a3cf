"""The training loop, meant to be read in one sitting: one epoch after another, each validated, the best one kept."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from src.losses import Loss
from src.models.blocks import SegmentationModel
from src.stage import Section, UserError
from src.training.dataset import Dataset, seed_for, shuffled

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
Metrics = dict[str, float]


class TrainParams(Section):
    """The block `PROFILE.train` of params.yaml."""

    epochs: Count
    batch_size: Count
    learning_rate: Rate
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_epochs: Annotated[float, Field(ge=0)]
    gradient_clip: Rate
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    dice_smoothing: Annotated[float, Field(ge=0, lt=1)]


@dataclass
class Best:
    """The weights of the epoch with the best smoothed validation Dice, and how good it was."""

    epoch: int = -1
    dice: float = -1.0
    dice_smoothed: float = -1.0
    weights: dict[str, Tensor] = field(default_factory=dict)


class Unchecked(NamedTuple):
    """What is said about a step if its loss turns out not to be finite."""

    epoch: int
    step: int
    learning_rate: float
    loss: Tensor
    gradient_norm: Tensor


class Trainer:
    """Trains `model` on `train`, selects on `val`, and calls `record(epoch, metrics)` after every epoch.

    Weights are averaged over steps (EMA), and it is the average that is validated and kept. Raises UserError before the
    first step for data that cannot be trained on, and when the loss is no longer finite.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: SegmentationModel,
        train: Dataset,
        val: Dataset,
        loss: Loss,
        augment: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        params: TrainParams,
        seed: int,
        record: Callable[[int, Metrics], None],
    ) -> None:
        self.fabric, self.train, self.val, self.loss, self.augment = fabric, train, val, loss, augment
        self.params, self.seed, self.record = params, seed, record
        self.steps = len(train) // params.batch_size
        self._check_data()
        model = model.to(fabric.device, memory_format=torch.channels_last)
        self.average = AveragedModel(model, use_buffers=True).requires_grad_(False)
        optimizer = torch.optim.AdamW(
            model.parameter_groups(params.learning_rate), weight_decay=params.weight_decay, fused=True
        )
        self.base_rates = [group["lr"] for group in optimizer.param_groups]
        self.supervision = model.deep_supervision
        self.model, self.optimizer = fabric.setup(model, optimizer)
        self.best = Best()
        self.unchecked: Unchecked | None = None

    def fit(self) -> Best:
        """All epochs; returns the best."""
        total = self.params.epochs * self.steps * self.params.batch_size
        with tqdm(total=total, unit="photo", disable=not self.fabric.is_global_zero, smoothing=0.1) as bar:
            for epoch in range(self.params.epochs):
                metrics = self.train_epoch(epoch, bar)
                metrics |= self._select(epoch, self.validate())
                self.record(epoch, metrics)
        return self.best

    def train_epoch(self, epoch: int, bar: tqdm) -> Metrics:
        """One pass over the training photos, in full batches; the few left over differ from epoch to epoch."""
        self.model.train()
        order = shuffled(len(self.train), self.seed, epoch)
        loss_sum = torch.zeros((), device=self.fabric.device)
        for step in range(self.steps):
            rate = self._set_learning_rate(epoch * self.steps + step)
            loss, norm = self.train_step(epoch, step, order)
            loss_sum += loss
            self._check_finite(Unchecked(epoch, step, rate, loss, norm))
            bar.update(self.params.batch_size)
        self._check_finite(None)
        return {"train/loss": float(loss_sum) / self.steps, "train/learning_rate": rate}

    def train_step(self, epoch: int, step: int, order: Tensor) -> tuple[Tensor, Tensor]:
        """One batch, forward, backward and update; returns the loss and the gradient's norm before clipping."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        torch.manual_seed(seed_for(self.seed, epoch, step, rank))
        batch = order[step * self.params.batch_size : (step + 1) * self.params.batch_size][rank::world]
        photos, masks = self.augment(*self.train.batch(batch))
        outputs = self.model(photos)
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        pairs = zip(self.supervision, outputs, strict=True)
        loss = sum((weight * self.loss(logits, masks) for weight, logits in pairs), torch.zeros((), device=masks.device))
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.params.gradient_clip,
                                          error_if_nonfinite=False)
        self.optimizer.step()
        self._average(epoch * self.steps + step)
        return loss.detach(), norm

    @torch.no_grad()
    def validate(self) -> float:
        """Mean Dice per photo of the averaged weights on the validation photos, at the working size, threshold 0.5."""
        self.average.eval()
        total = torch.zeros((), device=self.fabric.device)
        mine = torch.arange(len(self.val))[self.fabric.global_rank :: self.fabric.world_size]
        for batch in mine.split(self.params.batch_size):
            photos, masks = self.val.batch(batch)
            with self.fabric.autocast():
                predicted = self.average(photos) > 0
            overlap = 2 * (predicted & masks.bool()).sum((1, 2, 3))
            pixels = predicted.sum((1, 2, 3)) + masks.sum((1, 2, 3))
            total += torch.where(pixels > 0, overlap / pixels.clamp(min=1), 1.0).sum()
        return float(self.fabric.all_reduce(total, reduce_op="sum")) / len(self.val)

    def _select(self, epoch: int, dice: float) -> Metrics:
        smoothing = self.params.dice_smoothing if epoch else 0.0
        self.smoothed = smoothing * self.smoothed + (1 - smoothing) * dice if epoch else dice
        if self.smoothed > self.best.dice_smoothed:
            weights = {name: tensor.clone() for name, tensor in self.average.module.state_dict().items()}
            self.best = Best(epoch, dice, self.smoothed, weights)
        return {"val/dice": dice, "val/dice_smoothed": self.smoothed}

    def _set_learning_rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to zero at the last step."""
        warmup = self.params.warmup_epochs * self.steps
        progress = (step + 1 - warmup) / max(1.0, self.params.epochs * self.steps - warmup)
        factor = (step + 1) / warmup if step + 1 < warmup else 0.5 * (1 + math.cos(math.pi * progress))
        for group, base in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = base * factor
        return self.base_rates[0] * factor

    def _average(self, step: int) -> None:
        """EMA whose decay grows with the steps, so that a short run is not held back by its first weights."""
        decay = min(self.params.ema_decay, (1 + step) / (10 + step))
        self.average.multi_avg_fn = get_ema_multi_avg_fn(decay)
        self.average.update_parameters(self.model.module)

    def _check_finite(self, latest: Unchecked | None) -> None:
        """Looks at the step before `latest`, so that a GPU never waits for us to look."""
        step, self.unchecked = self.unchecked, latest
        if step is not None and not math.isfinite(step.loss):
            raise UserError(
                f"the loss is {float(step.loss)} in epoch {step.epoch}, step {step.step}, at learning rate "
                f"{step.learning_rate:.3g} and gradient norm {float(step.gradient_norm):.3g}; no model was written. "
                "Lower the profile's train.learning_rate or train.gradient_clip, or set compute.precision to 32-true"
            )

    def _check_data(self) -> None:
        if not self.steps:
            raise UserError(
                f"params.yaml: the profile's train.batch_size, {self.params.batch_size}, is more than the "
                f"{len(self.train)} training photos; lower it"
            )
        if self.params.batch_size % self.fabric.world_size:
            raise UserError(
                f"params.yaml: the profile's train.batch_size, {self.params.batch_size}, does not divide among "
                f"{self.fabric.world_size} processes; make it a multiple"
            )
        if not self.val.masks.any():
            raise UserError("no validation photo shows a person, so no epoch can be chosen; change split.seed or split.fold")
