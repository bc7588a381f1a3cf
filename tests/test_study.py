"""A study as people run one: a file of experiments, DVC's queue, and the tables that come of them."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from src.errors import UserError
from src.formats.epochs import EPOCHS, add_epoch, read_epochs
from tests.conftest import wait_until
from tests.test_experiments import run_queue
from tools.study import Study, difference, read_results, read_study

STUDY = {
    "common": ["loss=bce"],
    "variants": {"unet": ["cpu.models.unet.width=3"]},
    "experiments": {
        "plain": {"variant": "unet"},
        "gray": {"variant": "unet", "changes": ["models.unet.color=gray"]},
        "never": {"variant": "residual_unet"},
    },
    "questions": [
        {"question": "Does colour help?", "base": "plain", "rows": {"plain": "RGB", "gray": "greyscale"}},
        {"question": "Which variant?", "base": "plain", "rows": {"never": "residual"}},
    ],
}

OTHER = {"question": "Which?", "base": "plain", "rows": {"other": "not an experiment"}}


@pytest.fixture(scope="module")
def project(project):
    yield project
    project.run("dvc", "queue", "stop", "--kill")


def write(project, study):
    (project.root / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))


@pytest.mark.slow
def test_a_study_runs_through_the_queue_and_becomes_tables(project):
    write(project, STUDY)
    assert "3 experiments queued" in project.tool("study", "study.yaml").stdout
    assert "nothing to queue" in project.tool("study", "study.yaml").stdout
    project.run("dvc", "queue", "remove", Study(**STUDY).name("never"))
    run_queue(project)
    assert "2 of 3 experiments" in project.tool("study", "study.yaml", "--tables").stdout

    results = json.loads((project.root / "study.json").read_text())
    assert list(results) == ["plain", "gray"]
    for label, result in results.items():
        assert result["metrics"]["holdout"]["dice"] == pytest.approx(np.mean(list(result["dice"].values())), abs=1e-5)
        assert result["metrics"]["holdout"]["photos"] == len(result["dice"])
        assert result["command"] == (
            f"dvc exp run --name {Study(**STUDY).name(label)} -S loss=bce "
            "-S cpu.models.unet.width=3 " + ("-S models.unet.color=gray " if label == "gray" else "") + "evaluate@unet"
        )
        assert result["seconds"] >= 0 and (not result["seconds"] or result["photos_per_second"] > 0)
    # Greyscale takes two channels less into the first convolution of width 3.
    assert results["plain"]["parameters"] - results["gray"]["parameters"] == 2 * 9 * 3

    page = (project.root / "study.md").read_text()
    (row,) = (line for line in page.splitlines() if line.startswith("| greyscale "))
    assert f" {results['gray']['metrics']['holdout']['dice']:.4f} " in row
    assert f" {difference(results['gray'], results['plain'])} " in row
    assert "| residual | not run |" in page

    # An experiment that has changed is another one, though the old one is still there.
    project.run("dvc", "queue", "stop")
    wait_until(lambda: not project.processes())  # a worker that is still there may have the queue locked
    changed = STUDY["experiments"] | {"gray": {"variant": "unet", "changes": ["models.unet.dropout=0.3"]}}
    write(project, STUDY | {"experiments": changed})
    assert "1 of 3 experiments" in project.tool("study", "study.yaml", "--tables").stdout
    assert "2 experiments queued" in project.tool("study", "study.yaml").stdout
    project.run("dvc", "queue", "remove", "--queued")


@pytest.mark.slow
def test_a_study_goes_on_where_its_experiments_are_not(new_project):
    project = new_project()
    write(project, STUDY)
    part = {"dice": 0.5, "dice_low": 0.4, "dice_high": 0.6, "photos": 2, "traits": {"cut": {"dice": 0.3, "photos": 2}}}
    result = {
        "command": shlex.join(Study(**STUDY).command("plain")),
        "metrics": {"holdout": part, "val": part},
        "dice": {"1": 0.4, "2": 0.6},
        "parameters": 1_000_000,
    }
    (project.root / "study.json").write_text(json.dumps({"plain": result, "gray": result}))
    assert "1 of 3 experiments" in project.tool("study", "study.yaml", "--tables").stdout
    assert json.loads((project.root / "study.json").read_text()) == {"plain": result, "gray": result}  # nothing is lost
    project.run("xz", "study.json")
    assert "1 of 3 experiments" in project.tool("study", "study.yaml", "--tables").stdout
    page = (project.root / "study.md").read_text()
    assert "| RGB | 0.5000 | 0.400 to 0.600 |  | 0.5000 | 1.00 M |  |  |" in page
    assert "| `plain` | 0.500 (2) | 0.300 (2) |" in page


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("common: []\ncommon: [loss=bce]", "study.yaml is not valid YAML: .*found duplicate key"),
        ("common: 2026-13-40", "study.yaml is not valid YAML: month must be in 1..12"),
        ("common: loss=bce\nexperiments: {}\nquestions: []", "study.yaml: common: input should be a valid list"),
        ("[]", "study.yaml: input should be a valid dictionary"),
        (yaml.safe_dump(STUDY | {"questions": [OTHER]}), "study.yaml: 'Which.' compares 'other', which is not"),
        (yaml.safe_dump(STUDY | {"variants": {"u2": []}}), "study.yaml: there is no variant 'u2'; choose from "),
    ],
)
def test_a_study_that_is_none_is_refused_in_one_line(tmp_path, monkeypatch, content, problem):
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(content)
    with pytest.raises(UserError, match=f"^{problem}") as refused:
        read_study(Path("study.yaml"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("results", [b"{", b'{"plain": 1}', b'{"plain": {}}', b"[1]", b"\xff"])
@pytest.mark.parametrize("name", ["study.json", "study.json.xz"])
def test_results_that_are_none_are_refused_in_one_line(tmp_path, name, results):
    (tmp_path / name).write_bytes(results)
    with pytest.raises(UserError, match=r"study\.json holds no results of a study; mend it, or git checkout"):
        read_results(tmp_path / "study.json", Study(**STUDY))


def test_difference_is_over_the_same_photos_whatever_their_order():
    base = {"dice": {"1": 0.5, "2": 0.7, "3": 0.9}}
    assert difference({"dice": {"1": 0.5, "2": 0.7}}, base) == "other photos"
    assert difference({"dice": {"3": 0.8, "1": 0.4, "2": 0.6}}, base) == "-0.1000 (-0.1000 to -0.1000)"


def test_seconds_are_those_of_the_last_training_however_often_it_was_interrupted(tmp_path, monkeypatch):
    path = tmp_path / "checkpoints" / EPOCHS
    assert read_epochs(path, "unet").empty
    monkeypatch.setenv("DVC_STAGE", "train@unet")
    add_epoch(path, "old-0", 0, 100, 90)
    for epoch in (0, 1, 1):  # killed before it had saved the second, which is trained again
        add_epoch(path, "new-0", epoch, 100, 20.04)
    add_epoch(path, "new-1", 0, 100, 30)  # another fold
    monkeypatch.setenv("DVC_EXP_NAME", "gray-1")
    add_epoch(path, "third-0", 0, 100, 7)
    with path.open("a") as file:
        file.write("train@unet,,fo")  # cut off by a full disk
    assert read_epochs(path, "unet")[["photos", "seconds"]].sum().tolist() == [300, pytest.approx(70.08)]
    assert read_epochs(path, "unet", "gray-1")["seconds"].sum() == 7
    assert read_epochs(path, "residual_unet").empty
