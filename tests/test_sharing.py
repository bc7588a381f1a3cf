"""A team with a git server and a DVC remote: what one has made, another gets, and nothing is made twice."""

import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
import torch
import yaml
from moto.server import ThreadedMotoServer

from src.formats.model import load_model
from src.predictor import load
from tests.conftest import ROOT, VARIANTS, Project, copy_finished, identify, ran
from tests.test_resume import hashes

KEYS = {"access_key_id": "tester", "secret_access_key": "secret"}  # the server takes any
MODEL = "models/residual_unet.safetensors"  # the release
WRITTEN = ("data", "models", "plots", "report", "submissions")
AFTER_SCORING = ("evaluate", "submit")
AFTER_TRAINING = ("predict", *AFTER_SCORING)
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text())


def cached(project: Project) -> set[str]:
    """The MD5s of the files in DVC's cache; folders, which end in .dir, left out."""
    objects = project.root.glob(".dvc/cache/files/md5/*/*")
    return {path.parent.name + path.name for path in objects if not path.name.endswith(".dir")}


def md5s(project: Project, *folders: str) -> set[str]:
    """The MD5s of the files in `folders` but cost.json, which no loss changes."""
    return {md5 for path, md5 in hashes(project, *folders).items() if Path(path).name != "cost.json"}


@dataclass
class Team:
    """Ana has pushed a project with its results, to git and to DVC's remote; others clone."""

    ana: Project
    git: Path
    secrets: dict[str, str]  # settings of the remote that each keeps

    def clone(self, folder: Path) -> Project:
        project = Project(folder)
        folder.mkdir()
        project.run("git", "clone", "--quiet", str(self.git), ".")
        identify(project)
        for name, value in self.secrets.items():
            project.run("dvc", "remote", "modify", "--local", "team", name, value)
        return project


def make_team(ana: Project, secrets: dict[str, str], url: str, **settings: str) -> Team:
    git = ana.root.with_name("team.git")
    ana.run("git", "clone", "--quiet", "--bare", ".", str(git))
    ana.run("git", "remote", "add", "origin", str(git))
    ana.run("dvc", "remote", "add", "--default", "team", url)
    for name, value in (settings | {"verify": "true"}).items():
        ana.run("dvc", "remote", "modify", "team", name, value)
    for name, value in secrets.items():
        ana.run("dvc", "remote", "modify", "--local", "team", name, value)
    ana.run("git", "commit", "--quiet", "--all", "--message", "remote")
    ana.run("git", "push", "--quiet", "origin", "main")
    ana.run("dvc", "push")
    return Team(ana, git, secrets)


@pytest.fixture(scope="module")
def bucket():
    """One of a real S3 server on this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request buries what failed
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    keys = {f"aws_{name}": value for name, value in KEYS.items()}
    yield boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1", **keys).create_bucket(Bucket="team")
    server.stop()


@pytest.fixture(scope="module")
def s3_team(finished, bucket, tmp_path_factory):
    ana = copy_finished(finished, tmp_path_factory.mktemp("s3") / "ana")
    return make_team(ana, KEYS, "s3://team/person", endpointurl=bucket.meta.client.meta.endpoint_url)


@pytest.fixture(scope="module")
def folder_team(finished, tmp_path_factory):
    ana = copy_finished(finished, tmp_path_factory.mktemp("folder") / "ana")
    ana.set(ensembles={"team": ["unet", "unet", "residual_unet"]})
    ana.repro()
    ana.commit("ensemble")
    return make_team(ana, {}, str(ana.root.with_name("remote")))


@pytest.fixture
def clone(folder_team, tmp_path) -> Project:
    return folder_team.clone(tmp_path / "clone")


class TestPull:
    def test_one_model_comes_alone_and_everything_comes_whole(self, folder_team, clone):
        clone.run("dvc", "pull", MODEL)
        assert set(hashes(clone, *WRITTEN)) == {"data/split.csv", MODEL}
        assert cached(clone) == md5s(clone, "models") <= md5s(folder_team.ana, "models")
        clone.run("dvc", "pull")
        assert hashes(clone, *WRITTEN) == hashes(folder_team.ana, *WRITTEN)
        assert "up to date" in clone.run("dvc", "status").stdout


@pytest.fixture(scope="module")
def ben(s3_team, tmp_path_factory):
    """Ben changes the loss in a fresh clone, lets DVC fetch what that takes, and pushes what came of it."""
    ben = s3_team.clone(tmp_path_factory.mktemp("ben") / "ben")
    ben.run("git", "switch", "--quiet", "--create", "edge")
    ben.set(loss="combined_edge")
    ben.ran = ben.repro("--pull", "--allow-missing")
    ben.run("git", "commit", "--quiet", "--all", "--message", "combined_edge")
    ben.run("dvc", "push", "--run-cache")
    ben.run("git", "push", "--quiet", "origin", "edge")
    return ben


@pytest.mark.slow
class TestReproInAFreshClone:
    def test_another_loss_takes_the_prepared_photos_and_no_raw_one(self, s3_team, ben):
        stages = {f"{stage}@{v}" for stage in ("train", "predict", "evaluate", "submit") for v in VARIANTS}
        assert set(ben.ran) == stages | {"report", "release"}
        assert not (ben.root / "data/downloaded.zip").exists()
        fetched = cached(ben) & cached(s3_team.ana)
        assert md5s(ben, "data/prepared") <= fetched
        for folder in ("data/downloaded.zip", "models", "data/predictions"):
            assert md5s(s3_team.ana, folder).isdisjoint(fetched), folder

    def test_what_one_machine_has_trained_another_does_not_train_again(self, s3_team, ben, tmp_path):
        carla = s3_team.clone(tmp_path / "carla")
        assert "combined_edge" not in (carla.root / "dvc.lock").read_text()
        carla.set(loss="combined_edge")
        stages = carla.repro("--pull", "--allow-missing")
        assert {stage.split("@")[0] for stage in stages} <= {"evaluate", "report", "release"}
        for folder in ("models", "data/predictions", "submissions", "metrics"):
            assert hashes(carla, folder) == hashes(ben, folder) != hashes(s3_team.ana, folder)
        assert not (carla.root / "data/downloaded.zip").exists()


def of_each(stages, variants) -> set[str]:
    return {f"{stage}@{variant}" for stage in stages for variant in variants}


@pytest.mark.parametrize(
    ("changes", "trained", "scored_again"),
    [
        ({"postprocess__threshold": 0.45}, [], VARIANTS),
        pytest.param({"variants": [*VARIANTS, "leaky_unet"]}, ["leaky_unet"], [], marks=pytest.mark.slow),
        pytest.param({"release": "unet"}, [], [], marks=pytest.mark.slow),
    ],
    ids=["postprocess", "one variant more", "release"],
)
def test_only_what_a_change_concerns_is_trained_and_the_report_is_made(clone, changes, trained, scored_again):
    clone.set(**changes)
    stages = set(clone.repro("--pull", "--allow-missing"))
    assert {stage for stage in stages if stage.startswith("train@")} == of_each(["train"], trained)
    assert of_each(["predict"], trained) | of_each(["evaluate"], scored_again) | {"report"} <= stages
    follow = of_each(AFTER_TRAINING, trained) | of_each(AFTER_SCORING, scored_again)
    assert stages <= of_each(["train"], trained) | follow | {"ensemble@team", "report", "release"}
    assert not (clone.root / "data/downloaded.zip").exists()
    page = (clone.root / "report/index.html").read_text()
    for variant in yaml.safe_load((clone.root / "params.yaml").read_text())["variants"]:
        assert f'<a href="gallery/{variant}.html">' in page
    assert clone.repro("--allow-missing", "--dry") == []


@pytest.mark.slow
def test_one_experiment_on_one_variant_leaves_the_others_where_they_are(clone):
    target = ["-n", "edge", "-S", "loss=combined_edge", "evaluate@unet"]
    result = clone.run("dvc", "exp", "run", "--pull", "--allow-missing", *target)
    assert ran(result.stdout) == ["train@unet", "predict@unet", "evaluate@unet"]
    assert "edge" in clone.run("dvc", "exp", "list").stdout
    assert set(yaml.safe_load(clone.run("dvc", "metrics", "diff", "--json").stdout)) == {"metrics/unet.json"}
    back = re.search(r"go back to the last commit \| `(.*?)`", (ROOT / "README.md").read_text())
    clone.run("sh", "-c", back[1])
    assert clone.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.slow
def test_of_two_branches_that_both_ran_a_merge_trains_nothing_again(folder_team, tmp_path):
    ours, theirs = (folder_team.clone(tmp_path / name) for name in ("ours", "theirs"))
    for project, variant in ((ours, "residual_unet"), (theirs, "unet")):
        project.run("git", "switch", "--quiet", "--create", variant)
        project.set(**{f"models__{variant}__dropout": 0.3})
        assert f"train@{variant}" in project.repro("--pull", "--allow-missing")
        project.commit(variant)
    theirs.run("dvc", "push", "--run-cache")
    theirs.run("git", "push", "--quiet", "origin", "unet")
    ours.run("git", "fetch", "--quiet")
    assert ours.run("git", "merge", "origin/unet", check=False).returncode == 1
    assert {stage.split("@")[0] for stage in ours.repro("--pull", "--allow-missing")}.isdisjoint({"train", "predict"})
    ours.commit("merge")
    assert ours.with_environment().run("make", "verify").stdout == "dvc.lock is up to date\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["download", "prepare", "split", "describe", "ensemble@team", "report", "release"]
    + [f"{stage}@unet" for stage in ("train", *AFTER_TRAINING)],
)
def test_a_stage_needs_nothing_but_what_it_declares(folder_team, tmp_path, name):
    """In a folder that holds its deps and params.yaml, and nothing else, its command writes the same bytes."""
    ana = folder_team.ana
    stage = yaml.safe_load((ana.root / "dvc.lock").read_text())["stages"][name]
    alone = Project(tmp_path)
    (alone.root / ".dvc").mkdir()  # where checkpoints lie
    (alone.root / ".dvc/config").write_text("[core]\nno_scm = true\n")
    for path in ["params.yaml", *(dep["path"] for dep in stage["deps"])]:
        source, target = ana.root / path, alone.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copy(source, target)
    for command in [stage["cmd"]] if isinstance(stage["cmd"], str) else stage["cmd"]:
        alone.run(*command.split())
    for out in stage["outs"]:
        expected = ana.root / out["path"]
        for file in [expected] if expected.is_file() else [f for f in expected.rglob("*") if f.is_file()]:
            path = file.relative_to(ana.root)
            assert (alone.root / path).read_bytes() == file.read_bytes(), path


@pytest.mark.slow
class TestArtifacts:
    def test_each_version_is_a_model_that_loads_anywhere(self, s3_team, ben, tmp_path, monkeypatch):
        releases = ((s3_team.ana, "v1.0.0", "bce_dice"), (ben, "v1.1.0", "combined_edge"))
        for project, version, _ in releases:
            project.run("git", "tag", "--annotate", f"person-segmentation@{version}", "--message", version)
            project.run("git", "push", "--quiet", "origin", f"person-segmentation@{version}")
        for name, value in KEYS.items():
            monkeypatch.setenv(f"AWS_{name.upper()}", value)
        elsewhere = Project(tmp_path)
        get = ["dvc", "artifacts", "get", str(s3_team.git), "person-segmentation"]
        for project, version, loss in releases:
            path = tmp_path / f"{version}.safetensors"
            elsewhere.run(*get, "--rev", version, "--out", path.name)
            assert path.read_bytes() == (project.root / "release/model.safetensors").read_bytes()
            model, about = load_model(path)
            assert model(torch.zeros(1, 3, 40, 56, dtype=torch.uint8)).shape == (1, 1, 40, 56)
            assert (about["variant"], list(about["loss"])) == ("residual_unet", [loss])
            assert load(path).threshold == about["threshold"]


def step(part: str) -> str:
    """The shell lines of the one step of the workflow that hold `part`."""
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    (found,) = (step["run"] for step in steps if part in step.get("run", ""))
    return found


class TestContinuousIntegration:
    """The lines of the workflow, run as they stand."""

    def verify(self, project: Project):
        return project.with_environment().run("bash", "-ec", step("make verify"), check=False)

    def test_a_clone_without_data_passes_and_is_left_as_it_was(self, clone):
        result = self.verify(clone)
        assert (result.returncode, result.stdout) == (0, "dvc.lock is up to date\n")
        assert set(hashes(clone, *WRITTEN)) == {"data/split.csv"}
        assert clone.run("git", "status", "--porcelain").stdout == ""

    @pytest.mark.parametrize(
        "data", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["without data", "with data"]
    )
    def test_results_that_are_not_those_of_the_params_or_code_fail(self, clone, data):
        if data:  # then DVC's own dry run exits with 0
            clone.run("dvc", "pull")
        for file, old, new, stage in (
            ("params.yaml", "loss: bce_dice", "loss: combined_edge", "train@unet"),
            ("stages/submit/__main__.py", '"""', '"""Changed. ', "submit@unet"),
            ("metrics/unet.json", '"dice": 0.', '"dice": 0.9', "evaluate@unet"),
        ):
            path = clone.root / file
            whole = path.read_text()
            assert old in whole
            path.write_text(whole.replace(old, new, 1))
            result = self.verify(clone)
            path.write_text(whole)
            assert result.returncode != 0, file
            assert f"'{stage}'" in result.stdout
            assert "error: a stage would run; run dvc repro and commit its results" in result.stdout
        assert self.verify(clone).returncode == 0

    def test_where_dvc_itself_fails_it_says_so(self, clone):
        with (clone.root / "dvc.lock").open("a") as lock:
            lock.write("<<<<<<< HEAD\n  train@unet:\n=======\n")
        result = self.verify(clone)
        assert result.returncode != 0
        assert "'./dvc.lock' is invalid (possible merge conflicts)" in result.stdout
        assert result.stdout.endswith("error: DVC failed, for the reason above\n")

    @pytest.mark.slow
    def test_a_pull_request_shows_its_metrics_beside_those_of_main(self, ben, tmp_path, monkeypatch):
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
        ben.run("bash", "-ec", step("dvc metrics diff"))
        report = (ben.root / "report.md").read_text()
        (ben.root / "report.md").unlink()
        (header,) = (line for line in report.splitlines() if line.startswith("| Path"))
        assert [cell.strip() for cell in header.split("|")[3:5]] == ["origin/main", "workspace"]
        assert "| metrics/unet.json " in report
        assert (tmp_path / "summary.md").read_text() == report
