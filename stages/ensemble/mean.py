"""Several variants as one: the mean of their probability maps."""

from typing import Annotated

import numpy as np
from pydantic import Field

from src.params import Name

Members = Annotated[list[Name], Field(min_length=3, max_length=3)]  # a name that stands twice counts twice
Ensembles = dict[Name, Members]  # the block `ensembles` of params.yaml


def average(maps: list[np.ndarray]) -> np.ndarray:
    """The mean of `maps`, each uint8 (N, S, S), rounded."""
    total = np.stack(maps).sum(axis=0, dtype=np.uint16)
    return ((total + len(maps) // 2) // len(maps)).astype(np.uint8)
