"""data/prepared, which may be larger than memory."""

import tracemalloc

import numpy as np
import pytest

from src.formats import prepared
from src.formats.prepared import LABELLED, Prepared, write_prepared

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
