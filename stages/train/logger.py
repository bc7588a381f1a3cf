"""What a training shows: how far it is, DVCLive's curves, and pictures of a few validation photos as it learns."""

import sys
import time
from pathlib import Path

import torch
from dvclive import Live
from torch import Tensor, nn
from tqdm import tqdm

from src.formats.curves import IMAGES
from src.formats.epochs import EPOCHS, add_epoch
from src.pictures import compare
from stages.train.batches import PERSON, PhotoBatches

PHOTOS = 4


class Logger(Live):
    """Writes `folder` (see src/formats/curves.py) epoch by epoch; a context manager, as DVCLive's is.

    Every `panel_every` epochs and after the last one, each of a few photos of `val` is drawn beside its true mask, the
    predicted one and their difference; 0 draws none.
    """

    def __init__(self, folder: Path, val: PhotoBatches, panel_every: int, epochs: int) -> None:
        super().__init__(str(folder), dvcyaml=None, save_dvc_exp=False)
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)  # DVC expects it, drawn or not
        self.panel_every, self.last = panel_every, epochs - 1
        self.photos, self.masks = val.batch(torch.linspace(0, len(val) - 1, min(PHOTOS, len(val))).long())
        self.rows: list[dict[str, float]] = []  # the metrics of each epoch
        self.panels: dict[str, Tensor] = {}  # uint8 RGB (H, W, 3), by "photo's number/epoch.png"

    def log(self, epoch: int, metrics: dict[str, float], model: nn.Module) -> None:
        """Logs `metrics` of `epoch`, and pictures by `model`, which is in eval mode, when it is their turn."""
        self._log_metrics(epoch, metrics)
        if self.panel_every and (epoch % self.panel_every == 0 or epoch == self.last):
            photos = self.photos.permute(0, 2, 3, 1).cpu().numpy()
            masks = (self.masks >= PERSON, model(self.photos) > 0)
            targets, predicted = (mask[:, 0].byte().cpu().numpy() for mask in masks)
            for number, images in enumerate(zip(photos, targets, predicted, strict=True), start=1):
                self._log_panel(f"{number}/{epoch:04d}.png", torch.from_numpy(compare(*images)))

    def replay(self, rows: list[dict[str, float]], panels: dict[str, Tensor]) -> None:
        """Writes again what an interrupted run had written."""
        for epoch, metrics in enumerate(rows):
            self._log_metrics(epoch, metrics)
        for name, panel in panels.items():
            self._log_panel(name, panel)

    def _log_metrics(self, epoch: int, metrics: dict[str, float]) -> None:
        self.rows.append(metrics)
        self.step = epoch
        for name, value in metrics.items():
            self.log_metric(name, value)
        self.sync()

    def _log_panel(self, name: str, panel: Tensor) -> None:
        self.panels[name] = panel
        self.log_image(f"panel_{name}", panel.numpy())


class Progress(tqdm):
    """Counts the photos of a training of `epochs` epochs that begins with number `first`; a context manager.

    In a terminal it is a bar; where the output is kept, as in a queue's log, it is a line per epoch. `photos` is how
    many an epoch has. Nothing is shown unless `shown`, as in all processes but one. How long each epoch took is added
    to the file EPOCHS beside `checkpoint`, if there is one.
    """

    def __init__(self, epochs: int, photos: int, first: int, shown: bool, checkpoint: Path | None = None) -> None:
        disable = None if shown else True  # None: unless it is a terminal
        super().__init__(total=epochs * photos, initial=first * photos, unit="photo", disable=disable)
        self.epochs, self.photos, self.lines = epochs, photos, shown and self.disable
        self.checkpoint, self.since = checkpoint if shown else None, time.monotonic()

    def end_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Shows the `metrics` of `epoch`."""
        seconds, self.since = time.monotonic() - self.since, time.monotonic()
        if self.checkpoint:
            add_epoch(self.checkpoint.with_name(EPOCHS), self.checkpoint.stem, epoch, self.photos, seconds)
        loss, dice = f"{metrics['train/loss']:.4f}", f"{metrics['val/dice']:.4f}"
        self.set_postfix(loss=loss, dice=dice, refresh=False)
        if self.lines:
            took = f"{self.photos} photos in {seconds:.1f} s"
            print(f"epoch {epoch + 1} of {self.epochs}: loss {loss}, val Dice {dice}, {took}", file=sys.stderr)
