"""Experiments as people run them: one override, a sweep in the queue, and what came of each, with the real dvc."""

import csv
import io
import json
import re
import shlex
import shutil

import pytest
import yaml

from tests.conftest import ROOT, Project, identify, ran, wait_until
from tests.test_resume import checkpoints

ONE = "one-loss"


@pytest.fixture(scope="module")
def project(project):
    yield project
    project.run("dvc", "queue", "stop", "--kill")


@pytest.fixture(scope="module")
def sweep(project):
    """The names of four experiments that went through the queue, by their loss and dropout."""
    overrides = ["-S", "loss=bce,combined", "-S", "models.unet.dropout=0.0,0.2"]
    project.run("dvc", "exp", "run", "--queue", *overrides, "evaluate@unet")
    assert statuses(project) == ["Queued"] * 4
    run_queue(project)
    assert statuses(project) == ["Success"] * 4
    rows = [row for row in shown(project) if row["Experiment"] != ONE]
    return {(row["loss"], float(row["models.unet.dropout"])): row["Experiment"] for row in rows}


def back(project):
    """What the README says to go back."""
    project.run("git", "checkout", "--quiet", ".")
    project.run("dvc", "checkout", "--quiet", "--allow-missing")


def statuses(project):
    """Of everything in the queue and everything that came out of it, from `dvc queue status`."""
    lines = project.run("dvc", "queue", "status").stdout.splitlines()
    return [word for line in lines for word in line.split() if word in ("Queued", "Running", "Success", "Failed")]


def start_queue(project):
    """Starts the worker, which holds on to the output that it is given: one that nobody waits for."""
    project.run("sh", "-c", "dvc queue start > /dev/null 2>&1")


def run_queue(project):
    """Starts the queue, and waits until all of it has run."""
    start_queue(project)
    wait_until(lambda: not {"Queued", "Running"} & set(statuses(project)), interval=1)


def shown(project, *arguments):
    """The experiments in `dvc exp show --csv`, each a dict by column."""
    table = project.run("dvc", "exp", "show", "--csv", *arguments).stdout
    return [row for row in csv.DictReader(io.StringIO(table)) if row["rev"] not in ("", "workspace", "main")]


@pytest.fixture(scope="module")
def one(project):
    """What the experiment ONE printed, and the metrics that it changed."""
    team = "+ensembles.team=[residual_unet,unet,unet]"  # a param that no other experiment has
    output = project.run("dvc", "exp", "run", "-n", ONE, "-S", "loss=bce", "-S", team, "evaluate@residual_unet").stdout
    changed = json.loads(project.run("dvc", "metrics", "diff", "main", "--json").stdout)
    back(project)
    return output, set(changed)


def test_an_experiment_on_one_variant_trains_that_variant_alone(project, one):
    assert ran(one[0]) == [f"{stage}@residual_unet" for stage in ("train", "predict", "evaluate")]
    assert one[1] == {"metrics/residual_unet.json"}
    assert project.repro() == []


def test_a_misspelt_name_runs_nothing_and_make_check_names_the_valid_ones(project):
    result = project.run("dvc", "exp", "run", "-S", "loss=combind", check=False)
    assert result.returncode != 0
    assert ran(result.stdout) == []
    assert "src/losses/combind.py" in result.stderr
    said = project.tool("check", check=False).stderr
    assert said.startswith("error: params.yaml: loss: there is no 'combind'; choose from bce, bce_dice, combined, ")
    project.run("git", "checkout", "--quiet", "params.yaml")
    assert project.repro() == []


@pytest.mark.slow
def test_after_the_next_commit_all_of_them_still_show_in_columns_that_fit(project, one, sweep):
    (project.root / "README.md").write_text("Another page.\n")
    project.commit("page")
    result = project.tool("experiments")
    lines = [line for line in result.stdout.splitlines() if line]
    assert {ONE, *sweep.values()} <= {line.split()[0] for line in lines}
    assert max(map(len, lines)) <= 80
    assert "ensembles.team" in result.stdout
    row, *_ = (line.split() for line in lines if line.split()[0] == sweep["combined", 0.2])  # the table is cut in two
    assert row[1:3] == ["combined", "0.2"]
    assert result.stderr == ""


@pytest.mark.slow
def test_an_experiment_from_before_the_last_commit_is_merged_and_takes_nothing_back(project, sweep):
    name, page = sweep["bce", 0.2], project.root / "README.md"
    project.run("dvc", "exp", "apply", name)
    assert "README.md" in project.run("git", "diff", "--name-only").stdout  # why the docs do not recommend this
    back(project)
    project.run("dvc", "exp", "branch", name, "kept")
    project.run("git", "merge", "--no-edit", "kept")
    project.run("dvc", "checkout", "--quiet")
    assert page.read_text() == "Another page.\n"
    assert set(json.loads(project.run("dvc", "metrics", "diff", "HEAD^", "--json").stdout)) == {"metrics/unet.json"}
    assert project.repro("evaluate@unet") == []
    project.run("git", "reset", "--quiet", "--hard", "HEAD^")
    project.run("dvc", "checkout", "--quiet")


def command(page, start):
    """The first command on the page of docs that begins with `start`."""
    return shlex.split(next(line for line in (ROOT / "docs" / page).read_text().splitlines() if start in line))


@pytest.mark.slow
def test_a_page_of_plots_has_the_targets_alone(project, sweep):
    project.run("dvc", "exp", "apply", sweep["combined", 0.2])
    project.run(*command("experiments.md", "    dvc plots diff main --targets"))
    page = (project.root / "dvc_plots/index.html").read_text()
    assert page.count("vegaEmbed('#") == 1
    pictures = re.findall(r'<img src="(.*?)"', page)
    assert 0 < len(pictures) <= 2 * len(list((project.root / "plots/evaluation/unet/pictures").iterdir()))
    assert all("evaluation_unet_pictures" in picture for picture in pictures)
    back(project)


@pytest.mark.slow
def test_making_room_keeps_what_branches_and_experiments_need_and_nothing_else(project, sweep):
    def models():
        lock = yaml.safe_load((project.root / "dvc.lock").read_text())
        hashes = [out["md5"] for out in lock["stages"]["train@unet"]["outs"] if out["path"].endswith(".safetensors")]
        return [project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:] for md5 in hashes]

    project.run("dvc", "exp", "run", "-n", "gone", "-S", "seed=5", "train@unet")
    (gone,) = models()
    back(project)
    project.run("dvc", "exp", "remove", "gone")
    assert gone.exists()
    checkpoint = project.root / ".dvc/cache/checkpoints/of-a-run-that-goes-on.safetensors"
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.touch()
    project.run(*command("disk-space.md", "    dvc gc "), "--force")
    assert not gone.exists()
    assert checkpoint.exists()
    checkpoint.unlink()
    assert project.repro() == []
    for name in sweep.values():
        project.run("dvc", "exp", "apply", name)
        assert all(model.exists() for model in models())
        assert project.repro("train@unet", "evaluate@unet") == []
        back(project)


@pytest.mark.slow
def test_a_queued_training_that_was_killed_goes_on_when_it_is_queued_again(project):
    command = ["dvc", "exp", "run", "--queue", "-S", "cpu.train.epochs=60", "evaluate@unet"]
    project.run(*command, "-n", "killed")
    start_queue(project)
    wait_until(lambda: checkpoints(project))
    for process in project.processes("stages.train"):
        process.kill()
    run_queue(project)
    assert statuses(project).count("Failed") == 1

    project.run(*command, "-n", "again")
    run_queue(project)
    assert "going on from epoch" in project.run("dvc", "queue", "logs", "again").stdout
    assert not checkpoints(project)
    project.run("dvc", "queue", "stop")
    wait_until(lambda: not project.processes())


@pytest.mark.slow
def test_going_back_to_an_experiment_runs_nothing_where_the_results_of_the_commit_are_not(project, tmp_path):
    project.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone, command = Project(tmp_path / "clone"), ["dvc", "exp", "run", "-S", "synthetic.seed=9", "submit@unet"]
    identify(clone)
    assert "train@unet" in ran(clone.run(*command).stdout)
    back(clone)
    assert ran(clone.run(*command).stdout) == ["split"]


def test_without_a_commit_make_experiments_says_what_to_type(new_project):
    project = new_project()
    shutil.rmtree(project.root / ".git")
    for _ in range(2):
        result = project.tool("experiments", check=False)
        assert result.stderr.startswith("error: experiments belong to commits, and there is none; type: git init && ")
        assert len(result.stderr.splitlines()) == result.returncode == 1
        project.run("git", "init", "--quiet")
