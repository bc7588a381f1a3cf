"""From the raw folder to data/prepared: every photo and mask is decoded once, on all cores."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from tqdm.contrib.concurrent import thread_map

from src.formats.prepared import pack
from src.formats.raw import RawFolder
from src.images import read_mask, read_photo, resize_mask, resize_photo
from src.stage import UserError
from stages.prepare.traits import TraitParams, mask_traits, photo_traits

Row = dict[str, object]
T = TypeVar("T")


def prepare_labelled(
    raw: RawFolder, size: int, most: int, traits: TraitParams
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], pd.DataFrame]:
    """The labelled photos (N, size, size, 3), soft masks (N, size, size), packed native masks, rows of photos.csv."""
    results = _each(
        "labelled", partial(_labelled, size=size, most=most, traits=traits), zip(raw.photos, raw.masks, strict=True)
    )
    photos, masks, native, rows = zip(*results, strict=True)
    return np.stack(photos), np.stack(masks), list(native), pd.DataFrame(rows)


def prepare_test(raw: RawFolder, size: int, most: int, traits: TraitParams) -> tuple[np.ndarray, pd.DataFrame]:
    """The test photos (N, size, size, 3) and rows of photos.csv."""
    photos, rows = zip(*_each("test", partial(_test, size=size, most=most, traits=traits), raw.tests), strict=True)
    return np.stack(photos), pd.DataFrame(rows)


def _labelled(
    paths: tuple[Path, Path], size: int, most: int, traits: TraitParams
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Row]:
    photo, mask = read_photo(paths[0], most), read_mask(paths[1], most)
    if photo.shape[:2] != mask.shape:
        (height, width), (mask_height, mask_width) = photo.shape[:2], mask.shape
        raise UserError(f"{paths[1]}: {mask_width} x {mask_height}, but its photo is {width} x {height}; replace one")
    small = resize_photo(photo, size)
    row = _row(paths[0], photo) | mask_traits(mask, traits) | photo_traits(small, traits)
    return small, resize_mask(mask, size), pack(mask), row


def _test(path: Path, size: int, most: int, traits: TraitParams) -> tuple[np.ndarray, Row]:
    photo = read_photo(path, most)
    small = resize_photo(photo, size)
    return small, _row(path, photo) | photo_traits(small, traits)


def _row(path: Path, photo: np.ndarray) -> Row:
    return {"id": path.stem, "file": path.name, "height": photo.shape[0], "width": photo.shape[1]}


def _each(what: str, work: Callable[..., T], items: Iterable[object]) -> list[T]:
    """`work` over all `items` in order; a bad file does not hide the next ones: all of them are named at the end."""

    def attempt(item: object) -> T | UserError:
        try:
            return work(item)
        except UserError as error:
            return error

    # One thread per core: more would only take turns.
    results = thread_map(
        attempt, list(items), max_workers=os.cpu_count(), desc=f"prepare {what}", unit="photo", disable=None
    )
    problems = [result for result in results if isinstance(result, UserError)]
    if problems:
        more = f" ... and {len(problems) - 5} more files" if len(problems) > 5 else ""
        raise UserError(" | ".join(str(problem) for problem in problems[:5]) + more)
    return [result for result in results if not isinstance(result, UserError)]
