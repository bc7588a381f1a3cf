"""Kaggle for real: its own client, in the stages' own processes, against a server on this machine."""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from src.errors import UserError
from src.files import locked
from src.formats.metrics import write_metrics
from src.formats.raw import RAW
from src.sources import kaggle
from tests.conftest import PARAMS, ROOT, Project
from tests.kaggle_server import (
    BASIC,
    CUT,
    KEY,
    REFRESH,
    STALL,
    TOKEN,
    USER,
    KaggleServer,
    assert_no_secret,
    sign_in,
    the_error,
    use_server,
)
from tests.workspace import some_metrics
from tools.upload.origin import loss_behind

SLUG, DATASET = "people-2025", "somebody/people"
START = """\
errors.TIMEOUT = (2.0, 0.5)
if "tools.upload" in sys.orig_argv:
    from tools.upload import hand_in as upload
    upload.PATIENCE, upload.INTERVAL = 0.3, 0.05
exec(os.environ.get("TEST_PATCH", ""))
"""
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


HONEST = make_zip(PHOTOS | SAMPLE)
BOMB = make_zip(PHOTOS, lambda archive: setattr(archive.filelist[0], "file_size", 10**15))
ZEROS = make_zip(PHOTOS, lambda archive: archive.writestr("test/images/11.png", bytes(10**6), zipfile.ZIP_DEFLATED))
LARGE = PHOTOS | {"train/images/2.png": b"photo 2" * 500_000}  # the client writes a mebibyte at a time
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

    @property
    def zip(self) -> Path:
        """Where the competition's zip is kept until its photos are in place."""
        return self.root / f".cache/kaggle/competition/{SLUG}/{SLUG}.zip"

    def call(self, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a stage, or a tool."""
        run = self.project.tool if name == "upload" else self.project.stage
        return run(name, *arguments, check=check)

    def fails(self, *command: str, says: tuple[str, ...]) -> None:
        """The stage ends in one line that holds each of `says`, and what was there before is as it was."""
        before = snapshot(self.root.parent)
        line = the_error(self.call(*command, check=False))
        for text in says:
            assert text in line, line
        assert before.items() <= snapshot(self.root.parent).items()
        assert not list((self.root / "data").glob(".download*"))

    def works(self, *command: str) -> str:
        """The stage or tool succeeds; returns what it printed."""
        result = self.call(*command)
        assert_no_secret(result.stdout + result.stderr)
        return result.stdout + result.stderr


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file under `folder`, but for bytecode and what is on its way from or to Kaggle."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    away = ("__pycache__", ".cache", ".git", "submissions")
    return {str(path): path.read_bytes() for path in files if not set(away) & set(path.parts)}


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    with KaggleServer() as server:
        server.archives |= {SLUG: HONEST, DATASET: DATASET_ZIP}
        yield server


@pytest.fixture
def bench(tmp_path: Path, server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> Bench:
    root = tmp_path / "project"
    for folder in ("src", "stages", "tools"):
        shutil.copytree(ROOT / folder, root / folder)
    data = {"kind": "competition", "competition": SLUG, "dataset": DATASET, "test_share": 0.2, "seed": 7}
    changes = {"source": "kaggle", "variants": ["unet"], "release": "unet", "loss": "bce_dice"}
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS | changes | {"kaggle": data}))
    for file in (str(RAW), "data/prepared/kept.npy", "metrics/kept.json"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("from before")
    use_server(server, tmp_path, monkeypatch, START)
    return Bench(Project(root), server)


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


def test_the_dataset_gets_a_seeded_test_part_without_masks(bench):
    bench.project.set(kaggle__kind="dataset")
    parts = {}
    for seed in (7, 7, 8):
        bench.project.set(kaggle__seed=seed)
        assert "8 labelled photos, 2 test photos" in bench.works("download")
        files = raw_files(bench)
        tests = {name.rsplit("/")[-1] for name in files if name.startswith("test/images/")}
        assert parts.setdefault(seed, tests) == tests
        assert len(files) == 18, "no collage, and no masks of test photos"
        for name, content in files.items():
            part, kind, file = name.split("/")
            assert content == f"{kind} {file.split('.')[0]}".encode()
            assert (part == "test") == (file in tests)
    assert parts[7] != parts[8]


LOGIN = {"refresh_token": REFRESH, "access_token": TOKEN, "access_token_expiration": "2099-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("files", "variables", "secrets"),
    [
        ({}, {"KAGGLE_API_TOKEN": TOKEN}, [TOKEN]),
        ({"access_token": TOKEN}, {}, [TOKEN]),
        ({"credentials.json": json.dumps(LOGIN | {"username": USER})}, {}, [TOKEN, REFRESH]),  # `kaggle auth login`
        ({}, {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY}, [KEY, BASIC]),
    ],
    ids=["token", "token file", "login", "environment"],
)
def test_every_kind_of_credentials_is_accepted_and_stays_secret(bench, monkeypatch, files, variables, secrets):
    folder = Path(os.environ["HOME"], ".kaggle")
    (folder / "kaggle.json").unlink()
    for name, content in files.items():
        (folder / name).write_text(content)
    for name, value in (variables | {"VERBOSE": "true"}).items():  # by which the client would print every request
        monkeypatch.setenv(name, value)
    bench.server.fail("/DownloadDataFiles", 418, message=f"you sent {' and '.join(secrets)}\nand more")
    said = f"refused the request (418) (you sent {' and '.join(['***'] * len(secrets))} and more)"
    bench.fails("download", says=(said,))
    bench.server.faults.clear()
    bench.works("download")


@pytest.mark.parametrize("changed", [False, True], ids=["goes on", "starts again, since Kaggle has another file"])
def test_a_download_that_broke_off(bench, changed):
    bench.server.archives[SLUG] = make_zip(LARGE)
    bench.server.fail("/store/", CUT, late=True)
    bench.fails("download", says=("the connection to Kaggle failed", "run the same command again"))
    assert 2**20 <= bench.zip.stat().st_size < len(make_zip(LARGE))
    bench.server.faults.clear()
    bench.server.requests.clear()
    wanted = LARGE | ({"train/images/1.png": b"another photo"} if changed else {})
    if changed:
        bench.server.archives[SLUG] = make_zip(wanted)
        bench.server.modified += 3600
    bench.works("download")
    assert any("Range" in request.headers for request in bench.server.seen("/store/")) != changed
    assert raw_files(bench) == wanted


def test_a_passing_fault_is_waited_out(bench):
    bench.server.fail("/DownloadDataFiles", 503, times=1, message="try later")
    bench.server.fail("/store/", CUT, times=1, late=True)
    bench.server.fail("/store/", 403, times=1)  # an address that has expired, not Kaggle's own refusal
    assert "Kaggle has a fault (503) (try later); trying again" in bench.works("download")
    assert raw_files(bench) == PHOTOS
    bench.server.fail("/store/", STALL, late=True, times=1)
    assert "did not answer within" in bench.works("download")


# --- download: what can go wrong. Each time one line, nothing lost, and the same command works afterwards.


@pytest.mark.parametrize("wrong", ["none", "key", "token"])
def test_missing_or_wrong_credentials(bench, monkeypatch, wrong):
    Path(os.environ["HOME"], ".kaggle/kaggle.json").unlink()
    if wrong == "key":
        sign_in("KEY-of-yesterday")
    elif wrong == "token":
        monkeypatch.setenv("KAGGLE_API_TOKEN", "TOKEN-of-yesterday")
    bench.fails("download", says=("(401)" if wrong == "key" else "no Kaggle credentials", "kaggle.com/settings/api"))
    sign_in()
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
    bench.works("download")


@pytest.mark.parametrize(
    ("how", "details", "says", "attempts"),
    [
        (403, {}, f"accept its rules at kaggle.com/competitions/{SLUG}/rules", 1),
        (404, {}, f"correct params.yaml: kaggle.competition: there is no '{SLUG}'", 1),
        (503, {"message": "busy"}, "a fault (503) (busy), attempt 4; run the same command again in 10 minutes", 4),
        (STALL, {}, "did not answer within 0.5 s, attempt 4", 4),
        (
            429,
            {"headers": {"Retry-After": "3600"}, "message": "your quota is used up"},
            "asks for a pause (429) (your quota is used up), attempt 1; run the same command again in 60 minutes",
            1,
        ),
        (200, {"message": "maintenance"}, "did not send a zip file", 1),
    ],
)
def test_a_refusal_or_a_fault(bench, how, details, says, attempts):
    bench.server.fail("/DownloadDataFiles", how, **details)
    bench.fails("download", says=(says,))
    assert len(bench.server.seen("/DownloadDataFiles")) == attempts
    bench.server.faults.clear()
    bench.works("download")


@pytest.mark.parametrize(
    ("kind", "archive", "says", "kept"),
    [
        ("competition", HONEST[: len(HONEST) // 2], ("not a complete zip", "download it afresh"), False),
        ("competition", HONEST.replace(b"photo 9", b"photo X"), ("not a complete zip", "Bad CRC"), False),
        ("competition", BOMB, ("takes 1000000.00 GB, but", "make room"), True),
        ("competition", make_zip({"images/1.png": b""}), ("expected the folders", "source: local", "changed"), True),
        (
            "competition",
            make_zip(PHOTOS | {"train/images/3.png": b""}),
            ("a mask is missing for train/images/3.png", ".zip yourself"),
            True,
        ),
        ("dataset", make_zip({"photos/1.png": b"", "masks/1.png": b""}), ("expected the folders images and",), True),
        ("dataset", make_zip(NESTED | {"people/people/images/77.png": b""}), ("77 is not both in images",), True),
    ],
    ids=["truncated", "damaged", "bomb", "folders", "mask", "dataset's folders", "dataset's mask"],
)
def test_an_archive_that_cannot_be_trusted_or_has_another_layout(bench, kind, archive, says, kept):
    bench.project.set(kaggle__kind=kind)
    bench.server.archives |= {SLUG: archive, DATASET: archive}
    bench.fails("download", says=says)
    assert bool(list((bench.root / ".cache/kaggle").rglob("*.zip"))) == kept, "to arrange it by hand, or after room"
    bench.server.archives |= {SLUG: HONEST, DATASET: DATASET_ZIP}
    bench.server.modified += 3600
    bench.works("download")


LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))"
NO_DISK = "import shutil; shutil.disk_usage = lambda _: shutil._ntuple_diskusage(9, 9, 9)"


@pytest.mark.parametrize(
    ("archive", "patch", "says"),
    [
        (make_zip(LARGE), LIMIT, "no room left on the disk"),
        (ZEROS, LIMIT, "no room left on the disk"),
        (HONEST, NO_DISK, "the download takes 0.00 GB, but 0.00 GB are free in .cache/kaggle"),
    ],
    ids=["downloading", "unpacking", "before the download"],
)
def test_a_disk_that_fills_up(bench, monkeypatch, archive, patch, says):
    bench.server.archives[SLUG] = archive
    monkeypatch.setenv("TEST_PATCH", patch)
    bench.fails("download", says=(says, "make room and run the same command again"))
    assert bench.zip.exists() == (patch == LIMIT)
    assert len(bench.server.seen("/DownloadDataFiles")) == 1, "trying again does not make room"
    monkeypatch.delenv("TEST_PATCH")
    bench.works("download")
    if archive == ZEROS:
        assert "Range" not in bench.server.seen("/store/")[1].headers, "the zip is complete: only asked for its age"


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
        assert_no_secret(text)


def test_experiments_side_by_side_download_one_after_another(bench):
    command, environment = [sys.executable, "-m", "stages.download"], bench.project.environment()
    with locked(bench.root / ".cache/kaggle/download.lock", "downloads"):
        waiting = subprocess.Popen(command, cwd=bench.root, env=environment, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr.readline().startswith("waiting for process")
        assert not bench.server.requests
    waiting.communicate()
    assert (waiting.returncode, raw_files(bench)) == (0, PHOTOS)


# --- archives and folders, without a process


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
    (tests / "photos.csv").write_text(
        "id,file,height,width,grey,glare\n9,9.png,3,4,False,False\n10,10.png,4,5,False,False\n11,11.png,2,2,False,False\n"
    )
    with chdir(bench.root):
        write_metrics("unet", some_metrics(0.5, 0.93456))
    write_csv(bench, "id,encoded_pixels\n9.png,1 12\n10.png,3 1 6 2 9 3 14 1 16 1 20 1\n11.png,\n")
    ignored = ("/data/", "/submissions/*", "!/submissions/kaggle.csv", "__pycache__/", "/.cache/", "/dvc.lock")
    (bench.root / ".gitignore").write_text("\n".join(ignored))
    identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message", "ready"]):
        bench.project.run("git", *command)
    return bench


def write_csv(bench: Bench, text: str) -> None:
    (bench.root / CSV).parent.mkdir(exist_ok=True)
    (bench.root / CSV).write_text(text)
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


CSV, NOBODY = "submissions/unet.csv", "id,encoded_pixels\n9.png,\n10.png,\n11.png,\n"


def test_an_upload_is_scored_and_recorded_and_the_next_one_gets_a_name_of_its_own(ready):
    output = ready.works("upload")
    commit = ready.project.run("git", "rev-parse", "--short=10", "HEAD").stdout.strip()
    (sent,) = ready.server.submissions
    csv_file = ready.root / "submissions/unet.csv"
    md5 = hashlib.md5(csv_file.read_bytes()).hexdigest()[:10]
    assert sent["description"] == f"unet, loss bce_dice, holdout Dice 0.9346, commit {commit}, md5 {md5}"
    assert sent["content"] == csv_file.read_text()
    assert "Kaggle 0.91234, holdout Dice 0.9346" in output and "waiting for its score" in output
    (row,) = record(ready)
    known = {"variant": "unet", "loss": "bce_dice", "commit": commit, "holdout_dice": "0.9346"}
    assert row.items() >= (known | {"public_score": "0.91234", "status": "complete"}).items()
    write_csv(ready, NOBODY)
    ready.server.verdict |= {"privateScore": "0.5"}
    ready.project.run("git", "add", "submissions/kaggle.csv")  # a change, but not one that matters to the next upload
    ready.works("upload", "unet")
    names = uploads(ready)
    assert len(names) == 2 and f"_{md5}.csv" in "".join(names)
    assert sorted(row["file"] for row in record(ready)) == names
    assert record(ready)[1]["private_score"] == "0.5" and record(ready)[1]["commit"] == commit
    for path in (ready.root / "submissions").iterdir():
        assert_no_secret(path.read_text())


@pytest.mark.parametrize("known", ["by the record", "by Kaggle alone"])
def test_the_same_bytes_are_handed_in_once(ready, known):
    ready.works("upload")
    if known == "by Kaggle alone":  # a clone of somebody else's, at a later commit
        for path in (ready.root / "submissions").glob("[!u]*"):
            path.unlink()
        (ready.root / "params.yaml").write_text((ready.root / "params.yaml").read_text() + "# changed\n")
    else:
        assert "already handed in on 20" in ready.works("upload", "--dry-run")
        ready.server.requests.clear()
    output = ready.works("upload", "unet")
    assert "submissions/unet.csv was already handed in on 20" in output and "0.91234" in output
    assert len(ready.server.submissions) == len(record(ready)) == 1
    assert record(ready)[0]["public_score"] == "0.91234"
    assert known == "by Kaggle alone" or not ready.server.requests


def test_a_dry_run_sends_nothing_and_needs_no_credentials(ready):
    shutil.rmtree(Path(os.environ["HOME"], ".kaggle"))
    (ready.root / "params.yaml").write_text((ready.root / "params.yaml").read_text() + "# changed\n")
    assert "-dirty, md5 " in ready.works("upload", "--dry-run")
    assert not ready.server.requests and not record(ready) and not uploads(ready)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (CSV, "id,pixels\n9.png,1 2\n", "its columns are id, pixels, not id, encoded_pixels; run dvc"),
        (CSV, NOBODY[:-9], "its rows are not the 3 test photos in their order; run dvc repro submit@"),
        (CSV, NOBODY.replace("9", "8"), "its rows are not the 3 test photos in their order"),
        (CSV, NOBODY.replace("10.png,", "10.png,20 2"), "10.png: runs overlap"),
        (CSV, NOBODY.replace("9.png,", "9.png,1 x"), "9.png: "),
        (CSV, NOBODY.replace("9.png,", f"9.png,1 {10**20 - 1}"), "9.png: "),
        (CSV, 'id,encoded_pixels\n9.png,"1 2\n', "not a CSV file"),
        (CSV, None, "submissions/unet.csv is missing; run dvc repro submit@unet"),
        (CSV, NOBODY, "submissions/unet.csv is not the file that dvc.lock belongs to; run dvc"),
        ("metrics/unet.json", "\n", "metrics/unet.json is not the file that dvc.lock belongs to; run dvc repro"),
        ("dvc.lock", None, "dvc.lock does not say how submissions/unet.csv was made; run dvc repro"),
        ("dvc.lock", "[]", "dvc.lock cannot be read; if a merge left its marks there: git checkout --ours"),
        ("submissions/kaggle.csv", "<<<<<<< HEAD\n", "submissions/kaggle.csv: the column date is missing; mend it, or"),
        ("submissions/kaggle.csv", "\xff\xfe\x00" * 9, "submissions/kaggle.csv: not a CSV file"),
    ],
)
def test_what_is_damaged_or_not_made_last_is_not_sent(ready, file, content, says):
    path = ready.root / file
    path.parent.mkdir(exist_ok=True)
    if content is None:
        path.unlink()
    else:
        before = path.read_bytes() if file.startswith("metrics") else b""
        path.write_bytes(before + content.encode("latin-1"))
    ready.fails("upload", says=(says,))
    assert not ready.server.requests and not uploads(ready)
    assert content is None or path.read_bytes().endswith(content.encode("latin-1")), "not written over"


def test_the_losses_behind_a_submission_are_those_of_the_trainings(ready, monkeypatch):
    write_lock(ready, unet="combined_edge")  # params.yaml has another one by now
    assert "loss combined_edge, holdout Dice" in ready.works("upload", "--dry-run")
    write_lock(ready, "unet", "u2net", "residual_unet", unet="bce", u2net="combined", residual_unet="bce")
    monkeypatch.chdir(ready.root)
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    for name, members in {"team": ["unet", "unet", "residual_unet"], "all": ["u2net", "u2net", "unet"]}.items():
        params = {"params.yaml": {f"ensembles.{name}": members}}
        lock["stages"][f"ensemble@{name}"] = {"deps": [], "params": params, "outs": []}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    assert (loss_behind("team"), loss_behind("all")) == ("bce", "bce+combined")
    lock["stages"]["train@u2net"]["outs"] = [{"path": "models/u2net.safetensors", "md5": "a later one"}]
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    assert loss_behind("team") == "bce"
    with pytest.raises(UserError, match=r"models/u2net.safetensors was trained again after .* was made; run dvc repro"):
        loss_behind("all")


@pytest.mark.parametrize(
    ("changes", "arguments", "says"),
    [
        ({"kaggle__kind": "dataset"}, (), ("kaggle.kind is dataset", "kind: competition")),
        ({"source": "synthetic"}, ("--dry-run",), ("source is synthetic",)),
        ({}, ("unett",), ("no variant 'unett'; choose from unet",)),
    ],
)
def test_there_is_nothing_to_upload_to(ready, changes, arguments, says):
    ready.project.set(**changes)
    ready.fails("upload", *arguments, says=says)
    assert not ready.server.requests and not uploads(ready)


@pytest.mark.parametrize(
    ("where", "how", "message", "says"),
    [
        ("/ListSubmissions", 401, "", ("(401)", "kaggle.com/settings/api")),
        ("/StartSubmissionUpload", 403, "", (f"kaggle.com/competitions/{SLUG}/rules",)),
        ("/CreateSubmission", 400, f"5 a day, {KEY}; again in 3 hours", ("(400)", "5 a day, ***; again in 3 hours")),
        ("/CreateSubmission", 429, "5 a day", ("asks for a pause (429) (5 a day)", "in 10 minutes")),
        ("/blobs/", STALL, "", ("connection to Kaggle failed", "attempt 4")),
    ],
)
def test_an_upload_that_is_refused_works_later_under_the_same_name(ready, where, how, message, says):
    ready.server.fail(where, how, message=message)
    ready.fails("upload", says=says)
    assert not ready.server.submissions and not record(ready)
    assert len(ready.server.seen(where)) == (4 if how in (429, STALL) else 1), "nobody retries behind our back"
    ready.server.faults.clear()
    ready.works("upload")
    assert len(uploads(ready)) == len(record(ready)) == len(ready.server.submissions) == 1


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


def test_a_submission_that_is_turned_down_is_handed_in_anew_and_one_without_a_score_is_waited_for(ready):
    page = f"{SLUG}/submissions"
    ready.server.verdict = {"status": "ERROR", "errorDescription": "Evaluation\nException: bad row"}
    ready.fails("upload", says=("turned submission_", "(Evaluation Exception: bad row)", page))
    assert record(ready)[0]["status"] == "error"
    ready.server.submissions[0] |= ready.server.verdict
    ready.server.verdict = {"status": "PENDING"}
    ready.fails("upload", says=("is handed in, but has no score yet", page))
    assert record(ready)[1]["status"] == "pending"
    ready.server.verdict = {"status": "COMPLETE", "publicScore": "0.9"}
    assert "Kaggle 0.9" in ready.works("upload")
    assert len(ready.server.submissions) == 2
    assert [row["status"] for row in record(ready)] == ["error", "complete"]


def test_uploads_at_the_same_time_lose_no_row_and_hand_in_nothing_twice(ready):
    both = [("unet", "1 12"), ("residual_unet", "1 11")]
    for variant, code in both:
        metrics = (ready.root / "metrics/unet.json").read_text()
        (ready.root / f"metrics/{variant}.json").write_text(metrics)
        (ready.root / f"submissions/{variant}.csv").write_text(f"id,encoded_pixels\n9.png,{code}\n10.png,\n11.png,\n")
    ready.project.set(variants=[variant for variant, _ in both])
    write_lock(ready, *(variant for variant, _ in both))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda variant: ready.works("upload", variant), ["unet", "residual_unet"] * 2))
    rows = record(ready)
    assert len({row["file"] for row in rows}) == len(rows) == len(uploads(ready)) == len(ready.server.submissions) == 2
    assert {row["variant"] for row in rows} == {"unet", "residual_unet"}
    assert all(row["status"] == "complete" for row in rows)
    assert not list((ready.root / "submissions").glob(".*"))
