"""Two branches that both ran the pipeline, and their merge, by what docs/sharing.md says."""

import pytest

from tests.conftest import copy_finished


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory):
    """A project in which `main` has given unet dropout, and `bce` has trained both variants with that loss."""
    project = copy_finished(finished, tmp_path_factory.mktemp("merge") / "project")
    project.run("git", "switch", "--quiet", "--create", "bce")
    project.set(loss="bce")
    project.repro()
    project.commit("bce")
    project.run("git", "switch", "--quiet", "main")
    project.run("dvc", "checkout", "--quiet")
    project.set(models__unet__dropout=0.3)
    project.repro()
    project.commit("dropout")
    (project.root / ".venv").mkdir()
    (project.root / ".venv/requirements").touch()  # the environment is there: ours
    return project


@pytest.mark.slow
def test_one_side_is_taken_and_only_what_no_side_has_is_trained(project):
    trained = merge_and_repro(project)
    assert trained == ["train@unet"]  # with both changes; what bce made of residual_unet is in the cache
    project.run("git", "reset", "--quiet", "--hard", "HEAD^")
    project.run("dvc", "checkout", "--quiet")
    trained = merge_and_repro(project, ["git", "checkout", "--theirs", "dvc.lock", "metrics"], ["dvc", "checkout"])
    assert trained == []  # the first merge has trained it


def merge_and_repro(project, *commands) -> list[str]:
    """Merges, takes a side with `commands`, runs and commits; returns the trainings that ran."""
    assert project.run("git", "merge", "bce", check=False).returncode == 1
    conflicts = project.run("git", "diff", "--name-only", "--diff-filter=U").stdout.splitlines()
    assert conflicts == ["dvc.lock", "metrics/unet.json"]
    verify = project.run("make", "verify", check=False)
    assert verify.returncode != 0
    assert "error: a stage would run" in verify.stdout
    for command in commands:
        project.run(*command)
    stages = project.repro()
    project.commit("merge")
    assert project.run("make", "verify").stdout == "dvc.lock is up to date\n"
    assert project.run("git", "status", "--porcelain").stdout == ""
    return [stage for stage in stages if stage.startswith("train@")]
