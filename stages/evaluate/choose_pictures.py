"""Which holdout photos get a picture, in plots/evaluation and in its gallery: worst, median, best, worst of a trait."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from src.formats.prepared import TRAITS

EACH = 4  # photos of each kind


class Choice(NamedTuple):
    """A photo worth looking at: why (worst, median, best, or the worst of a trait), and its place among those."""

    kind: str
    place: int
    position: int


def choose(dice: pd.Series, traits: pd.DataFrame, each: int = EACH) -> list[Choice]:
    """Which photos to show, as positions in `dice` (N,): worst, median, best, and each trait's worst if not among them.

    A photo is chosen once; equal Dice goes by position, so the choice is the same every time.
    """
    order = np.argsort(dice.to_numpy(), kind="stable")
    middle = max(0, (len(order) - each) // 2)
    groups = {"worst": order[:each], "median": order[middle : middle + each], "best": order[::-1][:each]}
    groups |= {trait: order[traits[trait].to_numpy(dtype=bool)[order]][:1] for trait in TRAITS}
    chosen: list[Choice] = []
    for kind, positions in groups.items():
        seen = {choice.position for choice in chosen}
        new = [int(position) for position in positions if int(position) not in seen]
        chosen += [Choice(kind, place, index) for place, index in enumerate(new, start=1)]
    return chosen
