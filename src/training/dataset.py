"""The photos of one part of the split, held on the device as bytes and batched there."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.images import Array8


class Dataset:
    """Photos uint8 (N, 3, H, W) and masks uint8 (N, 1, H, W) with values 0 and 1, on `device`."""

    def __init__(self, photos: Array8, masks: Array8, indices: NDArray[np.int64], device: torch.device) -> None:
        self.photos = torch.from_numpy(photos[indices]).permute(0, 3, 1, 2).contiguous().to(device)
        self.masks = torch.from_numpy(masks[indices]).unsqueeze(1).to(device)

    def __len__(self) -> int:
        return len(self.photos)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The photos and masks at `indices`, int64 (B,)."""
        indices = indices.to(self.photos.device, non_blocking=True)
        return self.photos[indices], self.masks[indices]


def seed_for(*key: int) -> int:
    """A seed for torch from, say, (seed, epoch, step), so that no draw depends on how many came before it."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def shuffled(count: int, *key: int) -> Tensor:
    """A permutation of 0 to `count` - 1 that depends on `key` alone, int64 (count,)."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed_for(*key)))
