"""Two branches that both ran the pipeline, and their merge, by what docs/sharing.md says."""

import shutil

import pytest

from tests.conftest import Project

OURS, THEIRS = {"models__unet__dropout": 0.3}, {"models__residual_unet__dropout": 0.3}


@pytest.fixture(scope="module")
def project(project) -> Project:
    """`main` has given unet dropout, `other` has given it to residual_unet, and `bce` has trained both by that loss."""
    project.with_environment()
    for branch, changes in (("other", THEIRS), ("bce", {"loss": "bce"}), ("main", OURS)):
        project.run("git", "switch", "--quiet", *(["main"] if branch == "main" else ["--create", branch, "main"]))
        project.run("dvc", "checkout", "--quiet")
        project.set(**changes)
        project.repro()
        project.commit(branch)
    shutil.rmtree(project.root / ".dvc/cache/runs")  # as on another machine, where the run-cache was not pushed
    return project


@pytest.mark.slow
@pytest.mark.parametrize(("branch", "trained"), [("other", []), ("bce", ["train@unet"])])
def test_make_merge_takes_of_each_stage_what_fits_and_only_what_no_side_has_is_trained(project, branch, trained):
    before = project.run("git", "rev-parse", "HEAD").stdout.strip()
    assert project.run("git", "merge", branch, check=False).returncode == 1
    assert "error: a stage would run" in project.run("make", "verify", check=False).stdout
    assert "dvc.lock has " in project.run("make", "merge").stdout
    stages = project.repro()
    assert [stage for stage in stages if stage.startswith("train@")] == trained
    project.commit("merge")
    assert project.run("make", "verify").stdout == "dvc.lock is up to date\n"
    assert project.run("git", "status", "--porcelain").stdout == ""
    project.run("git", "reset", "--quiet", "--hard", before)
    project.run("dvc", "checkout", "--quiet")


@pytest.mark.slow
def test_make_merge_without_a_merge_or_with_other_conflicts_says_so_and_changes_nothing(project):
    lock = (project.root / "dvc.lock").read_text()
    assert "error: no merge is going on" in project.run("make", "merge", check=False).stderr
    project.run("git", "switch", "--quiet", "--create", "same", "other")
    project.set(models__unet__dropout=0.4)
    project.commit("the same line")
    project.run("git", "switch", "--quiet", "main")
    assert project.run("git", "merge", "same", check=False).returncode == 1
    left = "error: params.yaml: resolve the conflict, then type make merge again"
    assert left in project.run("make", "merge", check=False).stderr
    assert (project.root / "dvc.lock").read_text() == lock
