"""How far a training is: a bar in a terminal, and a line per epoch where the output is kept, as in a queue's log."""

import sys
import time
from pathlib import Path

from tqdm import tqdm

from src.formats.epochs import EPOCHS, add_epoch


class Progress(tqdm):
    """Counts the photos of a training of `epochs` epochs that begins with number `first`; a context manager.

    `photos` is how many an epoch has. Nothing is shown unless `shown`, as in all processes but one. How long each epoch
    took is added to the file EPOCHS beside `checkpoint`, if there is one.
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
