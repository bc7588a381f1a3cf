"""Kaggle for real: its own client, in the stages' own processes, against a server on this machine."""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from src.errors import UserError
from src.formats import rle
from src.formats.raw import RAW
from src.sources import kaggle
from src.sources.archive import NoRoomError, unpack
from tests.conftest import ROOT, Project
from tests.kaggle_server import BASIC, CUT, KEY, REFRESH, SECRETS, STALL, TOKEN, USER, KaggleServer, at_start
from tools.upload.hand_in import check_submission
from tools.upload.lock import loss_behind
from tools.upload.record import COLUMNS

SLUG, DATASET = "people-2025", "somebody/people"
# Runs at the start of the stages' processes: another address and shorter waits, nothing else.
START = (
    at_start("stages.download", "tools.upload", timeout=(2.0, 0.5))
    + """\
if "tools.upload" in sys.orig_argv:
    from tools.upload import hand_in as upload
    upload.PATIENCE, upload.INTERVAL = 0.3, 0.05
exec(os.environ.get("TEST_PATCH", ""))
"""
)
PHOTOS = {
    "train/images/1.png": b"photo 1",
    "train/masks/1.png": b"mask 1",
    "train/images/2.png": b"photo 2" * 20_000,
    "train/masks/2.png": b"mask 2",
    "test/images/9.png": b"photo 9",
    "test/images/10.png": b"photo 10",
}
SAMPLE = {"sample_submission.csv": b"id,encoded_pixels\n9.png,\n10.png,\n"}


def make_zip(members: dict[str, bytes], edit: Callable[[zipfile.ZipFile], None] = lambda _: None) -> bytes:
    """A zip of `members`, stored; `edit` may add what an honest program would not."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
        edit(archive)
    return out.getvalue()


def add(name: str) -> Callable[[zipfile.ZipFile], None]:
    def edit(archive: zipfile.ZipFile) -> None:
        member = zipfile.ZipInfo()
        member.filename = name
        archive.writestr(member, b"/etc")

    return edit


def declare(size: int) -> Callable[[zipfile.ZipFile], None]:
    def edit(archive: zipfile.ZipFile) -> None:
        archive.filelist[0].file_size = size

    return edit


HONEST = make_zip(PHOTOS | SAMPLE)
LARGE = PHOTOS | {"train/images/2.png": b"photo 2" * 500_000}  # the client writes a mebibyte at a time
DAMAGED = HONEST.replace(b"photo 9", b"photo X")
NESTED = {f"people/people/{kind}/{i}.png": f"{kind} {i}".encode() for i in range(10) for kind in ("images", "masks")}
DATASET_ZIP = make_zip(NESTED | {"people/people/collage/0.png": b"", "people/df.csv": b"images,masks,collage\n"})


@dataclass
class Bench:
    """A small copy of the project, the server it talks to, and a home of its own."""

    project: Project
    server: KaggleServer

    @property
    def root(self) -> Path:
        return self.project.root

    def call(self, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a stage, or a tool."""
        run = self.project.tool if name == "upload" else self.project.stage
        return run(name, *arguments, check=check)

    def fails(self, *command: str, says: tuple[str, ...]) -> None:
        """The stage ends in one line that holds each of `says`, and what was there before is as it was."""
        before = snapshot(self.root.parent)
        result = self.call(*command, check=False)
        lines = [line for line in result.stderr.replace("\r", "\n").splitlines() if line.startswith("error: ")]
        assert result.returncode == 1, result.stderr
        assert len(lines) == 1, result.stderr
        assert "Traceback" not in result.stderr
        for text in says:
            assert text in lines[0], lines[0]
        assert_no_secret(result)
        assert before.items() <= snapshot(self.root.parent).items()
        assert not list((self.root / "data").glob(".download-*"))

    def works(self, *command: str) -> str:
        """The stage or tool succeeds; returns what it printed."""
        result = self.call(*command)
        assert_no_secret(result)
        return result.stdout + result.stderr

    def set(self, **changes: object) -> None:
        """Params: `kind`, `competition` and so on of kaggle, others at the top level."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            (params["kaggle"] if key in kaggle.Params.model_fields else params)[key] = value
        path.write_text(yaml.safe_dump(params))


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file under `folder`, but for bytecode and what is on its way from or to Kaggle."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    away = ("__pycache__", ".cache", ".git", "submissions")
    return {str(path): path.read_bytes() for path in files if not set(away) & set(path.parts)}


def assert_no_secret(result: subprocess.CompletedProcess[str]) -> None:
    for secret in SECRETS:
        assert secret not in result.stdout + result.stderr


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    with KaggleServer() as server:
        server.archives |= {SLUG: HONEST, DATASET: DATASET_ZIP}
        yield server


@pytest.fixture
def bench(tmp_path: Path, server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> Bench:
    root, home, start = (tmp_path / name for name in ("project", "home", "start"))
    for folder in ("src", "stages", "tools"):
        shutil.copytree(ROOT / folder, root / folder)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    data = {"kind": "competition", "competition": SLUG, "dataset": DATASET, "test_share": 0.2, "seed": 7}
    changes = {"source": "kaggle", "variants": ["unet"], "release": "unet", "loss": "bce_dice"}
    (root / "params.yaml").write_text(yaml.safe_dump(params | changes | {"kaggle": data}))
    for file in (str(RAW), "data/prepared/kept.npy", "metrics/kept.json"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("from before")
    (home / ".kaggle").mkdir(parents=True)
    start.mkdir()
    (start / "sitecustomize.py").write_text(START)
    for name in [name for name in os.environ if name.startswith("KAGGLE_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / ".kaggle"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("TEST_KAGGLE_URL", server.url)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(start), os.environ.get("PYTHONPATH", "")]))
    sign_in(home)
    return Bench(Project(root), server)


def sign_in(home: Path, key: str = KEY) -> None:
    path = home / ".kaggle" / "kaggle.json"
    path.write_text(json.dumps({"username": USER, "key": key}))
    path.chmod(0o600)


def raw_files(bench: Bench) -> dict[str, bytes]:
    with zipfile.ZipFile(bench.root / RAW) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --- download: what it does


def test_the_competition_is_downloaded_and_put_in_place(bench):
    output = bench.works("download")
    assert raw_files(bench) == PHOTOS
    assert "2 labelled photos, 2 test photos" in output
    assert "%|" not in output
    assert not list((bench.root / ".cache/kaggle").rglob("*.*")), "nothing stays behind"
    assert bench.server.seen("/DownloadDataFiles")[0].headers["Authorization"] == f"Basic {BASIC}"
    assert all("Authorization" not in request.headers for request in bench.server.seen("/store/"))


def test_in_a_terminal_the_download_has_the_clients_own_bar(bench):
    shown = bench.project.in_terminal("python", "-m", "stages.download")
    assert f"{len(HONEST) / 1024:.0f}k/" in shown


def test_the_dataset_gets_a_seeded_test_part_whose_masks_are_kept(bench):
    bench.set(kind="dataset")
    parts = {}
    for seed in (7, 7, 8):
        bench.set(seed=seed)
        assert "8 labelled photos, 2 test photos" in bench.works("download")
        files = raw_files(bench)
        tests = {name.rsplit("/")[-1] for name in files if name.startswith("test/images/")}
        assert parts.setdefault(seed, tests) == tests
        assert len(files) == 20, "no collage"
        for name, content in files.items():
            part, kind, file = name.split("/")
            assert content == f"{kind} {file.split('.')[0]}".encode()
            assert (part == "test") == (file in tests)
    assert parts[7] != parts[8]


def log_in(home: Path) -> None:
    """What `kaggle auth login` leaves behind."""
    login = {"refresh_token": REFRESH, "access_token": TOKEN, "access_token_expiration": "2099-01-01T00:00:00+00:00"}
    (home / ".kaggle/credentials.json").write_text(json.dumps(login | {"username": USER}))


@pytest.mark.parametrize("secret", [TOKEN, REFRESH])
def test_a_login_stays_secret_when_kaggle_repeats_it(bench, secret):
    home = Path(os.environ["HOME"])
    (home / ".kaggle/kaggle.json").unlink()
    log_in(home)
    bench.server.fail("/DownloadDataFiles", 403, message=f"no rights for {secret} today")
    bench.fails("download", says=("(403)", "no rights for *** today"))


@pytest.mark.parametrize("how", ["token", "token file", "environment", "login"])
def test_every_kind_of_credentials_is_accepted(bench, monkeypatch, how):
    home = Path(os.environ["HOME"])
    (home / ".kaggle/kaggle.json").unlink()
    if how == "token":
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    elif how == "token file":
        (home / ".kaggle/access_token").write_text(TOKEN)
    elif how == "login":
        log_in(home)
    else:
        monkeypatch.setenv("KAGGLE_USERNAME", USER)
        monkeypatch.setenv("KAGGLE_KEY", KEY)
    bench.works("download")


def test_a_download_that_broke_off_goes_on_from_there(bench):
    bench.server.archives[SLUG] = make_zip(LARGE)
    bench.server.fail("/store/", CUT, late=True)
    bench.fails("download", says=("the connection to Kaggle failed", "run the same command again"))
    partial = bench.root / f".cache/kaggle/competition/{SLUG}/{SLUG}.zip"
    assert 2**20 <= partial.stat().st_size < len(make_zip(LARGE))
    bench.server.faults.clear()
    bench.server.requests.clear()
    bench.works("download")
    assert any("Range" in request.headers for request in bench.server.seen("/store/"))
    assert raw_files(bench) == LARGE


def test_a_download_that_broke_off_starts_again_when_kaggle_has_another_file(bench):
    bench.server.archives[SLUG] = make_zip(LARGE)
    bench.server.fail("/store/", CUT, late=True)
    bench.fails("download", says=("the connection to Kaggle failed",))
    bench.server.faults.clear()
    bench.server.archives[SLUG] = make_zip(LARGE | {"train/images/1.png": b"another photo"})
    bench.server.modified += 3600
    bench.works("download")
    assert raw_files(bench)["train/images/1.png"] == b"another photo"


def test_a_passing_fault_is_waited_out(bench):
    bench.server.fail("/DownloadDataFiles", 503, times=1)
    bench.server.fail("/store/", CUT, times=1, late=True)
    bench.server.fail("/store/", 403, times=1)  # an address that has expired, not Kaggle's own refusal
    assert "Kaggle has a fault (503); trying again" in bench.works("download")
    assert raw_files(bench) == PHOTOS


# --- download: what can go wrong. Each time one line, nothing lost, and the same command works afterwards.


@pytest.mark.parametrize("wrong", ["none", "key", "token"])
def test_missing_or_wrong_credentials(bench, monkeypatch, wrong):
    home = Path(os.environ["HOME"])
    (home / ".kaggle/kaggle.json").unlink()
    if wrong == "key":
        sign_in(home, "KEY-of-yesterday")
    elif wrong == "token":
        monkeypatch.setenv("KAGGLE_API_TOKEN", "TOKEN-of-yesterday")
    bench.fails("download", says=("(401)" if wrong == "key" else "no Kaggle credentials", "kaggle.com/settings/api"))
    sign_in(home)
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
    bench.works("download")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (403, (f"accept its rules at kaggle.com/competitions/{SLUG}/rules",)),
        (404, (f"no competition '{SLUG}' (404)", "params.yaml: kaggle.competition")),
        (503, ("Kaggle has a fault (503), attempt 4", "run the same command again in 10 minutes")),
        (STALL, ("did not answer within", "attempt 4")),
    ],
)
def test_a_refusal_or_a_fault(bench, how, says):
    bench.server.fail("/DownloadDataFiles", how)
    bench.fails("download", says=says)
    attempts = len(bench.server.seen("/DownloadDataFiles"))
    assert attempts == (1 if how in (403, 404) else 4)
    bench.server.faults.clear()
    bench.works("download")


def test_a_dataset_that_does_not_exist(bench):
    bench.set(kind="dataset", dataset="somebody/nothing")
    bench.fails("download", says=("no dataset 'somebody/nothing' (404)", "kaggle.dataset"))


def test_a_server_that_stops_in_the_middle_of_the_file(bench):
    bench.server.fail("/store/", STALL, late=True, times=1)
    assert "did not answer within" in bench.works("download")


def test_a_long_pause_is_left_to_the_user(bench):
    bench.server.fail("/DownloadDataFiles", 429, headers={"Retry-After": "3600"})
    bench.fails("download", says=("asks for a pause (429)", "in 60 minutes"))
    assert len(bench.server.seen("/DownloadDataFiles")) == 1


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (HONEST[: len(HONEST) // 2], ("not a complete zip", "download it afresh")),
        (DAMAGED, ("not a complete zip", "Bad CRC")),
        (make_zip(PHOTOS, add("../outside.png")), ("refused", "'../outside.png' would leave the folder")),
        (make_zip(PHOTOS, declare(10**15)), ("takes 1000000.00 GB, but", "make room")),
    ],
    ids=["truncated", "damaged", "dots", "bomb"],
)
def test_an_archive_that_cannot_be_trusted(bench, archive, says):
    bench.server.archives[SLUG] = archive
    bench.fails("download", says=says)
    bench.server.archives[SLUG] = HONEST
    if "make room" in says:  # then it is kept, unless Kaggle has a newer one
        bench.server.modified += 3600
    bench.works("download")
    assert raw_files(bench) == PHOTOS


@pytest.mark.parametrize(
    ("kind", "members", "says"),
    [
        ("competition", {"images/1.png": b"", "train.csv": b""}, ("expected the folders", "source: local")),
        ("competition", PHOTOS | {"train/images/3.png": b""}, ("a mask is missing for train/images/3.png",)),
        ("dataset", {"photos/1.png": b"", "masks/1.png": b""}, ("expected the folders images and masks, found",)),
        ("dataset", NESTED | {"people/people/images/77.png": b""}, ("77 is not both in images and in masks",)),
    ],
    ids=["folders", "mask", "dataset's folders", "dataset's mask"],
)
def test_a_changed_layout(bench, kind, members, says):
    bench.set(kind=kind)
    bench.server.archives |= {SLUG: make_zip(members), DATASET: make_zip(members)}
    bench.fails("download", says=(*says, "has changed", ".zip yourself"))
    assert list((bench.root / ".cache/kaggle").rglob("*.zip")), "the user may want to arrange it by hand"
    bench.server.archives |= {SLUG: HONEST, DATASET: DATASET_ZIP}
    bench.server.modified += 3600
    bench.works("download")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_during_the_download(bench):
    full = bench.root / f".cache/kaggle/competition/{SLUG}/{SLUG}.zip"
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")
    bench.fails("download", says=("no room left on the disk", "make room and run the same command again"))
    assert len(bench.server.seen("/DownloadDataFiles")) == 1, "trying again does not make room"
    full.unlink()
    bench.works("download")


def test_a_disk_that_fills_up_while_unpacking(bench, monkeypatch):
    def photo_of_zeros(archive: zipfile.ZipFile) -> None:
        archive.writestr("test/images/11.png", bytes(10**6), zipfile.ZIP_DEFLATED)

    bench.server.archives[SLUG] = make_zip(PHOTOS, photo_of_zeros)
    monkeypatch.setenv("TEST_PATCH", "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))")
    bench.fails("download", says=("no room left on the disk",))
    monkeypatch.delenv("TEST_PATCH")
    requests = len(bench.server.seen("/store/"))
    bench.works("download")
    assert len(bench.server.seen("/store/")) == requests + 1
    assert not bench.server.seen("/store/")[-1].headers.get("Range"), (
        "the zip is complete: it is only asked for its age"
    )


def test_too_little_disk_is_known_before_the_download(bench, monkeypatch):
    monkeypatch.setenv("TEST_PATCH", "import shutil; shutil.disk_usage = lambda _: shutil._ntuple_diskusage(9, 9, 9)")
    bench.fails("download", says=("the download takes 0.00 GB, but 0.00 GB are free in .cache/kaggle", "make room"))
    assert not list((bench.root / ".cache").rglob("*.zip"))


def test_an_answer_that_is_no_zip(bench):
    bench.server.fail("/DownloadDataFiles", 200, message="maintenance")
    bench.fails("download", says=("did not send a zip file",))


def test_credentials_stay_secret_even_when_the_user_asks_for_verbose_output(bench, monkeypatch):
    monkeypatch.setenv("VERBOSE", "true")
    bench.works("download")
    bench.server.fail("/DownloadDataFiles", 418, message=f"you sent {KEY} and {BASIC}\nand more")
    bench.fails("download", says=("refused the request (418)", "you sent *** and *** and more"))


def test_dvc_and_git_keep_no_secret_and_no_partial_download(bench, new_project):
    data = yaml.safe_load((bench.root / "params.yaml").read_text())["kaggle"]
    project = new_project("tracked")
    project.set(source="kaggle", kaggle=data)
    bench.server.fail("/DownloadDataFiles", 403)
    failed = project.run("dvc", "repro", "download", check=False)
    assert failed.returncode != 0 and "accept its rules" in failed.stderr
    bench.server.faults.clear()
    assert project.repro("download") == ["download"]
    project.run("git", "check-ignore", f".cache/kaggle/competition/{SLUG}/{SLUG}.zip")
    project.run("dvc", "check-ignore", f".cache/kaggle/competition/{SLUG}/{SLUG}.zip")
    for text in (failed.stdout + failed.stderr, (project.root / "dvc.lock").read_text()):
        assert not any(secret in text for secret in SECRETS)


# --- archives and folders, without a process


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (add("train/../../b.png"), "would leave the folder"),
        (add("/tmp/outside.png"), "would leave the folder"),
    ],
)
def test_nothing_is_unpacked_from_an_archive_with_one_bad_member(tmp_path, edit, says):
    archive = tmp_path / "a.zip"
    archive.write_bytes(make_zip(PHOTOS, edit))
    with pytest.raises(UserError, match=says):
        unpack(archive, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]


def test_a_member_cannot_grow_beyond_its_declared_size(tmp_path):
    (tmp_path / "a.zip").write_bytes(make_zip({"a.png": b"photo" * 10**6}, declare(5)))
    with pytest.raises(UserError, match="not a complete zip"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 5


def test_a_million_empty_files_take_room_too(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(make_zip({f"{i}.png": b"" for i in range(10)}))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(30_000, 0, 30_000))
    with pytest.raises(NoRoomError, match=r"make room"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_run_in_a_copy_of_the_workspace_uses_the_workspaces_cache(tmp_path, monkeypatch):
    copy = tmp_path / ".dvc/tmp/exps/tmpabc"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    assert kaggle.cache_folder().resolve() == tmp_path / ".cache/kaggle"
    monkeypatch.chdir(tmp_path)
    assert kaggle.cache_folder() == Path(".cache/kaggle")


# --- upload


@pytest.fixture
def ready(bench: Bench) -> Bench:
    """A bench with three test photos, a submission for them, and a commit."""
    tests = bench.root / "data/prepared/test"
    tests.mkdir(parents=True)
    (tests / "photos.csv").write_text("id,file,height,width\n9,9.png,3,4\n10,10.png,4,5\n11,11.png,2,2\n")
    details = {"holdout": {}, "val": {}, "threshold_curve": [], "curves": {}}
    metrics = {"threshold": 0.5, "holdout": {"dice": 0.93456}, "val": {"dice": 0.9}}
    (bench.root / "metrics/unet.json").write_text(json.dumps(metrics | {"details": [details]}))
    write_csv(bench, "id,encoded_pixels\n9.png,1 12\n10.png,3 1 6 2 9 3 14 1 16 1 20 1\n11.png,\n")
    ignored = ("/data/", "/submissions/*", "!/submissions/kaggle.csv", "__pycache__/", "/.cache/", "/dvc.lock")
    (bench.root / ".gitignore").write_text("\n".join(ignored))
    identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message", "ready"]):
        bench.project.run("git", *command)
    return bench


def write_csv(bench: Bench, text: str) -> None:
    (bench.root / "submissions").mkdir(exist_ok=True)
    (bench.root / "submissions/unet.csv").write_text(text)
    write_lock(bench)


def write_lock(bench: Bench, *variants: str, **losses: str) -> None:
    """dvc.lock that belongs to the files that are there, after trainings with `losses`, or with bce_dice."""

    def file(path: str) -> dict[str, str]:
        there = (bench.root / path).exists()
        return {"path": path, "md5": hashlib.md5((bench.root / path).read_bytes()).hexdigest() if there else "0"}

    stages: dict[str, dict[str, Any]] = {}
    for variant in variants or ("unet",):
        params = {"params.yaml": {"loss": losses.get(variant, "bce_dice")}}
        model, scores = file(f"models/{variant}.safetensors"), file(f"metrics/{variant}.json")
        stages[f"train@{variant}"] = {"deps": [], "params": params, "outs": [model]}
        stages[f"predict@{variant}"] = {"deps": [model], "outs": []}
        stages[f"submit@{variant}"] = {"deps": [scores], "outs": [file(f"submissions/{variant}.csv")]}
    (bench.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


def record(bench: Bench) -> list[dict[str, str]]:
    path = bench.root / "submissions/kaggle.csv"
    return list(csv.DictReader(path.open())) if path.exists() else []


def uploads(bench: Bench) -> list[str]:
    return sorted(path.name for path in (bench.root / "submissions").glob("submission_*"))


def test_an_upload_is_scored_and_recorded_and_the_next_one_gets_a_name_of_its_own(ready):
    output = ready.works("upload")
    commit = ready.project.run("git", "rev-parse", "--short=10", "HEAD").stdout.strip()
    (sent,) = ready.server.submissions
    assert sent["description"] == f"unet, loss bce_dice, holdout Dice 0.9346, commit {commit}"
    assert sent["content"] == (ready.root / "submissions/unet.csv").read_text()
    assert "Kaggle 0.91234, holdout Dice 0.9346" in output and "waiting for its score" in output
    (row,) = record(ready)
    assert {key: row[key] for key in ("variant", "loss", "commit", "holdout_dice", "public_score", "status")} == {
        "variant": "unet",
        "loss": "bce_dice",
        "commit": commit,
        "holdout_dice": "0.9346",
        "public_score": "0.91234",
        "status": "complete",
    }
    write_csv(ready, "id,encoded_pixels\n9.png,\n10.png,\n11.png,\n")
    ready.server.verdict |= {"privateScore": "0.5"}
    first = (ready.root / "submissions" / uploads(ready)[0]).read_bytes()
    ready.project.run("git", "add", "submissions/kaggle.csv")  # a change, but not one that matters to the next upload
    ready.works("upload", "unet")
    names = uploads(ready)
    assert len(names) == 2 and names[1] == names[0].replace(".csv", "_2.csv")
    assert (ready.root / "submissions" / names[0]).read_bytes() == first
    assert [row["file"] for row in record(ready)] == names
    assert record(ready)[1]["private_score"] == "0.5" and record(ready)[1]["commit"] == commit
    for path in (ready.root / "submissions").iterdir():
        assert not any(secret in path.read_text() for secret in SECRETS)


def test_a_dry_run_sends_nothing_and_needs_no_credentials(ready):
    shutil.rmtree(Path(os.environ["HOME"]) / ".kaggle")
    (ready.root / "params.yaml").write_text((ready.root / "params.yaml").read_text() + "# changed\n")
    assert "-dirty'" in ready.works("upload", "--dry-run")
    assert not ready.server.requests and not record(ready)
    assert len(uploads(ready)) == 1
    (Path(os.environ["HOME"]) / ".kaggle").mkdir()
    sign_in(Path(os.environ["HOME"]))
    ready.works("upload")
    assert len(uploads(ready)) == 1, "the real one sends the file that the dry run wrote"


def test_a_file_that_was_never_sent_is_not_overwritten_either(ready):
    ready.works("upload", "--dry-run")
    first = (ready.root / "submissions" / uploads(ready)[0]).read_bytes()
    write_csv(ready, "id,encoded_pixels\n9.png,\n10.png,\n11.png,\n")
    ready.works("upload", "--dry-run")
    assert len(uploads(ready)) == 2
    assert (ready.root / "submissions" / uploads(ready)[0]).read_bytes() == first


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,pixels\n9.png,1 2\n", "its columns are id, pixels"),
        ("id,encoded_pixels\n9.png,1 2\n", "1 rows for 3 test photos"),
        ("id,encoded_pixels\n10.png,\n9.png,\n11.png,\n", "line 2 is 10.png, but it is the turn of 9.png"),
        ("id,encoded_pixels\n9.png,\n10.png,20 2\n11.png,\n", "line 3, 10.png: runs overlap"),
        ("id,encoded_pixels\n9.png,1\n10.png,\n11.png,\n", "line 2, 9.png: .*pairs"),
        ("id,encoded_pixels\n9.png,1 x\n10.png,\n11.png,\n", "line 2, 9.png: "),
        ("id,encoded_pixels\n9.png,1 99999999999999999999\n10.png,\n11.png,\n", "line 2, 9.png: "),
        ('id,encoded_pixels\n9.png,"1 2\n', "not a CSV file"),
        ("", "not a CSV file"),
    ],
)
def test_a_submission_that_does_not_fit_the_test_photos_is_not_sent(tmp_path, text, says):
    (tmp_path / "unet.csv").write_text(text)
    photos = pd.DataFrame({"file": ["9.png", "10.png", "11.png"], "height": [3, 4, 2], "width": [4, 5, 2]})
    with pytest.raises(UserError, match=f"{says}.*run dvc repro submit@unet"):
        check_submission(tmp_path / "unet.csv", photos, ["id", "encoded_pixels"])


def test_a_damaged_model_stops_the_upload_of_what_it_predicted(ready):
    (ready.root / "models").mkdir()
    (ready.root / "models/unet.safetensors").write_bytes(b"damaged")
    ready.fails("upload", says=("models/unet.safetensors: cut short, damaged", "dvc pull train@unet"))
    assert not ready.server.requests and not uploads(ready)


def test_a_bad_submission_stops_the_upload(ready):
    good = (ready.root / "submissions/unet.csv").read_text()
    write_csv(ready, good.replace("9.png,1 12", "9.png,1 13"))
    ready.fails("upload", says=("submissions/unet.csv: line 2, 9.png", "run dvc repro submit@unet"))
    (ready.root / "submissions/unet.csv").unlink()
    ready.fails("upload", says=("submissions/unet.csv is missing",))
    assert not ready.server.requests and not uploads(ready)


def test_the_loss_is_that_of_the_training_and_not_of_params_changed_since(ready):
    write_lock(ready, unet="combined_edge")
    assert "loss combined_edge, holdout Dice" in ready.works("upload", "--dry-run")


@pytest.mark.parametrize("file", ["submissions/unet.csv", "metrics/unet.json"])
def test_what_the_pipeline_did_not_make_last_is_not_sent(ready, file):
    (ready.root / file).write_text((ready.root / file).read_text() + "\n")
    ready.fails("upload", "--dry-run", says=(f"{file} is not the file that dvc.lock belongs to; run dvc repro",))
    (ready.root / "dvc.lock").unlink()
    ready.fails("upload", "--dry-run", says=("dvc.lock does not say how submissions/unet.csv was made; run dvc repro",))
    assert not uploads(ready)


def test_the_losses_behind_an_ensemble_are_those_of_its_members(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stages: dict[str, dict[str, Any]] = {}
    for name, loss in {"unet": "bce", "u2net": "combined", "residual_unet": "bce"}.items():
        model = {"path": f"models/{name}.safetensors", "md5": name}
        stages[f"train@{name}"] = {"deps": [], "params": {"params.yaml": {"loss": loss}}, "outs": [model]}
        stages[f"predict@{name}"] = {"deps": [model], "outs": []}
    for name, members in {"team": ["unet", "unet", "residual_unet"], "all": ["team", "u2net", "unet"]}.items():
        params = {"params.yaml": {f"ensembles.{name}": members}}
        stages[f"ensemble@{name}"] = {"deps": [], "params": params, "outs": []}
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    assert (loss_behind("team"), loss_behind("all")) == ("bce", "bce+combined")
    stages["train@u2net"]["outs"] = [{"path": "models/u2net.safetensors", "md5": "a later one"}]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    assert loss_behind("team") == "bce"
    with pytest.raises(
        UserError, match="a model of all was trained again after the submission was made; run dvc repro"
    ):
        loss_behind("all")


@pytest.mark.parametrize(
    ("changes", "arguments", "says"),
    [
        ({"kind": "dataset"}, (), ("kaggle.kind is dataset", "kind: competition")),
        ({"source": "synthetic"}, (), ("source is synthetic",)),
        ({}, ("unett",), ("no variant 'unett'; choose from unet",)),
    ],
)
def test_there_is_nothing_to_upload_to(ready, changes, arguments, says):
    ready.set(**changes)
    ready.fails("upload", *arguments, says=says)
    assert not ready.server.requests and not uploads(ready)


@pytest.mark.parametrize(
    ("where", "how", "message", "says"),
    [
        ("/ListSubmissions", 401, "", ("(401)", "kaggle.com/settings/api")),
        ("/StartSubmissionUpload", 403, "", (f"kaggle.com/competitions/{SLUG}/rules",)),
        ("/CreateSubmission", 400, f"5 a day, {KEY}; again in 3 hours", ("(400)", "5 a day, ***; again in 3 hours")),
        ("/CreateSubmission", 429, "", ("asks for a pause (429)", "in 10 minutes")),
        pytest.param("/blobs/", 500, "", ("could not be handed over", "attempt 4"), marks=pytest.mark.slow),
        ("/blobs/", STALL, "", ("could not be handed over", "attempt 4")),
    ],
)
def test_an_upload_that_is_refused_works_later_under_the_same_name(ready, where, how, message, says):
    ready.server.fail(where, how, message=message)
    ready.fails("upload", says=says)
    assert not ready.server.submissions and not record(ready)
    assert len(ready.server.seen(where)) == (4 if how in (429, 500, STALL) else 1), "nobody retries behind our back"
    ready.server.faults.clear()
    ready.works("upload")
    assert len(uploads(ready)) == len(record(ready)) == len(ready.server.submissions) == 1


def test_the_address_for_the_file_is_as_secret_as_a_password(ready):
    ready.server.upload_to = "http://127.0.0.1:1"  # nobody listens there, and the client prints the address
    ready.fails("upload", says=("could not be handed over",))


@pytest.mark.parametrize("found", ["at once", "by the next run"])
def test_an_answer_that_is_lost_does_not_hand_in_twice(ready, found):
    ready.server.fail("/CreateSubmission", CUT, late=True, times=1)
    if found == "by the next run":
        ready.server.on_submission = lambda: ready.server.fail("/ListSubmissions", 503)
        ready.fails("upload", says=("Kaggle has a fault (503)",))
        ready.server.faults.clear()
    ready.works("upload")
    assert len(ready.server.submissions) == len(uploads(ready)) == 1
    assert record(ready)[0]["status"] == "complete"


def test_a_submission_that_is_turned_down(ready):
    ready.server.verdict = {"status": "ERROR", "errorDescription": "Evaluation\nException: bad row"}
    ready.fails("upload", says=("turned submission_", "(Evaluation Exception: bad row)", f"{SLUG}/submissions"))
    assert record(ready)[0]["status"] == "error"
    ready.server.verdict = {"status": "COMPLETE", "publicScore": "0.9"}
    ready.works("upload")
    assert [row["status"] for row in record(ready)] == ["error", "complete"]


def test_a_score_that_never_comes_is_waited_for_by_the_next_run(ready):
    ready.server.verdict = {"status": "PENDING"}
    ready.fails("upload", says=("is handed in, but has no score yet", f"kaggle.com/competitions/{SLUG}/submissions"))
    assert record(ready)[0]["status"] == "pending"
    ready.server.verdict = {"status": "COMPLETE", "publicScore": "0.9"}
    assert "Kaggle 0.9" in ready.works("upload")
    assert len(ready.server.submissions) == len(uploads(ready)) == len(record(ready)) == 1
    assert record(ready)[0]["public_score"] == "0.9"


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (b"<<<<<<< HEAD\n", "expected the columns date, file"),
        (b"\xff\xfe\x00" * 9, "not a CSV file"),
        (
            f"{','.join(COLUMNS)}\n2026-01-02,../../secret.csv,{','.join('x' * 8)}\n".encode(),
            "is not the name of a submission",
        ),
    ],
)
def test_a_record_that_is_not_ours_is_not_written_over(ready, contents, says):
    (ready.root / "submissions/kaggle.csv").write_bytes(contents)
    ready.fails("upload", says=(f"submissions/kaggle.csv: {says}" if says[0] != "i" else says,))
    assert not ready.server.requests
    assert (ready.root / "submissions/kaggle.csv").read_bytes() == contents


def test_uploads_at_the_same_time_lose_no_row_and_hand_in_nothing_twice(ready):
    both = [("unet", "1 12"), ("residual_unet", "1 11")]
    for variant, code in both:
        metrics = (ready.root / "metrics/unet.json").read_text()
        (ready.root / f"metrics/{variant}.json").write_text(metrics)
        (ready.root / f"submissions/{variant}.csv").write_text(f"id,encoded_pixels\n9.png,{code}\n10.png,\n11.png,\n")
    ready.set(variants=[variant for variant, _ in both])
    write_lock(ready, *(variant for variant, _ in both))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda variant: ready.works("upload", variant), ["unet", "residual_unet"] * 2))
    rows = record(ready)
    assert len({row["file"] for row in rows}) == len(rows) == len(uploads(ready)) == len(ready.server.submissions)
    assert {row["variant"] for row in rows} == {"unet", "residual_unet"}
    assert all(row["status"] == "complete" for row in rows)
    assert not list((ready.root / "submissions").glob(".*"))


def test_the_worked_example_of_the_competition_is_in_the_submission_above():
    assert rle.decode("3 1 6 2 9 3 14 1 16 1 20 1", 4, 5).sum() == 9
