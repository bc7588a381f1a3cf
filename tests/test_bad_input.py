"""Every mistake ends in one line that names the file or key, with exit status 1, and costs nothing already made."""

import os
import shutil
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.compute import ComputeParams
from src.errors import run_guarded
from src.formats.prepared import LABELLED, read_rows
from src.formats.split import read_split
from src.params import read_params
from stages.download import __main__ as download
from stages.evaluate import __main__ as evaluate
from stages.predict import __main__ as predict
from stages.prepare import __main__ as prepare
from stages.split import __main__ as split
from stages.train import __main__ as train
from stages.train.launch import launch
from tests.conftest import ROOT, TINY, set_params, write_raw
from tools import check


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A folder with nothing but params.yaml and what it names, to run stages in."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.copytree(ROOT / "models/starters", folder / "models/starters")
    set_params(folder, TINY)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["stage"])
    return folder


@pytest.fixture
def photos(tmp_path) -> Path:
    return write_raw(tmp_path / "photos")


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file under `root` with its contents."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def fails(main, says) -> None:
    """Runs a stage's main as its script does, in this process; it must end with one line that has all of `says`."""
    with pytest.raises(SystemExit) as exit_status:
        run_guarded(main)
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


class TestPhotosThatAreNotOurs:
    """DVC removes an out before its stage runs; that of download is one that people fill by hand."""

    SAYS = ("data/raw would be replaced, but holds files", "test/images/20.png", "mv data/raw my-photos")

    @pytest.mark.parametrize("source", ["synthetic", "local"])
    def test_put_into_data_raw_by_hand_they_stay(self, workspace, tmp_path, source):
        write_raw(workspace / "data/raw")
        local(workspace, write_raw(tmp_path / "others"))
        set_params(workspace, {"source": source})
        before = snapshot(workspace / "data/raw")
        fails(download.main, says=self.SAYS)
        assert snapshot(workspace / "data/raw") == before

    @pytest.mark.parametrize("path", ["data/raw", "data", ".", "data/raw/train", "models/mine"])
    def test_a_path_inside_or_around_what_stages_write_is_refused(self, workspace, path):
        (workspace / path).mkdir(parents=True, exist_ok=True)
        local(workspace, path)
        fails(download.main, says=["params.yaml: local.path", path, "move your photos out"])

    def test_added_to_ours_or_edited_there_they_stay_and_ours_alone_are_replaced(self, workspace, photos, tmp_path):
        local(workspace, photos)
        download.main()
        download.main()  # a second time: everything there is ours
        raw = workspace / "data/raw"
        shutil.copy(raw / "train/images/5.png", raw / "train/images/mine.png")
        cv2.imwrite(str(raw / "train/masks/5.png"), np.zeros((48, 48), np.uint8))
        before = snapshot(raw)
        fails(download.main, says=["train/images/mine.png", "train/masks/5.png"])
        assert snapshot(raw) == before
        shutil.move(raw, tmp_path / "kept")
        download.main()
        assert not (raw / "train/images/mine.png").exists()

    def test_nor_does_dvc_remove_them(self, new_project):
        project = new_project()
        write_raw(project.root / "data/raw")
        before = snapshot(project.root / "data/raw")
        result = project.run("dvc", "repro", "download", check=False)
        assert result.returncode != 0
        assert "data/raw would be replaced" in result.stderr
        assert snapshot(project.root / "data/raw") == before


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def folder(path):
    path.mkdir()


def dangling(path):
    path.symlink_to("nowhere.png")


def leads_out(path):
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("place", ["train/images/5.png", "train/masks/5.png", "test/images/21.png"])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (pipe, "is a pipe or a device"),
        (endless, "is a pipe or a device"),
        (folder, "is a folder, not a file"),
        (dangling, "is a link to nothing"),
        (leads_out, "is a link that leads out of"),
    ],
)
def test_a_photo_that_is_no_file_of_that_folder(workspace, photos, place, make, says):
    (photos / place).unlink()
    make(photos / place)
    local(workspace, photos)
    fails(download.main, says=[place, says])
    assert not (workspace / "data/raw").exists()


@pytest.mark.parametrize("make", [pipe, endless, leads_out])
def test_a_sample_submission_that_is_no_file_of_that_folder(workspace, photos, make):
    make(photos / "sample_submission.csv")
    local(workspace, photos)
    fails(download.main, says=["sample_submission.csv"])
    assert not (workspace / "data/raw").exists()


@pytest.mark.parametrize("make", [pipe, endless])
def test_a_path_that_is_neither_folder_nor_zip(workspace, tmp_path, make):
    make(tmp_path / "photos.zip")
    local(workspace, tmp_path / "photos.zip")
    fails(download.main, says=["photos.zip is a pipe or a device"])


def test_a_folder_of_photos_that_is_itself_a_link_is_taken(workspace, photos, tmp_path):
    (tmp_path / "link").symlink_to(photos)
    (photos / "train/images/linked.png").symlink_to("5.png")
    shutil.copy(photos / "train/masks/5.png", photos / "train/masks/linked.png")
    local(workspace, tmp_path / "link")
    download.main()
    assert not (workspace / "data/raw/train/images/linked.png").is_symlink()


@pytest.mark.parametrize("name", [b"a\rb.png", b"a\x1b[31m.png", b"caf\xe9.png"])
def test_a_name_that_cannot_be_printed(workspace, photos, name):
    shutil.copy(photos / "test/images/21.png", os.fsencode(photos / "test/images") + b"/" + name)
    local(workspace, photos)
    fails(download.main, says=["the name holds a control character or is not UTF-8"])


def test_names_that_look_like_missing_values_or_numbers_stay_what_they_are(workspace, photos):
    names = ["NA", "nan", "null", "None", "", "007", "1e3", "-inf", "True"]
    for i, name in enumerate(names[:4] + names[5:]):
        for kind in ("images", "masks"):
            (photos / f"train/{kind}/{i}.png").rename(photos / f"train/{kind}/{name}.png")
    (photos / "test/images/20.png").rename(photos / "test/images/NA2.png")
    local(workspace, photos)
    download.main()
    prepare.main()
    split.main()
    ids = list(read_rows(LABELLED)["id"])
    assert set(names) - {""} <= set(ids)
    assert list(read_split(ids)["id"]) == ids
    assert set(read_split()["group"]) <= set(ids)


def too_many_pixels(path):
    """A PNG file of 100 bytes that decodes to 3 GB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 32_000, 32_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def test_a_small_file_with_very_many_pixels(workspace, photos):
    too_many_pixels(photos / "train/images/5.png")
    local(workspace, photos)
    download.main()
    fails(prepare.main, says=["images/5.png: 32000 x 32000 pixels", "max_megapixels: 100"])
    set_params(workspace, {"max_megapixels": 1000})
    fails(prepare.main, says=["images/5.png: 32000 x 32000 pixels", "max_megapixels: 1000"])


def test_the_limit_on_pixels_can_be_raised_and_lowered(workspace, photos):
    cv2.imwrite(str(photos / "train/images/5.png"), np.zeros((1200, 1000, 3), np.uint8))
    cv2.imwrite(str(photos / "train/masks/5.png"), np.ones((1200, 1000), np.uint8))
    local(workspace, photos)
    set_params(workspace, {"max_megapixels": 1})
    download.main()
    fails(prepare.main, says=["images/5.png: 1000 x 1200 pixels", "max_megapixels: 1"])
    set_params(workspace, {"max_megapixels": 2})
    prepare.main()


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


def member(**changes):
    """Adds a member whose entry in the table of contents is changed; zipfile itself would not write some of these."""

    def edit(archive):
        entry = zipfile.ZipInfo("train/images/extra.png")
        archive.writestr(entry, b"x")
        for key, value in changes.items():
            setattr(entry, key, value)

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (member(filename="/"), "has no name"),
        (member(filename="a" * 300 + ".png"), "has too long a name"),
        (member(filename="a\x1b[31m.png"), "has a name that cannot be printed"),
        (member(extract_version=99), "not a complete zip file"),
        (member(header_offset=2**31), "not a complete zip file"),
        (member(CRC=1), "not a complete zip file"),
        (member(compress_type=99), "compressed in a way that is not read here"),
    ],
)
def test_a_zip_with_a_strange_member(workspace, tmp_path, edit, says):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        edit(archive)
    local(workspace, tmp_path / "photos.zip")
    fails(download.main, says=["photos.zip", says])


def test_a_zip_whose_names_are_not_the_utf8_that_it_claims(workspace, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("é.png", b"x")
    data = (tmp_path / "photos.zip").read_bytes()
    (tmp_path / "photos.zip").write_bytes(data.replace("é".encode(), b"\xff\xff"))
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
        # What used to pass, and to fail or never end in its stage.
        ({"seed": -1}, ["seed", "greater than or equal to 0"]),
        ({"image_size": 10**9}, ["image_size", "less than or equal to 4096"]),
        ({"max_megapixels": 10**6}, ["max_megapixels", "less than or equal to 1000"]),
        ({"augment__scale_min": 2.0}, ["augment", "scale_min is 2.0, above scale_max"]),
        ({"augment__gamma_min": 2.0}, ["augment", "gamma_min is 2.0, above gamma_max"]),
        ({"cpu__train__learning_rate": float("inf")}, ["cpu.train.learning_rate", "finite number"]),
        ({"losses__bce_dice__smooth": float("nan")}, ["losses.bce_dice.smooth", "finite number"]),
        ({"losses__combined__bce_weight": 0.0, "losses__combined__dice_weight": 0.0}, ["losses.combined", "learned"]),
        (
            {"losses__focal_tversky__alpha": 0.0, "losses__focal_tversky__beta": 0.0},
            ["losses.focal_tversky", "learned"],
        ),
        ({"ensembles": {"a" * 300: ["unet"] * 3}}, ["ensembles", "must be 1 to 64 letters, digits and _"]),
        ({"ensembles": {"../a": ["unet"] * 3}}, ["ensembles", "must be 1 to 64 letters, digits and _"]),
        ({"split__folds": 10**9}, ["split.folds", "less than or equal to 100"]),
        ({"synthetic__labelled": 10**12}, ["synthetic.labelled", "less than or equal to"]),
        ({"synthetic__size": 10**6}, ["synthetic.size", "less than or equal to 4096"]),
        ({"cpu__train__epochs": 10**12}, ["cpu.train.epochs", "less than or equal to"]),
        ({"compute__devices": 10**6}, ["compute.devices", "less than or equal to 64"]),
        ({"predict__batch_size": 10**9}, ["predict.batch_size", "less than or equal to"]),
        ({"gpu__models__unet__width": 10**9}, ["models.unet.width", "less than or equal to"]),
        ({"release": "../unet"}, ["release", "must be 1 to 64 letters, digits and _"]),
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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"seed: \xff\xfe", "not valid YAML"),
        (b"seed: " + b"[" * 3000 + b"]" * 3000, "nested too deeply"),
        (b"seed: 2026-13-45", "not valid YAML"),
        (b"seed: " + b"9" * 5000, "not valid YAML"),
        (b"seed: !!int abc", "not valid YAML"),
        (b"seed: !!timestamp abc", "not valid YAML"),
        (b"seed: !!python/object/apply:os.system [ls]", "not valid YAML"),
        (b"seed: 1\nseed: 2", 'line 2: found duplicate key "seed"'),
        (b"split:\n  folds: 5\n  folds: 6", 'line 3: found duplicate key "folds"'),
        (b"", "params.yaml is empty"),
        (b"- seed", "the key seed is missing"),
    ],
)
def test_params_that_are_not_what_yaml_or_python_can_read(workspace, text, says):
    (workspace / "params.yaml").write_bytes(text)
    fails(lambda: read_params("seed", int), says=["params.yaml", says])


def test_params_that_are_no_file(workspace):
    (workspace / "params.yaml").unlink()
    fails(check.main, says=["params.yaml is missing here"])
    (workspace / "params.yaml").mkdir()
    fails(check.main, says=["params.yaml is missing here"])


def test_a_value_that_stands_for_a_billion_is_not_written_out(workspace):
    levels = [f"- &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 12)]
    (workspace / "params.yaml").write_text("variants:\n- &l0 [lol]\n" + "\n".join(levels))
    fails(lambda: read_params("variants", list[str]), says=["variants"])


def test_several_machines_that_nothing_tells_of_each_other(workspace, monkeypatch):
    for name in ("MASTER_ADDR", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    params = read_params("compute", ComputeParams).model_copy(update={"device": "cpu", "num_nodes": 50})
    fails(lambda: launch(params), says=["compute.num_nodes is 50", "MASTER_ADDR and NODE_RANK are not set"])


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


def test_a_variant_whose_file_is_missing(finished_project):
    project = finished_project
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
        run_guarded(lambda: Path("stages/report/report.htm").read_text())


@pytest.mark.parametrize(
    ("main", "words", "says"),
    [
        (train.main, [], ["train: ", "'variant'", "VARIANT"]),
        (train.main, ["unet", "cpu"], ["train: ", "too many", "VARIANT"]),
        (split.main, ["unet"], ["split: ", "it takes no argument"]),
    ],
)
def test_a_word_too_few_or_too_many_is_said(monkeypatch, main, words, says):
    monkeypatch.setattr(sys, "argv", [main.__globals__["__file__"], *words])
    fails(main, says)
