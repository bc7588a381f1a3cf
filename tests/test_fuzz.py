"""Whatever bytes come in through one of the gates, what comes out is a result or a UserError, and nothing else."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src import models
from src.errors import UserError
from src.formats.arrays import read_array
from src.formats.model import load_model, save_model
from src.formats.tables import read_table
from src.images import read_mask, read_photo
from src.params import read_params
from src.pictures import write_picture
from src.sources.archive import unpack
from stages.split.stratify import SplitParams
from tests.conftest import ROOT, photo_and_mask
from tests.test_damaged import ABOUT, ARGUMENTS

# What is done to a file: at some place (a share of its length) bytes are replaced, put in or taken out.
Edit = tuple[float, bytes, int]
EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8), st.integers(0, 40)), min_size=1, max_size=4)


def mutated(good: bytes, edits: list[Edit]) -> bytes:
    data = bytearray(good)
    for share, new, removed in edits:
        place = int(share * len(data))
        data[place : place + removed] = new
    return bytes(data)


def write_photo(path: Path) -> None:
    write_picture(photo_and_mask(24, seed=1)[0], path)


def write_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("train/images/1.png", "train/masks/1.png", "test/images/é.png"):
            file.writestr(name, name.encode() * 20)


def write_model(path: Path) -> None:
    arguments = ARGUMENTS | {"depth": 1}
    save_model(path, [models.build("unet", arguments).state_dict()], ABOUT | {"arguments": arguments})


def read_zip(path: Path) -> None:
    try:
        unpack(path, path.with_name("unpacked"))
    finally:
        shutil.rmtree(path.with_name("unpacked"), ignore_errors=True)


def read_columns(path: Path) -> None:
    read_table(path, {"id": str, "height": int, "share": float, "grey": bool}, "again")


TABLE = b'id,height,share,grey\nNA,1,0.5,True\n"a,b",20,1e-3,False\n'
READERS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "photo.png": (read_photo, write_photo),
    "photo.jpg": (read_photo, write_photo),
    "photo.webp": (read_mask, write_photo),
    "photos.zip": (read_zip, write_archive),
    "unet.safetensors": (load_model, write_model),
    "maps.npy": (
        lambda path: read_array(path, (4, None, None), "again").sum(),
        lambda path: np.save(path, np.zeros((4, 8, 8), np.uint8)),
    ),
    "photos.csv": (read_columns, lambda path: path.write_bytes(TABLE)),
}


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_was_changed_anywhere(name, tmp_path):
    (read, write), path = READERS[name], tmp_path / name
    write(path)
    good = path.read_bytes()
    read(path)

    @settings(max_examples=150, deadline=None)
    @given(EDITS)
    def check(edits: list[Edit]) -> None:
        path.write_bytes(mutated(good, edits))
        try:
            read(path)
        except UserError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)

    check()


TEXT = (ROOT / "params.yaml").read_bytes()
SPLIT = TEXT[TEXT.index(b"split:") : TEXT.index(b"augment:")]
ANY_TEXT = st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")))


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(EDITS.map(lambda edits: mutated(SPLIT, edits)), ANY_TEXT))
def test_params_that_were_changed_anywhere_or_are_anything(monkeypatch, tmp_path, text):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(text)
    try:
        read_params("split", SplitParams)
    except UserError as error:
        assert str(error).startswith("params.yaml")
        assert "\n" not in str(error)
