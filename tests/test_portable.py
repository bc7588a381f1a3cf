"""The same bytes on every x86-64 CPU, and a line on whether this machine's results are the committed ones."""

import shutil

from src import portable
from src.formats.tensors import read_tensors

# What a user's environment, or another CPU, would make torch's libraries choose.
OTHER_KERNELS = {"ATEN_CPU_CAPABILITY": "default", "DNNL_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "AVX512"}


def trained(project, **environment):
    """The tensors of a unet that is trained by hand with more variables set."""
    shutil.rmtree(project.root / "plots/training", ignore_errors=True)
    project.run("env", *(f"{k}={v}" for k, v in environment.items()), "python", "-m", "stages.train", "unet")
    groups, metadata = read_tensors(project.root / "models/unet.safetensors")
    return {name: tensor.tolist() for name, tensor in groups["0"].items()}, metadata


def test_the_kernels_that_a_cpu_would_choose_change_no_byte(new_project):
    project = new_project()
    project.set(compute__portable=True)
    project.repro("split")
    here, metadata = trained(project)
    assert metadata["precision"] == "32-true"
    assert trained(project, **OTHER_KERNELS)[0] == here
    project.set(compute__portable=False, compute__precision="32-true")
    assert trained(project, **OTHER_KERNELS)[0] != here  # so the variables do matter


def test_a_cpu_without_the_instructions_is_told_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(portable, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(portable.os, "environ", {})
    for flags, said in (("sse4_2 avx2 fma", 0), ("sse4_2 avx", 1)):
        (tmp_path / "cpuinfo").write_text(f"flags : fpu {flags} \n")
        portable.hold_arithmetic({"portable": True})
        assert capsys.readouterr().err.count("no AVX2 here") == said


def test_what_differs_from_the_commit_is_named(project):
    def said():
        return project.tool("same_bytes").stdout.strip()

    assert said() == "same bytes as committed"

    lock = project.root / "dvc.lock"
    ours = lock.read_text()
    model = ours.index("- path: models/unet.safetensors", ours.index("  train@unet:"))
    lock.write_text(ours[:model] + ours[model:].replace("md5: ", "md5: 0", 1))
    project.commit("results of another CPU")
    lock.write_text(ours)
    assert said().startswith("train@unet: same inputs, other bytes than those committed. This CPU or GPU")

    project.set(seed=7)
    project.repro("train@unet")
    assert "train@unet" not in said()

    lock.write_text(ours)
    (project.root / "models/unet.safetensors").unlink()
    assert "such as train@unet, have no results here" in said()
    lock.write_text(f"<<<<<<< HEAD\n{ours}")
    assert project.tool("same_bytes", check=False).stderr.startswith("error: dvc.lock cannot be read; if a merge left")
    shutil.rmtree(project.root / ".git")
    assert said().startswith("the last commit has no dvc.lock")
