"""Photos that are nearly the same: resized, recompressed, slightly edited or mirrored copies."""

from collections.abc import Iterable

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from tqdm import tqdm


def duplicate_groups(photos: Iterable[np.ndarray], distance: int) -> NDArray[np.int64]:
    """A number per photo, uint8 RGB (H, W, 3), shared by those whose hashes differ in at most `distance` bits.

    The hash is the 64-bit DCT hash of the ImageHash library. A photo is also compared with the others' mirror images;
    the relation is closed transitively, so a chain of copies is one group.
    """
    pairs = [(_bits(photo), _bits(photo[:, ::-1])) for photo in tqdm(photos, desc="hash", unit="photo", disable=None)]
    straight, mirrored = (np.array(bits, np.float32) for bits in zip(*pairs, strict=True))
    near = KDTree(np.concatenate([straight, mirrored])).query_pairs(distance, p=1, output_type="ndarray")
    near = near[(near < len(pairs)).any(axis=1)] % len(pairs)  # two mirror images say nothing new
    graph = coo_array((np.ones(len(near), bool), near.T), shape=(len(pairs),) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _bits(photo: np.ndarray) -> NDArray[np.bool_]:
    return imagehash.phash(Image.fromarray(np.ascontiguousarray(photo))).hash.ravel()
