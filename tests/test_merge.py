"""Two branches that both ran the pipeline, and their merge, by what docs/sharing.md says."""

import os

import pytest

from tests.conftest import ROOT, Project, copy_project
from tests.warm import warm_python

VARIANTS = ["unet", "residual_unet"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which `main` has given unet dropout, and `bce` has trained both variants with that loss."""
    project = copy_project(tmp_path_factory.mktemp("merge") / "project", VARIANTS)
    project.set(cpu__train__epochs=1)
    with warm_python(ROOT) as warm:
        project.path = f"{warm}{os.pathsep}{Project.path}"
        project.repro()
        commit(project, "results")
        project.run("git", "switch", "--quiet", "--create", "bce")
        project.set(loss="bce")
        project.repro()
        commit(project, "bce")
        project.run("git", "switch", "--quiet", "main")
        project.run("dvc", "checkout", "--quiet")
        project.set(models__unet__dropout=0.3)
        project.repro()
        commit(project, "dropout")
        (project.root / ".venv").mkdir()
        (project.root / ".venv/requirements").touch()  # the environment is there: ours
        yield project


def commit(project, message):
    project.run("git", "add", ".")
    project.run("git", "commit", "--quiet", "--message", message)


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
    commit(project, "merge")
    assert project.run("make", "verify").stdout == "dvc.lock is up to date\n"
    assert project.run("git", "status", "--porcelain").stdout == ""
    return [stage for stage in stages if stage.startswith("train@")]
