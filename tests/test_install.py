"""Which torch `make` installs, with small wheels in place of the real ones: PyTorch's own index was never asked."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = {"torch": "2.15.0", "torchvision": "0.29.2"}
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", "installed"]


def make_index(folder: Path, build: str) -> str:
    """An index of both packages in `folder`; returns its address."""
    for name, version in PACKAGES.items():
        (folder / name).mkdir(parents=True)
        info, wheel = f"{name}-{version}{build}.dist-info", f"{name}-{version}{build}-py3-none-any.whl"
        with zipfile.ZipFile(folder / name / wheel, "w") as archive:
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}{build}\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        (folder / name / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    return folder.as_uri()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one torch")
@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="a machine with a GPU")
@pytest.mark.parametrize(
    ("choice", "driver", "build", "expected"),
    [
        ("auto", False, "+cpu", "installed"),
        ("auto", True, "+cpu", ""),
        ("auto", False, "", "the usual one, with 5 GB of CUDA, works too"),
        ("cpu", True, "+cpu", "installed"),
        ("cpu", False, "", "error: "),
        ("cuda", False, "+cpu", ""),
        ("gpu", False, "+cpu", "error: TORCH is auto, cpu or cuda, not gpu"),
    ],
)
def test_torch_without_cuda_is_for_who_has_no_gpu(tmp_path, choice, driver, build, expected):
    (tmp_path / "requirements.txt").write_text("".join(f"{name}=={version}\n" for name, version in PACKAGES.items()))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "bin").mkdir()
    if driver:
        (tmp_path / "bin/nvidia-smi").touch(mode=0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {"TORCH_CPU_INDEX": make_index(tmp_path / "index", build), "PIP_CONFIG_FILE": os.devnull}
    environment["PATH"] = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    command = ["sh", str(ROOT / "tools/cpu_torch.sh"), choice, *PIP]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == expected.startswith("error"), result.stderr
    installed = {path.name for path in tmp_path.glob("installed/*.dist-info")}
    if expected == "installed":
        assert installed == {f"{name}-{version}+cpu.dist-info" for name, version in PACKAGES.items()}
    else:
        assert not installed
        assert expected in result.stdout + result.stderr


def test_requirements_leave_cuda_to_torch():
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text().splitlines()
        assert f"torch=={PACKAGES['torch']}" in lines
        assert not [line for line in lines if line.startswith(("cuda-", "triton")) or "-cu1" in line]
