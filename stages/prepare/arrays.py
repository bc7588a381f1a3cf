"""From the raw photos to data/prepared: every photo and mask is decoded once, on all cores."""

import os
import zipfile
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from src.errors import UserError
from src.formats.prepared import Prepared, pack
from src.formats.raw import RawFolder
from src.images import ImageFile, read_mask, read_photo, resize_mask, resize_photo
from stages.prepare.traits import TraitParams, mask_traits, photo_traits

AT_A_TIME = 256  # photos that are in memory, where there may be more than fit
T = TypeVar("T")


def prepare_labelled(
    raw: RawFolder[Path] | RawFolder[zipfile.Path], size: int, max_megapixels: int, traits: TraitParams
) -> Generator[Prepared, None, None]:
    """The labelled photos, `size` x `size`, with their masks, in order."""
    pairs = list(zip(raw.photos, raw.masks, strict=True))
    return _each("labelled", partial(_labelled, size=size, max_megapixels=max_megapixels, traits=traits), pairs)


def prepare_test(
    raw: RawFolder[Path] | RawFolder[zipfile.Path], size: int, max_megapixels: int, traits: TraitParams
) -> Generator[Prepared, None, None]:
    """The test photos, `size` x `size`, in order."""
    return _each("test", partial(_test, size=size, max_megapixels=max_megapixels, traits=traits), raw.tests)


def _labelled(paths: tuple[ImageFile, ImageFile], size: int, max_megapixels: int, traits: TraitParams) -> Prepared:
    photo, mask = read_photo(paths[0], max_megapixels), read_mask(paths[1], max_megapixels)
    if photo.shape[:2] != mask.shape:
        (height, width), (mask_height, mask_width) = photo.shape[:2], mask.shape
        raise UserError(f"{paths[1]}: {mask_width} x {mask_height}, but its photo is {width} x {height}; replace one")
    small = resize_photo(photo, size)
    row = _row(paths[0], photo) | mask_traits(mask, traits) | photo_traits(small, traits)
    return Prepared(small, row, resize_mask(mask, size), pack(mask))


def _test(path: ImageFile, size: int, max_megapixels: int, traits: TraitParams) -> Prepared:
    photo = read_photo(path, max_megapixels)
    small = resize_photo(photo, size)
    return Prepared(small, _row(path, photo) | photo_traits(small, traits))


def _row(path: ImageFile, photo: np.ndarray) -> dict[str, object]:
    return {"id": path.stem, "file": path.name, "height": photo.shape[0], "width": photo.shape[1]}


def _each(what: str, work: Callable[[T], Prepared], items: Sequence[T]) -> Generator[Prepared, None, None]:
    """`work` over all `items` in order; a bad file does not hide the next ones: all of them are named at the end."""

    def attempt(item: T) -> Prepared | UserError:
        try:
            return work(item)
        except UserError as error:
            return error

    problems: list[UserError] = []
    bar = tqdm(total=len(items), desc=f"prepare {what}", unit="photo", disable=None)
    # One thread per core: more would only take turns.
    with bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(items), AT_A_TIME):
            for result in pool.map(attempt, items[first : first + AT_A_TIME]):
                bar.update()
                if isinstance(result, UserError):
                    problems.append(result)
                elif not problems:
                    yield result
    if problems:
        more = f" ... and {len(problems) - 5} more files" if len(problems) > 5 else ""
        raise UserError(" | ".join(str(problem) for problem in problems[:5]) + more)
