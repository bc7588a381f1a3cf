"""The training loop, meant to be read in one sitting: one epoch after another, each validated, the best one kept."""

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from src.losses import Loss
from src.models.blocks import SegmentationModel
from src.stage import UserError
from src.training.checkpoint import Checkpoint, load_optimizer_tensors, optimizer_tensors
from src.training.checks import check_run
from src.training.dataset import PERSON, Batch, Dataset, seed_for, shuffled
from src.training.record import Record
from src.training.schedule import TrainParams, ema_decay, learning_rate_factor

Metrics = dict[str, float]


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
    """Trains `model` on `train`, selects on `val`, and tells `record` and `checkpoint`, if given, after every epoch.

    `loss` gives way to `final_loss` for the last `final_epochs`. Weights are averaged over steps (EMA), and it is the
    average that is validated and kept. Every draw depends on (seed, epoch, step, process) alone, so a run that goes on
    from its checkpoint ends in the same weights as one that was never interrupted. Raises UserError before the first
    step for data that cannot be trained on, and when the loss is no longer finite.
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
        record: Record | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.fabric, self.train, self.val, self.augment = fabric, train, val, augment
        self.loss, self.final_loss, self.params, self.seed = loss, final_loss, params, seed
        self.record, self.checkpoint = record, checkpoint
        self.batch = params.batch_size * params.accumulate
        self.steps = len(train) // self.batch
        self.first_final = params.epochs - params.final_epochs
        check_run(params, train, val, fabric.world_size)
        model = model.to(fabric.device).to(memory_format=torch.channels_last)
        self.supervision = model.deep_supervision
        self.average = deepcopy(model).requires_grad_(False)
        self.averaged, self.latest = averaged_tensors(self.average), averaged_tensors(model)
        groups = model.parameter_groups(params.learning_rate)
        self.rates = [group["lr"] / params.learning_rate for group in groups]
        optimizer = torch.optim.AdamW(groups, weight_decay=params.weight_decay, fused=True)
        self.model, self.optimizer = fabric.setup(model, optimizer)
        self.epoch = 0  # the next one
        self.smoothed = 0.0
        self.best = Best()
        self.unchecked: Taken | None = None

    def fit(self) -> Best:
        """All epochs, or fewer if `patience` runs out, from the checkpoint on if there is one; returns the best."""
        self._resume()
        photos = self.steps * self.batch
        bar = tqdm(
            total=self.params.epochs * photos,
            initial=self.epoch * photos,
            unit="photo",
            disable=not self.fabric.is_global_zero,
        )
        with bar:
            while self.epoch < self.params.epochs and not self._patience_is_out():
                metrics = self.train_epoch(self.epoch, bar)
                metrics |= self._select(self.epoch, self.validate())
                bar.set_postfix(loss=f"{metrics['train/loss']:.4f}", dice=f"{metrics['val/dice']:.4f}", refresh=False)
                if self.record:
                    with torch.no_grad(), self.fabric.autocast():
                        self.record(self.epoch, metrics, self.average)
                self.epoch += 1
                self._save()
        return self.best

    def train_epoch(self, epoch: int, bar: tqdm) -> Metrics:
        """One pass over the training photos in full batches; the few that are left over differ between epochs."""
        self.model.train()
        loss_sum = torch.zeros((), device=self.fabric.device)
        rate = 0.0
        batches = self.train.batches(self._parts(shuffled(len(self.train), self.seed, epoch)))
        for step in range(self.steps):
            rate = self._set_learning_rate(epoch, step)
            loss, norm = self.train_step(epoch, step, islice(batches, self.params.accumulate))
            loss_sum += loss
            self._check_finite(Taken(epoch, step, rate, loss, norm))
            bar.update(self.batch)
        self._check_finite(None)
        return {"train/loss": float(loss_sum) / self.steps, "train/learning_rate": rate}

    def train_step(self, epoch: int, step: int, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """Forward, backward and update; returns the loss and the gradient's norm before clipping, on the device."""
        torch.manual_seed(seed_for(self.seed, epoch, step, self.fabric.global_rank))
        loss_function = self.loss if epoch < self.first_final else self.final_loss
        total = torch.zeros((), device=self.fabric.device)
        self.optimizer.zero_grad()
        for number, batch in enumerate(batches, start=1):
            photos, masks = self.augment(*batch)
            target = masks / 255 if self.params.soft_targets else (masks >= PERSON).float()
            with self.fabric.no_backward_sync(self.model, enabled=number < self.params.accumulate):
                loss = self.supervised(loss_function, self.model(photos), target) / self.params.accumulate
                self.fabric.backward(loss)
            total += loss.detach()
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.params.gradient_clip, error_if_nonfinite=False
        )
        assert norm is not None  # None only for strategies that clip by themselves
        self.optimizer.step()
        decay = ema_decay(epoch * self.steps + step, self.params.ema_decay)
        get_ema_multi_avg_fn(decay)(self.averaged, self.latest, None)
        return total, norm

    def _parts(self, order: Tensor) -> list[Tensor]:
        """This process's share of each batch of an epoch in `order`, cut into what is processed at a time."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        steps = order[: self.steps * self.batch].split(self.batch)
        return [part for step in steps for part in step[rank::world].chunk(self.params.accumulate)]

    @torch.no_grad()
    def validate(self) -> float:
        """Mean Dice per photo of the averaged weights on the validation photos, at the working size, threshold 0.5."""
        self.average.eval()
        self._share_statistics()
        total = torch.zeros((), device=self.fabric.device)
        mine = torch.arange(len(self.val))[self.fabric.global_rank :: self.fabric.world_size]
        for photos, masks in self.val.batches(mine.split(self.params.batch_size)):
            with self.fabric.autocast():
                predicted = self.average(photos) > 0
            true = masks >= PERSON
            overlap = 2 * (predicted & true).sum((1, 2, 3))
            pixels = predicted.sum((1, 2, 3)) + true.sum((1, 2, 3))
            total += torch.where(pixels > 0, overlap / pixels.clamp(min=1), 1.0).sum()
        total = torch.as_tensor(self.fabric.all_reduce(total, reduce_op="sum"))
        return float(total) / len(self.val)

    def _share_statistics(self) -> None:
        """Makes the averages of all processes one model: their BatchNorm statistics come from different photos."""
        for buffer in self.average.buffers():
            if buffer.is_floating_point():
                buffer.copy_(torch.as_tensor(self.fabric.all_reduce(buffer, reduce_op="mean")))

    def supervised(self, loss: Loss, outputs: Tensor | tuple[Tensor, ...], target: Tensor) -> Tensor:
        """The loss of the only output, or the weighted sum over a deeply supervised model's outputs."""
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        pairs = zip(self.supervision, outputs, strict=True)
        return torch.stack([weight * loss(logits, target) for weight, logits in pairs]).sum()

    def _select(self, epoch: int, dice: float) -> Metrics:
        smoothing = self.params.dice_smoothing if epoch else 0.0
        self.smoothed = smoothing * self.smoothed + (1 - smoothing) * dice
        if self.smoothed > self.best.dice_smoothed:
            weights = {name: tensor.clone() for name, tensor in self.average.state_dict().items()}
            self.best = Best(epoch, dice, self.smoothed, weights)
        return {"val/dice": dice, "val/dice_smoothed": self.smoothed}

    def _save(self) -> None:
        """All that the next epoch depends on, to the checkpoint."""
        if not (self.checkpoint and self.fabric.is_global_zero):
            return
        groups = {
            "model": self.model.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "best": self.best.weights,
            "panel": self.record.panels if self.record else {},
        }
        best = {"epoch": self.best.epoch, "dice": self.best.dice, "dice_smoothed": self.best.dice_smoothed}
        rows = self.record.rows if self.record else []
        facts = {"epoch": self.epoch, "smoothed": self.smoothed, "best": best, "rows": rows}
        self.checkpoint.save(groups, facts)

    def _resume(self) -> None:
        state = self.checkpoint.load() if self.checkpoint else None
        if state is None:
            return
        groups, facts = state
        self.model.module.load_state_dict(groups["model"])
        self.average.load_state_dict(groups["average"])
        load_optimizer_tensors(self.optimizer, groups["optimizer"])
        weights = {name: tensor.to(self.fabric.device) for name, tensor in groups["best"].items()}
        self.best = Best(**facts["best"], weights=weights)
        self.epoch, self.smoothed = facts["epoch"], facts["smoothed"]
        if self.record:
            self.record.replay(facts["rows"], groups["panel"])
        self.fabric.print(f"going on from epoch {self.epoch} of an interrupted run")

    def _patience_is_out(self) -> bool:
        return 0 < self.params.patience <= self.epoch - 1 - self.best.epoch

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


def averaged_tensors(model: SegmentationModel) -> list[Tensor]:
    """What is averaged over steps: the parameters and BatchNorm's statistics, the model's own tensors."""
    return [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
