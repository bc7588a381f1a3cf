"""Reading the .npy files of the pipeline, memory-mapped: the one place."""

from pathlib import Path
from tokenize import TokenError

import numpy as np

from src.files import check_file
from src.stage import UserError

# Of numpy, which reads an array's header as a Python literal.
DAMAGED = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)


def read_array(path: Path, shape: tuple[int | None, ...], again: str) -> np.ndarray:
    """The array in `path`, uint8 of `shape`, where None stands for any length, memory-mapped.

    Raises UserError that ends in `again`, how to get it anew, if it is damaged or another array; FileNotFoundError if
    there is none.
    """
    if not path.exists() and not path.is_symlink():
        raise FileNotFoundError(2, "No such file", str(path))
    check_file(path)
    try:
        array = np.load(path, mmap_mode="r")
    except DAMAGED as error:
        raise UserError(f"{path} is damaged ({' '.join(str(error).split())[:200]}); {again}") from None
    if (
        array.dtype != np.uint8
        or array.ndim != len(shape)
        or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True))
    ):
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        raise UserError(f"{path} holds {array.dtype} {' x '.join(map(str, array.shape))}, not uint8 {wanted}; {again}")
    return array
