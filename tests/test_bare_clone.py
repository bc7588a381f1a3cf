"""A clone without any data, beside a DVC remote: `--pull --allow-missing` fetches what the stages to run declare."""

import re
import shutil

import pytest
import yaml

from tests.conftest import ROOT, VARIANTS, Project, copy_finished, identify, ran

TEAM = {"team": ["unet", "unet", "residual_unet"]}
AFTER_SCORING = ("evaluate", "gallery", "submit")
AFTER_TRAINING = ("predict", *AFTER_SCORING)


@pytest.fixture(scope="module")
def ana(finished, tmp_path_factory):
    """A project with its results committed and pushed."""
    folder = tmp_path_factory.mktemp("team")
    ana = copy_finished(finished, folder / "ana")
    ana.set(ensembles=TEAM)
    ana.repro()
    ana.run("dvc", "remote", "add", "--default", "team", str(folder / "remote"))
    ana.commit("results")
    ana.run("dvc", "push")
    return ana


@pytest.fixture
def clone(ana, tmp_path) -> Project:
    clone = Project(tmp_path / "clone")
    ana.run("git", "clone", "--quiet", ".", str(clone.root))
    identify(clone)
    return clone


def of_each(stages, variants) -> set[str]:
    return {f"{stage}@{variant}" for stage in stages for variant in variants}


@pytest.mark.parametrize(
    ("changes", "trained", "scored_again"),
    [
        ({"postprocess__threshold": 0.45}, [], VARIANTS),
        pytest.param({"variants": [*VARIANTS, "leaky_unet"]}, ["leaky_unet"], [], marks=pytest.mark.slow),
        pytest.param({"loss": "bce"}, VARIANTS, [], marks=pytest.mark.slow),
        pytest.param(
            {"variants": VARIANTS[:1], "release": VARIANTS[0], "ensembles": {}}, [], [], marks=pytest.mark.slow
        ),
        pytest.param({"release": "unet"}, [], [], marks=pytest.mark.slow),
    ],
    ids=["postprocess", "one variant more", "loss", "one variant less", "release"],
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
def test_another_look_of_the_pages_fetches_their_pictures(clone):
    style = clone.root / "src/page/page.css"
    style.write_text(style.read_text() + "/* */\n")
    pages = {"describe", "report", "ensemble@team", *of_each(["gallery"], VARIANTS)}
    assert set(clone.repro("--pull", "--allow-missing")) == pages
    assert not list(clone.root.glob("models/*.safetensors"))


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
@pytest.mark.parametrize(
    "name",
    ["download", "prepare", "split", "describe", "ensemble@team", "report", "release"]
    + [f"{stage}@unet" for stage in ("train", *AFTER_TRAINING)],
)
def test_a_stage_needs_nothing_but_what_it_declares(ana, tmp_path, name):
    """In a folder that holds its deps and params.yaml, and nothing else, its command writes the same bytes."""
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
