"""What a training leaves to look at: DVCLive's curves, and panels of the same few validation photos as it learns."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from dvclive import Live
from torch import Tensor, nn

from src.images import Array8
from src.training.dataset import PERSON, Dataset

PANELS = 4
WHITE, MISSED, FALSE_ALARM = (255, 255, 255), (255, 80, 60), (70, 140, 255)


class Record:
    """Writes the folder `plots/training/VARIANT` epoch by epoch; a context manager.

    Every `panel_every` epochs and at the last one, each panel photo is drawn as four tiles: photo, true mask, predicted
    mask, and difference (white is right, red a missed pixel, blue a false alarm).
    """

    def __init__(self, folder: Path, val: Dataset, panel_every: int, epochs: int) -> None:
        self.live = Live(str(folder), dvcyaml=None, save_dvc_exp=False)
        self.panel_every, self.last = panel_every, epochs - 1
        self.photos, self.masks = val.batch(torch.linspace(0, len(val) - 1, min(PANELS, len(val))).long())
        self.rows: list[dict[str, float]] = []
        self.panels: dict[str, Tensor] = {}

    def __enter__(self) -> "Record":
        self.live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.live.__exit__(*error)

    def __call__(self, epoch: int, metrics: dict[str, float], model: nn.Module) -> None:
        """Logs `metrics` of `epoch`, with panels by `model`, which is in eval mode, when it is their turn."""
        self._log(epoch, metrics)
        if self.panel_every and (epoch % self.panel_every == 0 or epoch == self.last):
            predicted = model(self.photos) > 0
            for place, tiles in enumerate(zip(self.photos, self.masks, predicted, strict=True), start=1):
                panel = draw_panel(*(tile.cpu().numpy() for tile in tiles))
                self.panels[f"{place}/{epoch:04d}.png"] = torch.from_numpy(panel)
                self.live.log_image(f"panel_{place}/{epoch:04d}.png", panel)

    def replay(self, rows: list[dict[str, float]], panels: dict[str, Tensor]) -> None:
        """Writes again what an interrupted run had written."""
        for epoch, metrics in enumerate(rows):
            self._log(epoch, metrics)
        for name, panel in panels.items():
            self.panels[name] = panel
            self.live.log_image(f"panel_{name}", panel.numpy())

    def _log(self, epoch: int, metrics: dict[str, float]) -> None:
        self.rows.append(metrics)
        self.live.step = epoch
        for name, value in metrics.items():
            self.live.log_metric(name, value)
        self.live.sync()


def draw_panel(photo: Array8, mask: Array8, predicted: Array8) -> Array8:
    """Four tiles beside each other, uint8 RGB (H, 4 W, 3): a photo (3, H, W), its soft mask, a prediction (1, H, W)."""
    true, ours = mask[0] >= PERSON, predicted[0] > 0
    colors = {WHITE: true & ours, MISSED: true & ~ours, FALSE_ALARM: ~true & ours}
    tiles = [photo.transpose(1, 2, 0), tinted({WHITE: true}), tinted({WHITE: ours}), tinted(colors)]
    return np.concatenate(tiles, axis=1)


def tinted(colors: dict[tuple[int, int, int], Array8]) -> Array8:
    """A black picture, uint8 RGB (H, W, 3), with each color where its mask (H, W) is true."""
    picture = np.zeros((*next(iter(colors.values())).shape, 3), np.uint8)
    for color, where in colors.items():
        picture[where] = color
    return picture
