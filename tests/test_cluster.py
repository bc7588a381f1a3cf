"""The files for several machines, as they stand: what two clones train at once, a third one does not train again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Project, copy_project, ran
from tests.test_resume import hashes

VARIANTS = ["unet", "unet_paper", "residual_unet"]
CLUSTER = ROOT / "tools/cluster"
SKY = yaml.safe_load((CLUSTER / "sky.yaml").read_text())


@pytest.fixture
def team(tmp_path):
    """A project with its photos in a remote, and no variant trained."""
    project = copy_project(tmp_path / "project", VARIANTS)
    project.run("dvc", "remote", "add", "--default", "team", str(tmp_path / "remote"))
    project.repro("split")
    project.run("dvc", "push")
    project.commit("photos")
    return project


def clone(team: Project, folder: Path) -> Project:
    team.run("git", "clone", "--quiet", ".", str(folder))
    return Project(folder)


def nothing_is_left_to_train(team: Project, folder: Path) -> Project:
    """A clone in which `dvc repro` has found every variant trained."""
    third = clone(team, folder)
    stages = third.repro("--pull", "--allow-missing")
    assert {"train", "predict", "download"}.isdisjoint(stage.split("@")[0] for stage in stages)
    assert not (third.root / "data/downloaded.zip").exists()
    return third


@pytest.mark.slow
def test_jobs_of_a_slurm_array_and_of_skypilot(team, tmp_path):
    array = ["env", f"SLURM_SUBMIT_DIR={team.root}", "SLURM_ARRAY_JOB_ID=7"]
    cloud = clone(team, tmp_path / "cloud/project").root.parent
    jobs = [
        [*array, "SLURM_ARRAY_TASK_ID=0", "bash", str(CLUSTER / "array.sbatch")],
        [*array, "SLURM_ARRAY_TASK_ID=1", "bash", str(CLUSTER / "array.sbatch")],
        ["env", f"--chdir={cloud}", f"VARIANT={VARIANTS[2]}", "bash", "-c", SKY["run"]],
    ]
    with ThreadPoolExecutor() as pool:  # all at once
        outputs = [result.stdout for result in pool.map(lambda command: team.run(*command), jobs)]
    for variant, output in zip(VARIANTS, outputs, strict=True):
        assert ran(output) == [f"{stage}@{variant}" for stage in ("train", "predict", "evaluate")]
    third = nothing_is_left_to_train(team, tmp_path / "third")
    team.run("dvc", "repro", "--pull", "--allow-missing")  # nor where the array was started from
    assert hashes(third) == hashes(team)
