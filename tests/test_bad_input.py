"""Every mistake ends in one line that names the file or key, with exit status 1, and costs nothing already made."""

import os
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.errors import explain, run_main
from src.formats.prepared import LABELLED, read_rows
from src.formats.raw import RAW
from src.formats.split import read_split
from src.params import read_params
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
    """A folder with nothing but params.yaml and what it names, to run stages in."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    for file in ("data/none", "models/starters/none"):
        (folder / file).parent.mkdir(parents=True)
        shutil.copy(ROOT / file, folder / file)
    set_params(folder, TINY)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def photos(tmp_path) -> Path:
    return write_raw(tmp_path / "photos")


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file under `root` with its contents."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def fails(main, says) -> None:
    """Calls a stage's main; what it raises must be explained by one line that has all of `says`."""
    with pytest.raises(Exception, match=r".") as raised:
        main()
    message = explain(raised.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    for part in says:
        assert part in message, message


def local(workspace, path):
    set_params(workspace, {"source": "local", "local.path": str(path)})


def text(path):
    path.write_text("hello")


def emptied(path):
    shutil.rmtree(path)
    path.mkdir()


def pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def link_to(target):
    def make(path):
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return make


def folder(path):
    path.unlink()
    path.mkdir()


DEVICE, DANGLING, LEADS_OUT = link_to("/dev/zero"), link_to("nowhere.png"), link_to("/etc/passwd")
OTHER_IDS = "id,encoded_pixels\nother.png,\n"


@pytest.mark.parametrize(
    ("place", "damage", "says"),
    [
        ("train/masks/3.png", Path.unlink, ["a mask is missing for", "train/images/3.png: add it to"]),
        ("train/images/3.png", Path.unlink, ["a photo is missing for", "masks/3.png: add it to", "/images under"]),
        ("test/images", emptied, ["holds no photo"]),
        ("", emptied, ["expected the folders train/images, train/masks, test/images, found nothing"]),
        ("train", lambda path: path.rename(path.with_name("training")), ["expected the folders", "found test"]),
        ("train/images/notes.txt", text, ["not a PNG, JPEG or WebP"]),
        ("train/images/3.jpg", text, ["3.png", "same name"]),
        ("sample_submission.csv", lambda path: path.write_text(OTHER_IDS), ["other.png"]),
        ("sample_submission.csv", pipe, ["is a pipe or a device"]),
        ("train/images/5.png", pipe, ["is a pipe or a device"]),
        ("train/masks/5.png", DEVICE, ["is a pipe or a device"]),
        ("test/images/21.png", folder, ["is a folder, not a file"]),
        ("train/images/5.png", DANGLING, ["is a link to nothing"]),
        ("test/images/21.png", LEADS_OUT, ["is a link that leads out of"]),
        ("test/images/a\rb.png", text, ["a\\rb.png", "the name holds a control character or is not UTF-8"]),
        ("test/images/a\x1b[31m.png", text, ["a\\x1b[31m.png", "the name holds a control character"]),
        (os.fsdecode(b"test/images/caf\xe9.png"), text, ["the name holds a control character or is not UTF-8"]),
    ],
)  # fmt: skip
def test_a_folder_that_does_not_fit_the_layout(workspace, photos, place, damage, says):
    damage(photos / place)
    local(workspace, photos)
    fails(download.main, says=says)
    assert not RAW.exists()
    assert not list(Path("data").glob(".download*"))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/nowhere", "local.path: there is no such folder or zip"),
        ("~nobody/photos", "local.path: there is no such folder or zip; write its path out, without ~"),
        ("data/none", "local.path: set it to your folder or zip of photos"),
    ],
)
def test_a_path_that_is_not_there(workspace, path, says):
    local(workspace, path)
    for main in (check.main, download.main):
        fails(main, says=["params.yaml", says])


def test_the_same_photos_are_the_same_bytes_from_any_folder_link_or_zip(workspace, photos, tmp_path):
    (photos / "train/images/linked.png").symlink_to("5.png")
    shutil.copy(photos / "train/masks/5.png", photos / "train/masks/linked.png")
    (tmp_path / "link").symlink_to(photos)
    shutil.copytree(photos, tmp_path / "wrapped/copy")
    text(tmp_path / "wrapped/notes.txt")
    written = set()
    for origin in (photos, tmp_path / "link", tmp_path / "wrapped", shutil.make_archive("../a", "zip", photos)):
        local(workspace, origin)
        download.main()
        written.add(RAW.read_bytes())
    assert len(written) == 1
    with zipfile.ZipFile(RAW) as archive:
        assert archive.read("train/images/linked.png") == (photos / "train/images/5.png").read_bytes()


def test_no_command_of_dvc_removes_photos_that_somebody_put_into_data(new_project):
    project = new_project()
    project.repro("download")
    project.commit("photos")
    mine = write_raw(project.root / "data/raw")
    before = snapshot(mine)
    project.run("dvc", "exp", "run", "-S", "source=local", "-S", "local.path=data/raw", "split")
    assert snapshot(mine) == before
    shutil.copy(mine / "train/masks/3.png", mine / "train/masks/4.png")
    before = snapshot(mine)
    assert project.run("dvc", "exp", "run", "split").stdout.count("Running stage") == 3, "an edit is seen"
    project.run("dvc", "checkout", "--force", "--allow-missing")
    assert snapshot(mine) == before
    assert project.repro("split") == []
    shutil.copytree(mine, project.root / "mine")  # git would keep them with an experiment, and apply brings those back
    for path in ("mine", f"{project.root}/mine"):
        project.set(local__path=path)
        result = project.run("dvc", "exp", "run", "split", check=False)
        assert result.returncode != 0 and "mine is in the project, where dvc exp apply would bring" in result.stderr
    for path in ("data", ".", "data/prepared", "report"):  # what a stage writes is not where photos come from
        project.set(local__path=path)
        assert project.run("dvc", "repro", "download", check=False).returncode != 0
        assert snapshot(mine) == before


def test_a_damaged_archive_of_photos_is_named(workspace, photos):
    local(workspace, photos)
    download.main()
    whole = RAW.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole.replace(b"IDAT", b"IDAX", 1), b""):
        RAW.write_bytes(damaged)
        fails(prepare.main, says=["data/downloaded.zip is damaged", "run dvc repro -f -s download"])
    RAW.unlink()
    fails(prepare.main, says=["data/downloaded.zip is missing; dvc repro makes it"])


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
    assert set(ids) == set(names) - {""} | {str(i) for i in range(8, 20)}
    assert list(read_split(ids)["id"]) == ids
    assert set(read_split()["group"]) <= set(ids)


def too_many_pixels(path):
    """Makes it a PNG file of a few bytes that would decode to 3 GB."""
    data = bytearray(cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes())
    data[16:24] = struct.pack(">II", 32_000, 32_000)  # width and height; what follows is the header's checksum
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero_bytes(path):
    path.write_bytes(b"")


def large(path):
    cv2.imwrite(str(path), np.zeros((1200, 1000, 3), np.uint8))


@pytest.mark.parametrize("file", ["train/images/5.png", "train/masks/5.png", "test/images/21.png"])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (truncated, "not a readable image"),
        (text, "not a readable image"),
        (zero_bytes, "the file is empty; replace it"),
        (too_many_pixels, "32000 x 32000 pixels, 0.0 MB, are more than max_megapixels: 1 "),
        (large, "1000 x 1200 pixels"),
    ],
)
def test_an_image_that_cannot_be_read_or_is_too_large(workspace, photos, damage, says, file):
    damage(photos / file)
    local(workspace, photos)
    set_params(workspace, {"max_megapixels": 1})
    download.main()
    fails(prepare.main, says=[f"data/downloaded.zip/{file}: {says}"])


def test_all_bad_files_are_named_at_once(workspace, photos):
    zero_bytes(photos / "train/images/4.png")
    cv2.imwrite(str(photos / "train/masks/5.png"), np.ones((40, 48), np.uint8))
    local(workspace, photos)
    download.main()
    fails(prepare.main, says=["images/4.png", "train/masks/5.png: 48 x 40, but its photo is 48 x 48"])


def member(name="train/images/extra.png", **changes):
    """A zip with a member whose entry in the table of contents is changed; zipfile would not write some of these."""

    def make(path):
        with zipfile.ZipFile(path, "w") as archive:
            entry = zipfile.ZipInfo()
            entry.filename = name
            archive.writestr(entry, b"x")
            for key, value in changes.items():
                setattr(entry, key, value)

    return make


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (text, "not a complete zip file"),
        (member(name="a" * 300 + ".png"), "not a complete zip file (File name too long)"),
        (member(CRC=1), "not a complete zip file"),
        (member(compress_type=99), "not a complete zip file"),
        (member(flag_bits=1), "not a complete zip file"),
        (member(file_size=10**15), "unpacked it takes 1000000.00 GB"),
        (member(name="../evil.png"), "photos.zip: expected the folders"),
        (member(name="/tmp/evil.png"), "photos.zip: expected the folders"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "photos.zip: expected the folders"),
        (member(), "photos.zip: expected the folders train/images, train/masks, test/images, found train"),
    ],
)
def test_a_zip_that_cannot_be_taken(workspace, tmp_path, make, says):
    make(tmp_path / "photos.zip")
    local(workspace, tmp_path / "photos.zip")
    fails(download.main, says=[f"{tmp_path}/photos.zip: ", says])
    assert not list(tmp_path.rglob("evil.png")) and not Path("/tmp/evil.png").exists()
    assert [path.name for path in Path("data").iterdir()] == ["none"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": "cagle"}, ["source", "'cagle'", "kaggle, local, synthetic"]),
        ({"budget": "tpu"}, ["budget", "'tpu'", "cpu, gpu"]),
        ({"loss": "dice"}, ["loss", "'dice'", "bce, bce_dice"]),
        ({"variants": ["unet", "vnet"]}, ["variants", "'vnet'", "residual_unet, "]),
        ({"variants": []}, ["variants", "at least one"]),
        ({"variants": ["unet", "unet"]}, ["variants", "none twice"]),
        ({"variants": "unet"}, ["variants", "valid list"]),
        ({"release": "vnet"}, ["release", "'vnet'"]),
        ({"seed": "42"}, ["seed", "valid integer", "'42'"]),
        ({"seeds": 42}, ["the top level", "'seeds'"]),
        ({"cpu__train__epochs": 0}, ["cpu.train.epochs", "greater than or equal to 1", "got 0"]),
        ({"cpu__train__epoch": 5}, ["cpu.train.epoch", "batch_size, dice_smoothing"]),
        ({"models__unet__color": "grey"}, ["models.unet.color", "'rgb' or 'gray'", "'grey'"]),
        ({"models__unet__width": 8}, ["width is in models.unet and in"]),
        ({"models__vnet": {}}, ["models", "'vnet'"]),
        ({"postprocess__smooth_px": 4}, ["postprocess.smooth_px", "odd number"]),
        *(
            ({"postprocess__threshold": value}, ["must be auto, or a number greater than 0 and less than 1"])
            for value in ("best", 0.0, 1.0, 1, True, None)
        ),
        *(
            ({"submission__columns": columns}, ["submission.columns"])
            for columns in (["id"], ["id", "id"], ["id", "a,b"], ["id", "rle", "more"], "id")
        ),
        ({"losses__bce_dice": {}}, ["losses.bce_dice.smooth: field required"]),
        ({"losses__bce_dice__smooth": -1.0}, ["losses.bce_dice.smooth: input should be greater than 0, got -1"]),
        ({"losses__bce__alpha": 1.0}, ["losses.bce.alpha: extra inputs"]),
        ({"ensembles__team": ["unet", "unet"]}, ["ensembles.team: "]),
        ({"ensembles__team": ["unet", "unet", "vnet"]}, ["ensembles.team: there is no 'vnet'; choose from "]),
        ({"ensembles__u2net": ["unet"] * 3}, ["ensembles: u2net is a variant's name; take another one"]),
        (
            {"ensembles__a b": ["unet"] * 3},
            ["ensembles.a b.[key]: string should match pattern '^[A-Za-z0-9_]{1,64}$', got 'a b'"],
        ),
        ({"augment__scale_min": 2.0}, ["augment", "scale_min is 2.0, above scale_max"]),
        ({"cpu__train__learning_rate": float("inf")}, ["cpu.train.learning_rate", "finite number"]),
        ({"release": "../unet"}, ["release", "should match pattern"]),
        ({"local__path": "/nowhere"}, ["local.path: there is no such folder or zip"]),
    ],
    ids=str,
)
def test_make_check_names_the_key_and_the_valid_values(workspace, change, says):
    set_params(workspace, {key.replace("__", "."): value for key, value in change.items()})
    fails(check.main, says=["params.yaml: ", *says])


def test_photos_may_be_on_another_machine_if_the_lock_has_what_was_made_of_them(workspace, capsys):
    local(workspace, "/data/of a friend")
    (workspace / "dvc.lock").write_text("stages: {download: {deps: [{path: x,\n path: /data/of a friend\n}]}}")
    check.main()
    assert "/data/of a friend is not on this machine; dvc repro --pull --allow-missing takes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"seed: \xff\xfe", "not valid YAML"),
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
    (workspace / "params.yaml").unlink()
    fails(check.main, says=["params.yaml is missing here"])


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


def test_a_missing_file_of_our_own_is_a_traceback():
    assert explain(FileNotFoundError(2, "No such file", "stages/report/report.htm")) == ""


@pytest.mark.parametrize(
    ("main", "words", "says"),
    [(train.main, [], ["'variant'; it takes VARIANT"]), (split.main, ["unet"], ["it takes no argument"])],
)
def test_a_word_too_few_or_too_many_is_said(monkeypatch, main, words, says):
    monkeypatch.setattr(sys, "argv", ["stage", *words])
    fails(lambda: run_main(main), says)


def test_letters_that_the_place_to_print_to_has_not_are_spelled_out():
    program = "from src.errors import run_main\nrun_main(lambda: print('日本.png'))"
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, cwd=ROOT, env=environment) == b"\\u65e5\\u672c.png\n"
