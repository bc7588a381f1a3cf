"""From the raw photos to data/prepared: every photo and mask is decoded once, on all cores."""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest

import numpy as np
from tqdm import tqdm

from src.errors import UserError
from src.formats.prepared import Prepared
from src.images import ImageFile, read_mask, read_photo, resize_mask, resize_photo
from stages.prepare.traits import TraitParams, mask_traits, photo_traits

AT_A_TIME = 256  # photos that are in memory, where there may be more than fit


def prepare(
    photos: Sequence[ImageFile], masks: Sequence[ImageFile], size: int, max_megapixels: int, traits: TraitParams
) -> Generator[Prepared, None, None]:
    """The photos, `size` x `size`, in order, with their `masks` if they are labelled.

    A bad file does not hide the next ones: UserError names all of them at the end.
    """

    def attempt(pair: tuple[ImageFile, ImageFile | None]) -> Prepared | UserError:
        try:
            return _prepare(*pair, size, max_megapixels, traits)
        except UserError as error:
            return error

    pairs = list(zip_longest(photos, masks))
    problems: list[UserError] = []
    bar = tqdm(total=len(pairs), desc=f"prepare {'labelled' if masks else 'test'}", unit="photo", disable=None)
    # One thread per core: more would only take turns.
    with bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(pairs), AT_A_TIME):
            for result in pool.map(attempt, pairs[first : first + AT_A_TIME]):
                bar.update()
                if isinstance(result, UserError):
                    problems.append(result)
                elif not problems:
                    yield result
    if problems:
        more = f" ... and {len(problems) - 5} more files" if len(problems) > 5 else ""
        raise UserError(" | ".join(str(problem) for problem in problems[:5]) + more)


def _prepare(
    path: ImageFile, mask_path: ImageFile | None, size: int, max_megapixels: int, traits: TraitParams
) -> Prepared:
    photo = read_photo(path, max_megapixels)
    height, width = photo.shape[:2]
    small = resize_photo(photo, size)
    row = {"id": path.stem, "file": path.name, "height": height, "width": width}
    if mask_path is None:
        return Prepared(small, row | photo_traits(small, traits))
    mask = read_mask(mask_path, max_megapixels)
    if mask.shape != (height, width):
        wrong = f"{mask.shape[1]} x {mask.shape[0]}, but its photo is {width} x {height}"
        raise UserError(f"{mask_path}: {wrong}; replace one")
    row |= mask_traits(mask, traits) | photo_traits(small, traits)
    return Prepared(small, row, resize_mask(mask, size), np.packbits(mask))
