"""Which labelled photo trains, which selects the model, and which is kept for the headline score."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from src.errors import UserError
from src.formats.split import HOLDOUT, PARTS, SPARE
from src.params import Section, Seed


class SplitParams(Section):
    """The block `split` of params.yaml: `holdout` is a share; the rest is cut into `folds`, of which `fold` is val, and
    the others train, or at most `train` photos of theirs (0: all)."""

    seed: Seed
    holdout: Annotated[float, Field(gt=0, lt=1)]
    folds: Annotated[int, Field(ge=2, le=100)]
    fold: Annotated[int, Field(ge=0, lt=100)]
    train: Annotated[int, Field(ge=0, le=1_000_000)]
    duplicate_distance: Annotated[int, Field(ge=0, le=64)]


def split(groups: NDArray[np.int64], traits: NDArray[np.bool_], params: SplitParams) -> NDArray[np.int64]:
    """The fold of each photo (N,), HOLDOUT, or SPARE where `params.train` leaves it out.

    `groups` (N,) numbers the photos so that near-duplicates share a number and stay together; `traits` (N, T) are what
    each part should hold its share of. The holdout does not depend on `fold`, so folds can be averaged on it.
    """
    if params.fold >= params.folds:
        raise UserError(f"params.yaml: split.fold: {params.fold} must be below split.folds, which is {params.folds}")
    shares = [params.holdout, *[(1 - params.holdout) / params.folds] * params.folds]
    folds = _stratify(groups, traits, np.array(shares), np.random.default_rng(params.seed)) - 1
    parts = parts_of(folds, params.fold)
    if missing := [part for part in PARTS if part not in parts]:
        few = f"{len(groups)} photos, in {len(set(groups))} groups of near-duplicates, leave none for {missing[0]}"
        raise UserError(f"params.yaml: split: {few}; add photos, or lower folds or duplicate_distance")
    if params.train:
        trains = np.flatnonzero((folds != HOLDOUT) & (folds != params.fold))
        # Whole groups in a random order, so that near-duplicates do not count as two photos where there are few. The
        # order does not depend on `train`: fewer photos are some of those that more would be.
        order = np.random.default_rng([params.seed, 1]).permutation(groups.max() + 1)
        folds[trains[np.argsort(order[groups[trains]], kind="stable")][params.train :]] = SPARE
    return folds


def parts_of(folds: NDArray[np.int64], val: int) -> list[str]:
    """The part of each photo, one of PARTS or "spare", if the fold `val` selects the model."""
    named = {HOLDOUT: "holdout", SPARE: "spare", val: "val"}
    return [named.get(int(fold), "train") for fold in folds]


def _stratify(
    groups: NDArray[np.int64], traits: NDArray[np.bool_], shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """The bin of each photo, by iterative stratification (Sechidis et al. 2011, algorithm 1) over whole groups.

    The trait with the fewest photos left goes first, and each group to the bin that lacks most of that trait, then most
    photos. "No trait" counts as a trait, so that every photo is asked for.
    """
    labels = np.column_stack([traits, ~traits.any(axis=1)]).astype(np.int64)
    names, group_of = np.unique(groups, return_inverse=True)
    totals = np.zeros((len(names), labels.shape[1]), dtype=np.int64)
    np.add.at(totals, group_of, labels)
    sizes = np.bincount(group_of)
    wanted, room = np.outer(shares, labels.sum(axis=0)), shares * len(groups)
    bins = np.full(len(names), -1)
    order = rng.permutation(len(names))
    while (open_groups := order[bins[order] < 0]).size:
        left = totals[open_groups].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        for group in open_groups[totals[open_groups, rarest] > 0]:
            ties = rng.random(len(shares))
            bins[group] = np.lexsort((ties, room, wanted[:, rarest]))[-1]
            wanted[bins[group]] -= totals[group]
            room[bins[group]] -= sizes[group]
    return bins[group_of]
