"""Photos that are nearly the same: resized, recompressed, slightly edited or mirrored copies."""

from collections.abc import Iterable

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

AT_A_TIME = 256  # photos that are compared with all others: all pairs at once may not fit into memory


def duplicate_groups(photos: Iterable[np.ndarray], distance: int) -> NDArray[np.int64]:
    """A number per photo, uint8 RGB (H, W, 3), shared by those whose hashes differ in at most `distance` bits.

    The hash is the 64-bit DCT hash of the ImageHash library. A photo is also compared with the others' mirror images;
    the relation is closed transitively, so a chain of copies is one group.
    """
    pairs = [(_bits(photo), _bits(photo[:, ::-1])) for photo in tqdm(photos, desc="hash", unit="photo", disable=None)]
    straight, mirrored = (np.array(bits, dtype=np.float32) for bits in zip(*pairs, strict=True))
    count, near = len(pairs), []
    for first in range(0, count, AT_A_TIME):
        some = straight[first : first + AT_A_TIME]
        rows, columns = (np.minimum(_hamming(some, straight), _hamming(some, mirrored)) <= distance).nonzero()
        near.append((rows + first, columns))
    rows, columns = (np.concatenate(indices) for indices in zip(*near, strict=True))
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _bits(photo: np.ndarray) -> NDArray[np.bool_]:
    return imagehash.phash(Image.fromarray(np.ascontiguousarray(photo))).hash.ravel()


def _hamming(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    return a @ (1 - b).T + (1 - a) @ b.T
