"""What runs on Kaggle or Colab, in a clone of the project: trains, and writes what came of it to a folder.

The script that `python -m tools.kaggle_run` sends, or docs/kaggle.ipynb, makes the clone and runs this file with the
arguments of `main` as JSON. It uses the standard library alone, since the project's libraries are not there yet. Once
there is anything to keep it ends with exit status 0, since Kaggle may drop what a failed run wrote.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

ON_COLAB = "COLAB_RELEASE_TAG" in os.environ
INPUT = Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input"))
OUTPUT = Path("/content/drive/MyDrive/person-segmentation" if ON_COLAB else "/kaggle/working")
OUTPUT = Path(os.environ.get("KAGGLE_OUTPUT", OUTPUT))
PROJECT = Path(__file__).resolve().parents[2]
LIBRARIES = PROJECT.parent / "libraries"
STORE = OUTPUT if ON_COLAB else PROJECT.parent / "results"  # Drive keeps a folder; Kaggle's output is a zip of it
REMOTE, KEPT, LOCK = STORE / "remote", STORE / "checkpoints", STORE / "dvc.lock"
ARCHIVE = "person-segmentation-results.zip"
CHECKPOINTS = PROJECT / ".dvc/cache/checkpoints"
THEIRS = re.compile(r"(torch|torchvision|triton|nvidia-.*|cuda-.*)==")
SAVE = 900.0  # seconds between two saves on Colab, which may end at any time
START = time.monotonic()


class Failed(Exception):  # noqa: N818  it is no fault of the code's
    """One line for the person who reads the log."""


def environment() -> dict[str, str]:
    """The variables that the project's commands run with: this Python, and what was installed for it."""
    path = [str(LIBRARIES / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    own = {"PATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
    found = [str(LIBRARIES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | own | {"PYTHONPATH": os.pathsep.join(found)}


def run(*command: str, wrong: str = "dvc failed, see above") -> str:
    """What a command printed to its standard output; raises Failed that says `wrong`."""
    done = subprocess.run(command, cwd=PROJECT, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Failed(wrong)
    return done.stdout


def gpus() -> list[str]:
    """Their names."""
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()


def check_machine(gpu_needed: bool) -> None:
    """Raises Failed if there is no GPU where one is needed."""
    found = gpus()
    torch = metadata.version("torch") if any(metadata.distributions(name="torch")) else "missing"
    print(f"Python {sys.version.split()[0]}, torch {torch}, GPUs: {', '.join(found) or 'none'}", flush=True)
    if gpu_needed and not found:
        raise Failed("this session has no GPU; verify your phone number at kaggle.com/settings, and choose GPU T4 x2")


def is_here(requirement: str) -> bool:
    """Whether a line of the requirements is met by what is installed."""
    name, version = requirement.split(" ;", maxsplit=1)[0].split("==")
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name) == version
    return False


def install() -> None:
    """Puts what is missing here, or here in another version, into LIBRARIES; nothing that is here is touched.

    The torch that the project pins wants a newer driver than Kaggle may have: torch and CUDA stay as they are here.
    """
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    missing = [line for line in lines if line[:1].isalnum() and not THEIRS.match(line) and not is_here(line)]
    print(f"installing up to {len(missing)} packages", flush=True)
    wanted = LIBRARIES.with_name("missing.txt")
    wanted.write_text("\n".join(missing))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    where = ["--upgrade", "--target", str(LIBRARIES), "--requirement", str(wanted)]
    run(*pip, *where, wrong="pip failed, see above; is Internet on? Kaggle gives it to verified phone numbers alone")


def set_params(overrides: list[str]) -> None:
    """Applies `overrides` to params.yaml as `dvc exp run -S` does, and checks all of it."""
    program = "import sys; from dvc.utils.hydra import apply_overrides; apply_overrides('params.yaml', sys.argv[1:])"
    run(sys.executable, "-c", program, *overrides, wrong="the params could not be set, see above")
    print(run(sys.executable, "-m", "tools.check", wrong="the params are not valid, see above"), end="", flush=True)


def restore() -> None:
    """Brings back the results and checkpoints of an earlier session of this run; the commit's own dvc.lock goes."""
    for archive in [] if ON_COLAB else INPUT.rglob(ARCHIVE):
        shutil.unpack_archive(archive, STORE)
    (PROJECT / "dvc.lock").unlink(missing_ok=True)
    run("dvc", "remote", "add", "--quiet", "--force", "--default", "results", str(REMOTE))
    if LOCK.exists():
        print("going on from the results of an earlier session", flush=True)
        shutil.copy(LOCK, PROJECT)
        copy_checkpoints(KEPT, CHECKPOINTS)
        run("dvc", "fetch", "--quiet", "--run-cache", *shared_stages())


def shared_stages() -> list[str]:
    """All stages but the one that gets the photos: these are at Kaggle, and large."""
    return [name for name in run("dvc", "stage", "list", "--name-only").split() if name != "download"]


def train(hours: float) -> str:
    """Runs the pipeline, as many variants at a time as there are GPUs, and stops it in time, as by Ctrl-C.

    Returns why not all of it was done, empty if it was.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.jobs", str(len(gpus()) or os.cpu_count())],
        cwd=PROJECT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    errors: list[str] = []
    reader = threading.Thread(target=pass_on, args=(process, errors))
    reader.start()
    stopped, saved = False, time.monotonic()
    while process.poll() is None:
        time.sleep(0.5)
        if ON_COLAB and time.monotonic() - saved >= SAVE:
            with suppress(Failed):  # it has said why; there is another try
                push()
            saved = time.monotonic()
        if not stopped and time.monotonic() - START >= hours * 3600:
            stopped = True
            print(f"{hours:g} hours are over: stopping; checkpoints are kept", flush=True)
            process.send_signal(signal.SIGINT)
    reader.join()
    if process.returncode == 0:
        return ""
    return (
        f"stopped after {hours:g} hours" if stopped else [*errors, "the training failed, for the reason in the log"][0]
    )


def pass_on(process: "subprocess.Popen[str]", errors: list[str]) -> None:
    """Prints what `process` prints, and adds what lines that name an error say, with the variant that has it."""
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if found := re.match(r"(\w+: )?error: (.*)", line, re.IGNORECASE):
            errors.append("".join(found.groups("")).strip())


def push() -> None:
    """Writes the results to STORE: a DVC remote with all but the photos, dvc.lock, and the checkpoints.

    Raises Failed if there are none: DVC makes dvc.lock when the first stage is done.
    """
    if not (PROJECT / "dvc.lock").exists():
        raise Failed("there is nothing to keep yet")
    run("dvc", "--wait-for-lock", "push", "--quiet", "--run-cache", *shared_stages())
    copy_checkpoints(CHECKPOINTS, KEPT)
    shutil.copy(PROJECT / "dvc.lock", LOCK)


def copy_checkpoints(origin: Path, target: Path) -> None:
    """Makes `target` hold the checkpoints that `origin` holds, each whole."""
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for path in origin.glob("*.safetensors"):
        with suppress(FileNotFoundError):  # its training has ended in this moment
            shutil.copy(path, fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def main(commit: str, overrides: list[str], gpu: bool = True, hours: float = 11.3) -> None:
    """Everything, in order: `gpu` says whether one is needed, `hours` when to stop, of the 12 that Kaggle gives."""
    problem = ""
    try:
        check_machine(gpu)
        install()
        set_params(overrides)
        restore()
        problem = train(hours)
        push()
    except Failed as error:
        sys.exit(f"error: {'; '.join(filter(None, [str(error), problem]))}")
    if not ON_COLAB:
        shutil.make_archive(str(OUTPUT / ARCHIVE).removesuffix(".zip"), "zip", STORE)
    facts = {"commit": commit, "overrides": overrides, "problem": problem}
    (OUTPUT / "results.json").write_text(json.dumps(facts, indent=2))
    print(f"{problem or 'complete'}: the results are in {OUTPUT}", flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
