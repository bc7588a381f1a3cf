"""The training or validation photos, batched on the device."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Batch = tuple[Tensor, Tensor]  # photos uint8 (B, 3, H, W), soft masks uint8 (B, 1, H, W), 255 is certainly person
PERSON = 128  # from this value on, a pixel of a soft mask is more person than not
SHARE_OF_FREE_MEMORY = 0.5  # what photos may take of it; the rest is for the model and its activations


class PhotoBatches:
    """Photos and soft masks at `indices` of the prepared arrays (N, H, W, 3) and (N, H, W), as bytes.

    They are held on a GPU if they fit there, which is the fastest there is; otherwise they are streamed from the memory
    map, the next batch being fetched while the model works on this one. Both ways give the same batches. On a CPU the
    memory map is memory already, and that of all processes together.
    """

    def __init__(
        self,
        photos: np.ndarray,
        masks: np.ndarray,
        indices: NDArray[np.int64],
        device: torch.device,
        resident: bool | None = None,
    ) -> None:
        self.photos, self.masks, self.indices, self.device = photos, masks, indices, device
        size = len(indices) * (photos[0].nbytes + masks[0].nbytes) if len(indices) else 0
        fits = device.type == "cuda" and size <= SHARE_OF_FREE_MEMORY * torch.cuda.mem_get_info(device)[0]
        self.resident = fits if resident is None else resident
        if self.resident:
            self.held = self._fetch(torch.arange(len(indices)))

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, places: Tensor) -> Batch:
        """The photos and masks at `places`, int64 (B,), among these."""
        if not self.resident:
            return self._fetch(places)
        places = places.to(self.device, non_blocking=True)
        return self.held[0][places], self.held[1][places]

    def batches(self, places: Iterable[Tensor]) -> Iterator[Batch]:
        """One batch for each of `places`, int64 (B,); if none is held, a thread fetches the next one ahead."""
        if self.resident:
            yield from map(self.batch, places)
            return
        # Each thread has a current GPU of its own, at first GPU 0; this process may have another one.
        start = (torch.cuda.set_device, (self.device,)) if self.device.type == "cuda" else (None, ())
        with ThreadPoolExecutor(1, "prefetch", *start) as pool:
            ahead = None
            for chosen in places:
                current, ahead = ahead, pool.submit(self._fetch, chosen)
                if current:
                    yield current.result()
            if ahead:
                yield ahead.result()

    def _fetch(self, places: Tensor) -> Batch:
        chosen = self.indices[places.numpy()]
        photos = torch.from_numpy(self.photos[chosen]).permute(0, 3, 1, 2).contiguous()
        masks = torch.from_numpy(self.masks[chosen]).unsqueeze(1)
        # Copies from pinned memory run in the background. Photos that are held on the device are copied only once, and
        # torch would keep the memory for that pinned afterwards.
        if self.device.type == "cuda" and not self.resident:
            photos, masks = photos.pin_memory(), masks.pin_memory()
        return photos.to(self.device, non_blocking=True), masks.to(self.device, non_blocking=True)


def seed_for(*key: int) -> int:
    """A seed for torch from, say, (seed, epoch, step), so that no draw depends on how many came before it."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def shuffled(count: int, *key: int) -> Tensor:
    """A permutation of 0 to `count` - 1 that depends on `key` alone, int64 (count,)."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed_for(*key)))


def micro_batches(order: Tensor, step: int, accumulate: int, rank: int, world: int) -> list[Tensor]:
    """The share of process `rank` among `world` in `order`, int64 (N,), as micro-batches, of which a step of `step`
    photos accumulates `accumulate`; those that do not fill a last step are left out."""
    steps = order[: len(order) // step * step].split(step)
    return [places for whole in steps for places in whole[rank::world].chunk(accumulate)]
