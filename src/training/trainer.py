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
from src.training.schedule import ema_decay, learning_rate_factor

Count = Annotated[int, Field(ge=1)]
CountOrOff = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Metrics = dict[str, float]


class TrainParams(Section):
    """The block `PROFILE.train` of params.yaml."""

    epochs: Count
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


@dataclass
class Best:
    """The averaged weights after the epoch with the best smoothed validation Dice."""

    epoch: int = -1
    dice: float = -1.0
    dice_smoothed: float = -1.0
    weights: dict[str, Tensor] = field(default_factory=dict)


class Taken(NamedTuple):
    """A step that was taken, and what is said about it if its loss turns out not to be finite."""

    epoch: int
    step: int
    learning_rate: float
    loss: Tensor
    gradient_norm: Tensor


class Trainer:
    """Trains `model` on `train`, selects on `val`, and calls `record(epoch, metrics)` after every epoch.

    `loss` gives way to `final_loss` for the last `final_epochs`. Weights are averaged over steps (EMA), and it is the
    average that is validated and kept. Every draw depends on (seed, epoch, step, process) alone. Raises UserError
    before the first step for data that cannot be trained on, and when the loss is no longer finite.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: SegmentationModel,
        *,
        train: Dataset,
        val: Dataset,
        loss: Loss,
        final_loss: Loss,
        augment: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        params: TrainParams,
        seed: int,
        record: Callable[[int, Metrics], None] = lambda epoch, metrics: None,
    ) -> None:
        self.fabric, self.train, self.val, self.augment = fabric, train, val, augment
        self.loss, self.final_loss, self.params, self.seed, self.record = loss, final_loss, params, seed, record
        self.batch = params.batch_size * params.accumulate
        self.steps = len(train) // self.batch
        self.first_final = params.epochs - params.final_epochs
        self._check_data()
        model = model.to(fabric.device).to(memory_format=torch.channels_last)
        self.supervision = model.deep_supervision
        self.average = AveragedModel(model, use_buffers=True).requires_grad_(False)
        groups = model.parameter_groups(params.learning_rate)
        self.rates = [group["lr"] / params.learning_rate for group in groups]
        optimizer = torch.optim.AdamW(groups, weight_decay=params.weight_decay, fused=True)
        self.model, self.optimizer = fabric.setup(model, optimizer)
        self.smoothed = 0.0
        self.best = Best()
        self.unchecked: Taken | None = None

    def fit(self) -> Best:
        """All epochs, or fewer if `patience` runs out; returns the best."""
        total = self.params.epochs * self.steps * self.batch
        with tqdm(total=total, unit="photo", disable=not self.fabric.is_global_zero, smoothing=0.1) as bar:
            for epoch in range(self.params.epochs):
                metrics = self.train_epoch(epoch, bar)
                metrics |= self._select(epoch, self.validate())
                self.record(epoch, metrics)
                bar.set_postfix(loss=f"{metrics['train/loss']:.4f}", dice=f"{metrics['val/dice']:.4f}", refresh=False)
                if self.params.patience and epoch - self.best.epoch >= self.params.patience:
                    break
        return self.best

    def train_epoch(self, epoch: int, bar: tqdm) -> Metrics:
        """One pass over the training photos in full batches; the few that are left over differ between epochs."""
        self.model.train()
        order = shuffled(len(self.train), self.seed, epoch)
        loss_sum = torch.zeros((), device=self.fabric.device)
        rate = 0.0
        for step in range(self.steps):
            rate = self._set_learning_rate(epoch, step)
            loss, norm = self.train_step(epoch, step, order[step * self.batch : (step + 1) * self.batch])
            loss_sum += loss
            self._check_finite(Taken(epoch, step, rate, loss, norm))
            bar.update(self.batch)
        self._check_finite(None)
        return {"train/loss": float(loss_sum) / self.steps, "train/learning_rate": rate}

    def train_step(self, epoch: int, step: int, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Forward, backward and update; returns the loss and the gradient's norm before clipping, on the device."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        torch.manual_seed(seed_for(self.seed, epoch, step, rank))
        loss_function = self.loss if epoch < self.first_final else self.final_loss
        parts = indices[rank::world].chunk(self.params.accumulate)
        total = torch.zeros((), device=self.fabric.device)
        self.optimizer.zero_grad()
        for number, part in enumerate(parts, start=1):
            photos, masks = self.augment(*self.train.batch(part))
            with self.fabric.no_backward_sync(self.model, enabled=number < len(parts)):
                loss = self._supervised(loss_function, self.model(photos), masks) / len(parts)
                self.fabric.backward(loss)
            total += loss.detach()
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.params.gradient_clip, error_if_nonfinite=False
        )
        assert norm is not None  # None only for strategies that clip by themselves
        self.optimizer.step()
        self.average.multi_avg_fn = get_ema_multi_avg_fn(ema_decay(epoch * self.steps + step, self.params.ema_decay))
        self.average.update_parameters(self.model.module)
        return total, norm

    @torch.no_grad()
    def validate(self) -> float:
        """Mean Dice per photo of the averaged weights on the validation photos, at the working size, threshold 0.5."""
        self.average.eval()
        total = torch.zeros((), device=self.fabric.device)
        mine = torch.arange(len(self.val))[self.fabric.global_rank :: self.fabric.world_size]
        for indices in mine.split(self.params.batch_size):
            photos, masks = self.val.batch(indices)
            with self.fabric.autocast():
                predicted = self.average(photos) > 0
            overlap = 2 * (predicted & masks.bool()).sum((1, 2, 3))
            pixels = predicted.sum((1, 2, 3)) + masks.sum((1, 2, 3))
            total += torch.where(pixels > 0, overlap / pixels.clamp(min=1), 1.0).sum()
        total = torch.as_tensor(self.fabric.all_reduce(total, reduce_op="sum"))
        return float(total) / len(self.val)

    def _supervised(self, loss: Loss, outputs: Tensor | tuple[Tensor, ...], masks: Tensor) -> Tensor:
        """The loss of the only output, or the weighted sum over a deeply supervised model's outputs."""
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        pairs = zip(self.supervision, outputs, strict=True)
        return torch.stack([weight * loss(logits, masks) for weight, logits in pairs]).sum()

    def _select(self, epoch: int, dice: float) -> Metrics:
        smoothing = self.params.dice_smoothing if epoch else 0.0
        self.smoothed = smoothing * self.smoothed + (1 - smoothing) * dice
        if self.smoothed > self.best.dice_smoothed:
            weights = {name: tensor.clone() for name, tensor in self.average.module.state_dict().items()}
            self.best = Best(epoch, dice, self.smoothed, weights)
        return {"val/dice": dice, "val/dice_smoothed": self.smoothed}

    def _set_learning_rate(self, epoch: int, step: int) -> float:
        params = self.params
        rate = params.final_learning_rate
        if epoch < self.first_final:
            done, total = epoch * self.steps + step, self.first_final * self.steps
            rate = params.learning_rate * learning_rate_factor(done, total, params.warmup_epochs * self.steps)
        for group, share in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        return rate

    def _check_finite(self, latest: Taken | None) -> None:
        """Looks at the step before `latest`, so that a GPU never waits for us to look."""
        step, self.unchecked = self.unchecked, latest
        if step is not None and not math.isfinite(step.loss):
            raise UserError(
                f"the loss is {float(step.loss)} in epoch {step.epoch}, step {step.step}, at learning rate "
                f"{step.learning_rate:.3g} and gradient norm {float(step.gradient_norm):.3g}; no model was written. "
                "Lower the profile's train.learning_rate or train.gradient_clip, or set compute.precision to 32-true"
            )

    def _check_data(self) -> None:
        params = self.params
        if not self.steps:
            raise UserError(
                f"params.yaml: the profile's train.batch_size times train.accumulate is {self.batch}, more than the "
                f"{len(self.train)} training photos; lower it"
            )
        if params.batch_size % self.fabric.world_size:
            raise UserError(
                f"params.yaml: the profile's train.batch_size, {params.batch_size}, does not divide among "
                f"{self.fabric.world_size} processes; make it a multiple"
            )
        if params.final_epochs >= params.epochs:
            raise UserError(
                f"params.yaml: the profile's train.final_epochs, {params.final_epochs}, must be below train.epochs, "
                f"which is {params.epochs}"
            )
        if not self.val.masks.any():
            raise UserError("params.yaml: split: no val photo shows a person; change split.seed or split.fold")
