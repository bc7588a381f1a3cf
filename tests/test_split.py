"""data/prepared, which may be larger than memory, and which photo of it goes where."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.errors import UserError
from src.formats import prepared
from src.formats.prepared import LABELLED, Prepared, write_prepared
from src.formats.split import PARTS
from stages.split.duplicates import duplicate_groups
from stages.split.stratify import SplitParams, parts_of, split
from tests.conftest import photo_and_mask

PARAMS = SplitParams(seed=0, holdout=0.2, folds=4, fold=0, train=0, duplicate_distance=6)


def parts_for(count, *, traits=None, groups=None, **changes):
    traits = np.zeros((count, 1), bool) if traits is None else traits
    groups = np.arange(count) if groups is None else groups
    params = PARAMS.model_copy(update=changes)
    return np.array(parts_of(split(groups, traits, params), params.fold))


def test_the_parts_have_their_shares_of_all_photos_and_of_each_trait():
    parts = parts_for(1000)
    assert {part: (parts == part).sum() for part in PARTS} == {"train": 600, "val": 200, "holdout": 200}
    traits = np.random.default_rng(0).random((1000, 4)) < (0.05, 0.3, 0.1, 0.02)
    parts = parts_for(1000, traits=traits)
    for trait in traits.T:
        assert abs((parts[trait] == "holdout").sum() - 0.2 * trait.sum()) <= 2
        assert abs((parts[trait] == "val").sum() - 0.2 * trait.sum()) <= 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=40, max_size=80), st.integers(0, 3))
def test_a_group_is_never_on_two_sides(groups, seed):
    groups = np.array(groups)
    try:
        parts = parts_for(len(groups), groups=groups, seed=seed)
    except UserError:
        return  # too few groups for all parts
    for group in np.unique(groups):
        assert len(set(parts[groups == group])) == 1


def test_the_seed_alone_decides_and_the_folds_partition_what_the_holdout_leaves():
    assert (parts_for(200) != parts_for(200, seed=1)).any()
    folds = [parts_for(200, fold=fold) for fold in range(4)]
    assert (folds[0] == parts_for(200)).all()
    assert all(((parts == "holdout") == (folds[0] == "holdout")).all() for parts in folds)
    as_val = sum((parts == "val").astype(int) for parts in folds)
    assert (as_val == (folds[0] != "holdout")).all()


def test_too_few_photos_and_a_fold_that_does_not_exist_are_said():
    with pytest.raises(UserError, match=r"split.*leave none for"):
        parts_for(3)
    with pytest.raises(UserError, match=r"split\.fold: 4 must be below split\.folds"):
        parts_for(100, fold=4)


def test_near_duplicates_share_a_group_and_others_do_not():
    photos = [photo_and_mask(64, seed)[0] for seed in range(6)]
    smooth = [np.ascontiguousarray(np.kron(p[::8, ::8], np.ones((8, 8, 1), np.uint8))) for p in photos]
    brighter = np.clip(smooth[0].astype(int) + 6, 0, 255).astype(np.uint8)
    groups = duplicate_groups([*smooth, brighter, smooth[1][:, ::-1]], distance=6)
    assert groups[6] == groups[0]
    assert groups[7] == groups[1]
    assert len(set(groups[:6])) == 6
    assert list(duplicate_groups(smooth[:1], distance=6)) == [0]


@given(sizes=st.lists(st.integers(1, 3), min_size=20, max_size=60), limit=st.integers(1, 30))
def test_fewer_training_photos_are_some_of_the_others_and_leave_val_and_holdout_alone(sizes, limit):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    traits = np.zeros((len(groups), 1), dtype=bool)
    full = split(groups, traits, PARAMS)
    fewer = split(groups, traits, PARAMS.model_copy(update={"train": limit}))
    fewest = split(groups, traits, PARAMS.model_copy(update={"train": max(1, limit // 2)}))
    train = full > 0
    assert (fewer[~train] == full[~train]).all()
    assert parts_of(fewer, 0).count("train") == min(limit, train.sum())
    assert set(np.flatnonzero(fewest > 0)) <= set(np.flatnonzero(fewer > 0)) <= set(np.flatnonzero(train))


SIZE, COUNT = 96, 300


def photo(number):
    return np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def mask(number):
    height, width = 40 + number % 5, 50
    return np.random.default_rng(number).integers(0, 2, (height, width), dtype=np.uint8)


def items(count):
    for number in range(count):
        height, width = mask(number).shape
        facts = {"id": str(number), "file": f"{number}.png", "height": height, "width": width, "coverage": 0.5}
        soft = photo(number)[..., 0]
        yield Prepared(photo(number), facts | dict.fromkeys(prepared.TRAITS, False), soft, np.packbits(mask(number)))


def test_photos_are_written_one_after_the_other_and_come_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    write_prepared(LABELLED, items(COUNT))
    assert tracemalloc.get_traced_memory()[1] < COUNT * SIZE * SIZE * 3 / 4
    tracemalloc.stop()
    photos, soft = prepared.read_photos(LABELLED), prepared.read_soft_masks()
    native = prepared.NativeMasks(prepared.read_rows(LABELLED))
    assert len(photos) == len(soft) == COUNT
    for number in (0, 7, COUNT - 1):
        assert (photos[number] == photo(number)).all()
        assert (soft[number] == photo(number)[..., 0]).all()
        assert (native[number] == mask(number)).all()


def test_what_stops_halfway_leaves_what_was_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_prepared(LABELLED, items(3))
    before = {path: path.read_bytes() for path in LABELLED.iterdir()}

    def stopping():
        yield from items(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_prepared(LABELLED, stopping())
    assert {path: path.read_bytes() for path in LABELLED.iterdir()} == before
