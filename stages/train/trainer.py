"""The training loop: one epoch after another, each validated, the best one kept. Read `Trainer.fit` first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from src.errors import UserError
from src.losses import Loss
from src.models.blocks import Logits, SegmentationModel
from stages.train.batches import PERSON, Batch, PhotoBatches, micro_batches, seed_for, shuffled
from stages.train.checkpoint import Checkpoint, load_optimizer_tensors, optimizer_tensors
from stages.train.cuda_graphs import record_graphs
from stages.train.ema import WeightAverage, to_sync_batchnorm
from stages.train.logger import Logger, Progress
from stages.train.schedule import TrainParams, learning_rate

Metrics = dict[str, float]


@dataclass
class Best:
    """The averaged weights after the epoch with the best smoothed validation Dice; `epoch` counts from 0."""

    epoch: int = -1
    dice: float = -1.0
    dice_smoothed: float = -1.0
    weights: dict[str, Tensor] = field(default_factory=dict)


class Trainer:
    """Trains `model` on the photos of `train` and keeps the weights that score best on those of `val`.

    The first `params.small_epochs` are a training of their own, on photos of half the height and width, which take a
    third of the time; its best weights start the rest (progressive resizing: Howard 2018, fast.ai's DAWNBench entry).
    The weights are averaged over steps; it is the average that is validated and kept. Every random draw depends on
    (seed, epoch, step, process) alone, so that a run that goes on from `checkpoint` ends in the same weights as one
    that was never interrupted. Raises UserError before the first step for data that cannot be trained on, and after an
    epoch in which the loss became infinite or NaN.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: SegmentationModel,
        *,
        train: PhotoBatches,
        val: PhotoBatches,
        loss: Loss,
        augment: Callable[[Tensor, Tensor], Batch],
        params: TrainParams,
        seed: int,
        logger: Logger | None = None,
        checkpoint: Checkpoint | None = None,
        cuda_graphs: bool = False,
    ) -> None:
        check_run(params, train, val, fabric.world_size)
        self.fabric, self.train, self.val, self.augment = fabric, train, val, augment
        self.params, self.seed, self.logger, self.checkpoint = params, seed, logger, checkpoint
        self.photos_per_step = params.batch_size * params.accumulate
        self.steps = len(train) // self.photos_per_step  # of an epoch
        self.loss = partial(deep_supervision, loss, model.deep_supervision)
        model = to_sync_batchnorm(fabric, model, params.batch_size).to(fabric.device)
        model = model.to(memory_format=torch.channels_last)
        self.average = WeightAverage(model, params.ema_decay)
        groups = model.parameter_groups(params.learning_rate)
        self.rates = [group["lr"] / params.learning_rate for group in groups]  # each group's share of the rate
        self.scaler = getattr(fabric.strategy.precision, "scaler", None)  # of the gradient, in fp16 alone
        # A fused optimizer divides by the gradient scale itself, and Fabric then cannot clip: none is taken in fp16.
        optimizer = torch.optim.AdamW(groups, weight_decay=params.weight_decay, fused=self.scaler is None)
        # Recorded passes write their gradients into the same memory each time, so that those of several batches cannot
        # be added up, and those of several processes not be exchanged while they are computed.
        one_pass = fabric.device.type == "cuda" and fabric.world_size == 1 and params.accumulate == 1
        self.cuda_graphs = cuda_graphs and one_pass
        self.model, self.optimizer = fabric.setup(model, optimizer)
        self.epoch = 0  # the next one
        self.smoothed = 0.0  # validation Dice, averaged over epochs
        self.best = Best()
        self._record_graphs()

    def fit(self) -> Best:
        """Trains all epochs, or fewer if `patience` runs out, from the checkpoint on if there is one."""
        self._resume()
        photos = self.steps * self.photos_per_step
        kept = self.checkpoint.path if self.checkpoint else None
        with Progress(self.params.epochs, photos, self.epoch, self.fabric.is_global_zero, kept) as bar:
            while self.epoch < self.params.epochs and not self._patience_is_out():
                if 0 < self.params.small_epochs == self.epoch:
                    self._restart()
                metrics = self.train_epoch(self.epoch, bar)
                metrics |= self._keep_best(self.epoch, self.validate())
                if self.logger:
                    with torch.no_grad(), self.fabric.autocast():
                        self.logger.log(self.epoch, metrics, self.average.model)
                bar.end_epoch(self.epoch, metrics)
                self.epoch += 1
                if self.epoch < self.params.epochs:
                    self.save(at_once=False)
        return self.best

    def save(self, at_once: bool = True) -> None:
        """Writes all that the next epoch depends on, if there is a checkpoint: `at_once`, or when its time has come."""
        if not (self.checkpoint and self.fabric.is_global_zero and (at_once or self.checkpoint.is_due())):
            return
        groups = {
            "model": self.model.module.state_dict(),
            "average": self.average.model.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "best": self.best.weights,
            "panels": self.logger.panels if self.logger else {},
        }
        best = {"epoch": self.best.epoch, "dice": self.best.dice, "dice_smoothed": self.best.dice_smoothed}
        rows = self.logger.rows if self.logger else []
        scaler = self.scaler.state_dict() if self.scaler else {}
        facts = {"epoch": self.epoch, "smoothed": self.smoothed, "best": best, "rows": rows, "scaler": scaler}
        self.checkpoint.save(groups, facts)

    def train_epoch(self, epoch: int, bar: tqdm) -> Metrics:
        """One pass over the training photos in a new order; those that do not fill a last batch are left out."""
        self.model.train()
        rates = [learning_rate(self.params, epoch, step, self.steps) for step in range(self.steps)]
        # On the device, and read once an epoch is over: reading one makes the CPU wait for the GPU.
        losses, norms = torch.zeros(2, self.steps, device=self.fabric.device)
        order, accumulate = shuffled(len(self.train), self.seed, epoch), self.params.accumulate
        mine = micro_batches(order, self.photos_per_step, accumulate, self.fabric.global_rank, self.fabric.world_size)
        batches = self.train.batches(mine)
        for step, rate in enumerate(rates):
            for group, share in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * share
            losses[step], norms[step] = self.train_step(epoch, step, islice(batches, accumulate))
            bar.update(self.photos_per_step)
        losses = torch.as_tensor(self.fabric.all_reduce(losses, reduce_op="mean"))
        check_finite(epoch, losses, norms, rates)
        metrics = {"train/loss": float(losses[losses.isfinite()].mean()), "train/learning_rate": rates[-1]}
        return metrics | {"train/image_size": float(self.image_size())}

    def train_step(self, epoch: int, step: int, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """Forward, backward and update; returns the loss and the gradient's norm before clipping, on the device."""
        torch.manual_seed(seed_for(self.seed, epoch, step, self.fabric.global_rank))
        total = torch.zeros((), device=self.fabric.device)
        self.optimizer.zero_grad()
        for number, batch in enumerate(batches, start=1):
            photos, masks = self.augment(*(halved(*batch) if epoch < self.params.small_epochs else batch))
            with self.fabric.no_backward_sync(self.model, enabled=number < self.params.accumulate):
                micro_loss = self.loss(self.model(photos), masks / 255) / self.params.accumulate
                self.fabric.backward(micro_loss)
            total += micro_loss.detach()
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.params.gradient_clip, error_if_nonfinite=False
        )
        assert norm is not None  # None only for strategies that clip by themselves
        self.optimizer.step()
        if self.scaler is None or norm.isfinite():  # otherwise the scaler has left the step out
            self.average.update((epoch - self.params.cycle(epoch).start) * self.steps + step)
        return total, norm

    def validate(self) -> float:
        """Mean Dice per photo of the averaged weights on the validation photos, of the size that is trained on."""
        self.average.all_reduce_batchnorm(self.fabric)
        small = self.epoch < self.params.small_epochs
        return mean_dice(self.fabric, self.average.model, self.val, self.params.batch_size, small)

    def image_size(self) -> int:
        """The height and width of the photos that the model is given in this epoch."""
        size = self.train.photos.shape[1]
        return size // 2 if self.epoch < self.params.small_epochs else size

    def _restart(self) -> None:
        """Begins the epochs at full size: with the best weights so far, and an optimizer that has seen nothing."""
        for model in (self.model.module, self.average.model):
            model.load_state_dict(self.best.weights)
        self.optimizer.optimizer.state.clear()
        self.best = Best()
        self._record_graphs()

    def _record_graphs(self) -> None:
        if self.cuda_graphs:
            shape = (self.params.batch_size, 3, self.image_size(), self.image_size())
            record_graphs(self.fabric, self.model.module, shape)

    def _keep_best(self, epoch: int, dice: float) -> Metrics:
        smoothing = 0.0 if epoch in (0, self.params.small_epochs) else self.params.dice_smoothing
        self.smoothed = smoothing * self.smoothed + (1 - smoothing) * dice
        if self.smoothed > self.best.dice_smoothed:
            weights = {name: tensor.clone() for name, tensor in self.average.model.state_dict().items()}
            self.best = Best(epoch, dice, self.smoothed, weights)
        return {"val/dice": dice, "val/dice_smoothed": self.smoothed}

    def _patience_is_out(self) -> bool:
        best = max(self.best.epoch, self.params.small_epochs - 1)  # the small epochs do not use it up
        return 0 < self.params.patience <= self.epoch - 1 - best

    def _resume(self) -> None:
        state = self.checkpoint.load() if self.checkpoint else None
        if state is None:
            return
        groups, facts = state
        self.model.module.load_state_dict(groups["model"])
        self.average.model.load_state_dict(groups["average"])
        load_optimizer_tensors(self.optimizer, groups["optimizer"])
        weights = {name: tensor.to(self.fabric.device) for name, tensor in groups["best"].items()}
        self.best = Best(**facts["best"], weights=weights)
        self.epoch, self.smoothed = facts["epoch"], facts["smoothed"]
        if self.epoch > self.params.small_epochs > 0:
            self._record_graphs()
        if self.scaler:
            self.scaler.load_state_dict(facts["scaler"])
        if self.logger:
            self.logger.replay(facts["rows"], groups["panels"])
        self.fabric.print(f"going on from epoch {self.epoch} of an interrupted run")


def deep_supervision(loss: Loss, weights: tuple[float, ...], outputs: Logits, target: Tensor) -> Tensor:
    """`loss` of a model's only output, or the sum over several, each times its weight (Lee et al. 2015,
    "Deeply-Supervised Nets", arXiv 1409.5185).
    """
    outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
    pairs = zip(weights, outputs, strict=True)
    return torch.stack([weight * loss(logits, target) for weight, logits in pairs]).sum()


def halved(photos: Tensor, masks: Tensor) -> Batch:
    """Photos and masks, uint8 (N, C, H, W), at half the height and width: each pixel is the mean of four."""
    photos, masks = (F.avg_pool2d(images.float(), 2).round().to(torch.uint8) for images in (photos, masks))
    return photos, masks


@torch.no_grad()
def mean_dice(fabric: Fabric, model: nn.Module, val: PhotoBatches, batch_size: int, small: bool = False) -> float:
    """Mean Dice per photo of `val`, halved if `small`, at threshold 0.5, over all processes; 1 where both are empty.

    Puts `model` into eval mode. Each process takes its share of the photos.
    """
    model.eval()
    total = torch.zeros((), device=fabric.device)
    mine = torch.arange(len(val))[fabric.global_rank :: fabric.world_size]
    for batch in val.batches(mine.split(batch_size)):
        photos, masks = halved(*batch) if small else batch
        with fabric.autocast():
            predicted = model(photos) > 0
        true = masks >= PERSON
        overlap = 2 * (predicted & true).sum((1, 2, 3))
        pixels = predicted.sum((1, 2, 3)) + true.sum((1, 2, 3))
        total += torch.where(pixels > 0, overlap / pixels.clamp(min=1), 1.0).sum()
    return float(torch.as_tensor(fabric.all_reduce(total, reduce_op="sum"))) / len(val)


def check_run(params: TrainParams, train: PhotoBatches, val: PhotoBatches, processes: int) -> None:
    """Raises UserError if `params` do not suit the photos or the number of `processes`, or val shows nobody."""
    batch = params.batch_size * params.accumulate
    if batch > len(train):
        raise UserError(
            f"params.yaml: the budget's train.batch_size times train.accumulate is {batch}, more than the "
            f"{len(train)} training photos; lower it"
        )
    if params.batch_size % processes:
        raise UserError(
            f"params.yaml: the budget's train.batch_size, {params.batch_size}, does not divide among {processes} "
            "processes; make it a multiple"
        )
    if not any((val.masks[index] >= PERSON).any() for index in val.indices):
        raise UserError("params.yaml: split: no val photo shows a person; change split.seed or split.fold")


def check_finite(epoch: int, losses: Tensor, norms: Tensor, rates: list[float]) -> None:
    """Raises UserError if the last loss of `epoch` is infinite or NaN; it names the first step from which on all were.

    `losses` and `norms`, of the gradient before clipping, are (steps,); `rates` are the learning rates.
    """
    finite = losses.isfinite().tolist()
    if finite[-1]:
        return
    step = max((number for number, good in enumerate(finite) if good), default=-1) + 1
    raise UserError(
        f"the loss is {float(losses[step])} in epoch {epoch}, step {step}, at learning rate {rates[step]:.3g} and "
        f"gradient norm {float(norms[step]):.3g}; no model was written. Lower the budget's train.learning_rate or "
        "train.gradient_clip, or set compute.precision to 32-true"
    )
