"""One way to use a model: a photo in, its mask out.

    from src.predictor import load
    mask = load("models/starters/efficientnet_unet.safetensors").mask(photo)

`photo` is uint8 RGB (H, W, 3) of any size, and `mask` bool (H, W).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from src.compute import ComputeParams, Runtime, find_device
from src.errors import UserError
from src.formats.metadata import CLEANED, DEFAULTS, Metadata, blaming, check_metadata
from src.formats.model import load_model
from src.images import resize_photo
from src.inference import PredictParams, predict
from src.postprocess import PostprocessParams, final_mask, upsample

Photo = TypeVar("Photo", np.ndarray, list[np.ndarray])  # one, or several
BATCH = 8  # photos that the model sees at a time


def load(path: str | Path, device: str = "auto", **changes: Any) -> "Predictor":
    """The model in the file `path` on `device`: auto (a GPU if there is one), cpu or cuda.

    `changes` take the place of what the file's metadata says, such as `threshold=0.6` or `mirror=False`.

    Raises UserError if it is damaged or no model of this project, or a change or the device cannot be; ValueError for
    a change or device that has no such name; FileNotFoundError if there is no such file.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, not {device!r}")
    if unknown := changes.keys() - Metadata.__annotations__.keys():
        raise ValueError(f"there is no {min(unknown)} to change")
    model, metadata = load_model(Path(path))
    with blaming(Path(path)):
        if "image_size" not in metadata:
            raise UserError("metadata: image_size is missing")
    metadata = check_metadata({**metadata, **changes})
    return Predictor(model, metadata, find_device(ComputeParams.model_construct(device=device, devices=1)))


class Predictor:
    """A model, and all that it takes to get a mask from it.

    It computes in 32 bits, so that a photo has the same mask wherever it is made. Lists of photos of any sizes are seen
    as a batch.
    """

    def __init__(self, model: nn.Module, metadata: Metadata, device: str = "cpu") -> None:
        settings: dict[str, Any] = {**DEFAULTS, **metadata}
        self.metadata = metadata
        self.image_size: int = settings["image_size"]
        self.inference = PredictParams(mirror=settings["mirror"], scale=settings["scale"], batch_size=BATCH)
        self.postprocess = PostprocessParams(**{name: settings[name] for name in ("threshold", *CLEANED)})
        self.threshold = float(self.postprocess.threshold)
        self.runtime = Runtime(torch.device(device))
        self.model = model.to(self.runtime.device).to(memory_format=torch.channels_last)

    def probabilities(self, photo: Photo) -> Photo:
        """How probably each pixel of `photo`, uint8 RGB (H, W, 3), is person: float32 (H, W), in steps of 1/255.

        A list of them for a list of photos. Raises ValueError for anything that is no such photo.
        """
        return self._each(photo, lambda probability, shape: upsample(probability, *shape) / np.float32(255))

    def mask(self, photo: Photo) -> Photo:
        """Which pixels of `photo`, uint8 RGB (H, W, 3), are person: bool (H, W), after the clean-up.

        A list of them for a list of photos. Raises ValueError for anything that is no such photo.
        """
        return self._each(photo, self.clean_mask)

    def _each(self, photo: Photo, finish: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]) -> Photo:
        photos = photo if isinstance(photo, list) else [photo]
        found = [finish(one, shown.shape[:2]) for one, shown in zip(self.maps(photos), photos, strict=True)]
        return found if isinstance(photo, list) else found[0]

    def maps(self, photos: Sequence[np.ndarray]) -> np.ndarray:
        """Probability maps of `photos` at the model's own size: uint8 (N, S, S); 255 is certainly person."""
        for photo in photos:
            kind, shape = getattr(photo, "dtype", type(photo).__name__), getattr(photo, "shape", ())
            if kind != np.uint8 or shape[2:] != (3,) or not photo.size:
                raise ValueError(f"a photo must be uint8 RGB (height, width, 3), not {kind} {shape}")
        size = self.image_size
        small = [resize_photo(np.ascontiguousarray(photo), size) for photo in photos]
        return predict(self.runtime, self.model, np.array(small).reshape(-1, size, size, 3), self.inference, "")

    def clean_mask(self, probability: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The mask, bool of `shape` (H, W), that a map, uint8 (S, S), of `maps` means."""
        return final_mask(probability, shape, self.threshold, self.postprocess) > 0
