"""Which holdout photos get a picture: the same few for every variant, to compare, and those that its page shows."""

from zlib import crc32

import numpy as np
import pandas as pd

from src.formats.prepared import TRAITS

EACH = 4  # photos of each kind on the page
COMPARED = 8  # photos to compare, and one more for each trait that none of them has


def to_compare(rows: pd.DataFrame, most: int = COMPARED) -> list[int]:
    """Positions in `rows` (N rows of photos.csv) of the photos to compare, which no score has a say in.

    They go by a hash of the id, so that a photo more or less changes one picture at most for each reason.
    """
    order = np.array(sorted(range(len(rows)), key=lambda i: (crc32(rows["id"].iloc[i].encode()), i)))
    first_of_trait = [order[rows[trait].to_numpy(dtype=bool)[order]][:1] for trait in TRAITS]
    return sorted({int(position) for position in np.concatenate([order[:most], *first_of_trait])})


def to_show(dice: pd.Series, traits: pd.DataFrame, each: int = EACH) -> list[tuple[str, int]]:
    """Which photos the page shows, as kind and position in `dice` (N,): the worst, median and best ones, and the worst
    of each trait if it is not among them.

    A photo is chosen once; equal Dice goes by position, so the choice is the same every time.
    """
    order = np.argsort(dice.to_numpy(), kind="stable")
    middle = max(0, (len(order) - each) // 2)
    groups = {"worst": order[:each], "median": order[middle : middle + each], "best": order[::-1][:each]}
    groups |= {trait: order[traits[trait].to_numpy(dtype=bool)[order]][:1] for trait in TRAITS}
    kinds: dict[int, str] = {}
    for kind, positions in groups.items():
        for position in positions:
            kinds.setdefault(int(position), kind)
    return [(kind, position) for position, kind in kinds.items()]
