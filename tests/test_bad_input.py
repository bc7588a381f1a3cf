"""Every mistake ends in one line that names the file or key, with exit status 1, and costs nothing already made."""

import shutil
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from src import stage
from stages.download import __main__ as download
from stages.evaluate import __main__ as evaluate
from stages.predict import __main__ as predict
from stages.prepare import __main__ as prepare
from stages.split import __main__ as split
from stages.train import __main__ as train
from tests.conftest import ROOT, TINY, set_params, write_raw
from tools import check


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A folder with nothing but params.yaml, to run stages in."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    set_params(folder, TINY)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["stage"])
    return folder


@pytest.fixture
def photos(tmp_path) -> Path:
    return write_raw(tmp_path / "photos")


def fails(main, says) -> None:
    """Runs a stage's main as its script does; it must end with one line that has all of `says`."""
    with pytest.raises(SystemExit) as exit_status:
        stage.run(main)
    message = str(exit_status.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    for part in says:
        assert part in message, message


def local(workspace, path):
    set_params(workspace, {"source": "local", "local.path": str(path)})


def no_mask(root):
    (root / "train/masks/3.png").unlink()


def no_photo(root):
    (root / "train/images/3.png").unlink()


def no_tests(root):
    shutil.rmtree(root / "test/images")
    (root / "test/images").mkdir()


def empty(root):
    shutil.rmtree(root)
    root.mkdir()


def other_layout(root):
    (root / "train").rename(root / "training")


def other_type(root):
    (root / "train/images/notes.txt").write_text("hello")


def same_name(root):
    shutil.copy(root / "train/images/3.png", root / "train/images/3.jpg")


def also_a_training_photo(root):
    shutil.copy(root / "train/images/3.png", root / "test/images/3.png")


def wrong_sample(root):
    (root / "sample_submission.csv").write_text("id,encoded_pixels\nother.png,\n")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (no_mask, ["train/images/3.png", "train/masks"]),
        (no_photo, ["train/masks/3.png", "train/images"]),
        (no_tests, ["test/images", "holds no photo"]),
        (empty, ["expected the folders train/images, train/masks, test/images", "found nothing"]),
        (other_layout, ["expected the folders", "found test, training"]),
        (other_type, ["train/images/notes.txt", "not a PNG, JPEG or WebP"]),
        (same_name, ["3.png", "3.jpg", "same name"]),
        (also_a_training_photo, ["test/images/3.png", "must not be a training photo"]),
        (wrong_sample, ["sample_submission.csv", "other.png"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_that_does_not_fit_the_layout(workspace, photos, damage, says):
    damage(photos)
    local(workspace, photos)
    fails(download.main, says=says)
    assert not (workspace / "data/raw").exists()
    assert not list((workspace / "data").glob(".download-*"))


def truncated(path):
    path.write_bytes(path.read_bytes()[:-300])


def zero_bytes(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("not an image")


@pytest.mark.parametrize("damage", [truncated, zero_bytes, text])
@pytest.mark.parametrize("file", ["train/images/5.png", "train/masks/5.png", "test/images/21.png"])
def test_an_unreadable_image(workspace, photos, damage, file):
    damage(photos / file)
    local(workspace, photos)
    download.main()
    fails(prepare.main, says=[f"data/raw/{file}", "replace it"])


def test_a_mask_of_another_size_than_its_photo(workspace, photos):
    cv2.imwrite(str(photos / "train/masks/5.png"), np.ones((40, 48), np.uint8))
    local(workspace, photos)
    download.main()
    fails(prepare.main, says=["train/masks/5.png: 48 x 40", "its photo is 48 x 48"])


def test_all_bad_files_are_named_at_once(workspace, photos):
    for name in ("4", "7"):
        zero_bytes(photos / f"train/images/{name}.png")
    local(workspace, photos)
    download.main()
    fails(prepare.main, says=["images/4.png", "images/7.png"])


def test_a_zip_that_is_not_a_zip(workspace, tmp_path):
    (tmp_path / "photos.zip").write_text("hello")
    local(workspace, tmp_path / "photos.zip")
    fails(download.main, says=["photos.zip", "not a complete zip file"])


@pytest.mark.parametrize("member", ["../evil.png", "/tmp/evil.png", "train/../../evil.png"])
def test_a_zip_that_would_write_elsewhere(workspace, tmp_path, member):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr(member, b"x")
    local(workspace, tmp_path / "photos.zip")
    fails(download.main, says=["photos.zip", "refused", member])
    assert not list(tmp_path.rglob("evil.png"))


def test_a_path_that_does_not_exist(workspace):
    local(workspace, "/nowhere")
    fails(download.main, says=["local.path", "'/nowhere' does not exist"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": "cagle"}, ["source", "'cagle'", "kaggle, local, synthetic"]),
        ({"budget": "tpu"}, ["budget", "'tpu'", "cpu, gpu"]),
        ({"profile": "kaggle"}, ["profile is now source", "budget"]),
        ({"kaggle__train": {"epochs": 9}}, ["kaggle.train is now gpu.train"]),
        ({"local__data": {"path": "photos"}}, ["local.data is now", "local.path"]),
        ({"loss": "dice"}, ["loss", "'dice'", "bce, bce_dice"]),
        ({"final_loss": "dice"}, ["final_loss", "'dice'"]),
        ({"variants": ["unet", "vnet"]}, ["variants", "'vnet'", "residual_unet, "]),
        ({"variants": []}, ["variants", "at least one"]),
        ({"variants": ["unet", "unet"]}, ["variants", "none twice"]),
        ({"variants": "unet"}, ["variants", "valid list"]),
        ({"release": "vnet"}, ["release", "'vnet'"]),
        ({"seed": "42"}, ["seed", "valid integer", "'42'"]),
        ({"seeds": 42}, ["the top level", "'seeds'"]),
        ({"cpu__train__epochs": 0}, ["cpu.train.epochs", "greater than or equal to 1", "got 0"]),
        ({"cpu__train__epoch": 5}, ["cpu.train.epoch", "batch_size, dice_smoothing"]),
        ({"cpu__train__learning_rate": "fast"}, ["cpu.train.learning_rate", "valid number", "'fast'"]),
        ({"gpu__train__batch_size": 1.5}, ["gpu.train.batch_size", "valid integer"]),
        ({"models__unet__dropout": 1.5}, ["models.unet.dropout", "less than 1", "got 1.5"]),
        ({"models__unet__color": "grey"}, ["models.unet.color", "'rgb' or 'gray'", "'grey'"]),
        ({"models__unet__width": 8}, ["width is in models.unet and in"]),
        ({"models__vnet": {}}, ["models", "'vnet'"]),
        ({"losses__bce_dice__smooth": -1.0}, ["losses.bce_dice.smooth", "greater than 0"]),
        ({"postprocess__threshold": 2.0}, ["postprocess.threshold", "less than 1"]),
        ({"postprocess__smooth_px": 4}, ["postprocess.smooth_px", "odd number"]),
        ({"compute__device": "tpu"}, ["compute.device", "'auto', 'cpu' or 'cuda'"]),
        ({"augment__flip_p": 2.0}, ["augment.flip_p", "less than or equal to 1"]),
        ({"traits__glare_share": -0.1}, ["traits.glare_share"]),
        ({"split__holdout": 1.0}, ["split.holdout", "less than 1"]),
    ],
    ids=str,
)
def test_make_check_names_the_key_and_the_valid_values(workspace, change, says):
    set_params(workspace, {key.replace("__", "."): value for key, value in change.items()})
    fails(check.main, says=["params.yaml: ", *says])


def test_a_missing_key_and_broken_yaml_are_named(workspace):
    path = workspace / "params.yaml"
    good = path.read_text()
    path.write_text(good.replace("seed: 42", "sead: 42", 1))
    fails(check.main, says=["'sead'", "seed"])
    path.write_text(good.replace("seed: 42", "", 1))
    fails(check.main, says=["the key seed is missing"])
    path.write_text(good.replace("seed: 42", "seed: [42", 1))
    fails(check.main, says=["not valid YAML", "line"])


def test_under_dvc_a_mistake_is_one_line_and_costs_nothing_already_made(new_project):
    project = new_project()
    project.set(split__holdout=1.0)
    project.run("dvc", "repro", "prepare")
    result = project.run("dvc", "repro", "split", check=False)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert "error: params.yaml: split.holdout: input should be less than 1, got 1.0" in result.stderr
    assert (project.root / "data/prepared/labelled/photos.npy").exists()
    assert project.run("dvc", "status", "prepare").stdout.startswith("Data and pipelines are up to date")


def test_a_variant_whose_file_is_missing(new_project):
    project = new_project()
    (project.root / "src/models/unet.py").unlink()
    result = project.tool("check", check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: params.yaml: variants: there is no 'unet'; choose from attention_unet")
    result = project.run("dvc", "repro", check=False)
    assert result.returncode != 0
    assert "src/models/unet.py" in result.stderr


@pytest.mark.parametrize(
    ("main", "missing"),
    [
        (split.main, "data/prepared/labelled/photos.csv"),
        (lambda: train.main("unet"), "data/prepared/labelled/photos.npy"),
        (lambda: predict.main("unet"), "models/unet.safetensors"),
        (lambda: evaluate.main("unet"), "data/prepared/labelled/photos.csv"),
    ],
)
def test_a_stage_before_those_it_needs(workspace, main, missing):
    fails(main, [f"{missing} is missing; dvc repro makes it"])


def test_a_missing_file_of_our_own_is_a_traceback(workspace):
    with pytest.raises(FileNotFoundError):
        stage.run(lambda: Path("stages/report/report.htm").read_text())
