"""The .npy files of the pipeline, read memory-mapped and written piece by piece: none has to fit into memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from src.errors import UserError
from src.files import check_file, replacing


def read_array(path: Path, shape: tuple[int | None, ...], again: str) -> np.ndarray:
    """The array in `path`, uint8 of `shape`, where None stands for any length, memory-mapped.

    Raises UserError that ends in `again` if it is damaged or another array; FileNotFoundError if there is none.
    """
    check_file(path)
    try:
        array = np.load(path, mmap_mode="r")
    except OSError:
        raise
    except Exception as error:  # numpy reads the header as a Python literal, in which anything can be wrong
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())[:200]}); {again}") from None
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if array.dtype != np.uint8 or not fits:
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        raise UserError(f"{path} holds {array.dtype} {' x '.join(map(str, array.shape))}, not uint8 {wanted}; {again}")
    return array


@contextmanager
def new_array(path: Path) -> Iterator[Callable[[np.ndarray], None]]:
    """A function that adds rows, uint8 (n, ...), to the end of a new array, which is at `path` in the end, whole."""
    shape: list[int] = []

    with replacing(path) as partial, partial.open("wb") as file:

        def append(rows: np.ndarray) -> None:
            if not shape:
                shape.extend([0, *rows.shape[1:]])
                write_header()
            file.write(np.ascontiguousarray(rows, np.uint8).data)
            shape[0] += len(rows)

        def write_header() -> None:
            # numpy leaves room for the first number to grow: the header has the same length once more.
            npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)})

        yield append
        file.seek(0)
        write_header()
