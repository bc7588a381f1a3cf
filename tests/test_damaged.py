"""What a stage finds of an earlier one is what was written, or is named in one line."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from src import models
from src.errors import UserError
from src.formats.metadata import model_path
from src.formats.model import load_model, save_model
from stages.evaluate import __main__ as evaluate
from stages.predict import __main__ as predict
from stages.submit import __main__ as submit
from stages.train.checkpoint import Checkpoint
from tests.test_bad_input import fails, folder, truncated
from tests.workspace import make_workspace

ARGUMENTS = {"width": 2, "depth": 2, "dropout": 0.0, "batch_norm": True, "color": "rgb"}
ABOUT = {"variant": "unet", "arguments": ARGUMENTS}


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A folder in which everything up to predict has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["stage"])
    make_workspace(tmp_path)
    return tmp_path


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


def not_numbers(path):
    weights = models.build("unet", ARGUMENTS).state_dict()
    next(iter(weights.values())).fill_(float("nan"))
    save_model(path, [weights], ABOUT)


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        folder,
        flip_a_bit,
        not_numbers,
        lambda path: path.write_bytes(path.read_bytes().replace(b'\\"dropout\\": 0.0', b'\\"dropout\\": 0.5')),
        lambda path: save_file(load_file(path), path),  # without metadata
        lambda path: path.write_bytes(struct.pack("<Q", 2**62) + path.read_bytes()[8:]),  # an endless header
        lambda path: save_model(path, [], ABOUT | {"arguments": ARGUMENTS | {"width": 1024, "depth": 7}}),  # 360 GB
    ],
)
def test_a_model_that_is_not_what_was_written(workspace, damage):
    path = model_path("unet")
    save_model(path, [models.build("unet", ARGUMENTS).state_dict()], ABOUT)
    load_model(path)
    before = path.read_bytes()
    damage(path)
    assert path.is_dir() or path.read_bytes() != before
    fails(lambda: predict.main("unet"), says=["models/unet.safetensors", "dvc pull train@unet"])


def test_a_checkpoint_with_one_flipped_bit_or_without_contents_counts_as_none(tmp_path, capsys):
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save({"model": {"w": torch.arange(3000.0)}}, {"epoch": 1})
    assert checkpoint.load()[1] == {"epoch": 1}
    flip_a_bit(checkpoint.path)
    assert checkpoint.load() is None
    checkpoint.path.write_bytes(b"")
    assert checkpoint.load() is None
    assert capsys.readouterr().err.count("is damaged") == 2


def edit(path: Path, old: str, new: str) -> None:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))


def swap_lines(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines[:0:-1]]))


ROWS, SPLIT, MAPS = "data/prepared/labelled/photos.csv", "data/split.csv", "data/predictions/unet/holdout.npy"
COST = "data/predictions/unet/cost.json"
MASKS, CURVE = "data/prepared/labelled/native_masks.npy", "plots/training/unet/plots/metrics/train/loss.tsv"


@pytest.mark.parametrize(
    ("file", "damage", "says"),
    [
        (SPLIT, swap_lines, "is not that of the photos"),
        (SPLIT, lambda path: edit(path, "005", "999"), "is not that of the photos"),
        (SPLIT, lambda path: edit(path, "holdout,-1", "test,-1"), "each row is one of train, val, holdout"),
        (SPLIT, lambda path: edit(path, ",fold", ",fold,"), "not every line has one cell for each column"),
        (ROWS, lambda path: edit(path, ",60,48,", ",60,,"), "the column width holds something else than int"),
        (MAPS, truncated, "is damaged"),
        (MAPS, lambda path: np.save(path, np.zeros((12, 32, 32), np.float32)), "holds float32"),
        (MAPS, lambda path: np.save(path, np.zeros((11, 32, 32), np.uint8)), "not uint8 12 x any x any"),
        (MAPS, lambda path: np.save(path, np.array([{}] * 12, dtype=object), allow_pickle=True), "is damaged"),
        (COST, truncated, "cost.json is damaged"),
        (MASKS, lambda path: np.save(path, np.zeros(7, np.uint8)), "do not belong together"),
        (CURVE, lambda path: path.write_bytes(b"\xff"), "train/loss.tsv: not a TSV file"),
    ],
)  # fmt: skip
def test_a_file_of_an_earlier_stage_that_is_not_what_it_wrote(workspace, file, damage, says):
    damage(workspace / file)
    fails(lambda: evaluate.main("unet"), says=[file.rsplit("/", 1)[0], says, "run dvc repro"])
    assert not (workspace / "metrics").exists()


@pytest.mark.parametrize(
    "contents", ["", "<<<<<<< HEAD\n{}", '{"threshold": 9, "holdout": {"dice": 0.5}}', '{"holdout": {"dice": 0.5}}']
)
def test_metrics_that_were_edited_by_hand_or_hold_a_conflict(workspace, contents):
    (workspace / "metrics").mkdir()
    (workspace / "metrics/unet.json").write_text(contents)
    fails(lambda: submit.main("unet"), says=["metrics/unet.json", "not what evaluate wrote", "evaluate@unet"])
    assert not (workspace / "submissions").exists()


def test_what_is_killed_while_it_is_written_is_not_there_and_the_next_one_removes_it(tmp_path):
    path = tmp_path / "unet.safetensors"
    (tmp_path / ".unet.safetensors.999999999.partial").write_bytes(b"half")
    with pytest.raises(UserError):
        load_model(tmp_path / ".unet.safetensors.999999999.partial")
    save_model(path, [models.build("unet", ARGUMENTS).state_dict()], ABOUT)
    assert [file.name for file in tmp_path.iterdir()] == ["unet.safetensors"]
