"""What runs on Kaggle: `python -m tools.kaggle_run` sends this file with its settings filled in.

docs/kaggle.ipynb is made of it too, a cell for each `# %%`. It uses the standard library alone, since it starts before
the project is there. Once there is anything to keep it ends with exit status 0, since Kaggle may drop what a failed run
wrote.
"""

# %% [markdown]
# # Training on a GPU of Kaggle or Colab
#
# This notebook clones the project, trains its variants, each on a GPU of its own, and writes what came of it to a
# folder. At home, `python -m tools.kaggle_run --fetch FOLDER` takes all of it from there, and trains nothing again.
#
# - **Kaggle**: in the panel on the right, choose the accelerator *GPU T4 x2*, switch *Internet* on, and add the
#   competition or the dataset as an input. Then *Save Version*, *Save & Run All*. The results are the version's output.
# - **Colab**: choose a GPU under *Runtime*, and save your Kaggle token as the secret `KAGGLE_API_TOKEN` (the key on the
#   left). The results go to the folder `person-segmentation` of your Google Drive, a DVC remote, every quarter of an
#   hour. If a session ends early, run the notebook again: it goes on from there.

# %%
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

# %% [markdown]
# ## Settings
# Where the project is, at which commit, and what to change in its params: what you would type after `-S` at home.

# %%
REPOSITORY = "https://github.com/OWNER/person-segmentation"
COMMIT = "main"
OVERRIDES = ["source=kaggle", "budget=gpu", "loss=combined_edge"]
HOURS = 11.3  # of the 12 that Kaggle gives; the rest is for writing the results
GPU_NEEDED = True
BUNDLE = ""  # `tools.kaggle_run` sends the commit itself here, as a git bundle in base 85
BUNDLE_DATASET = ""  # or in a private dataset, where it is too large for that
EARLIER: list[str] = []  # kernels that began this run, whose output is an input of this one

# %% [markdown]
# ## Places and helpers

# %%
ON_COLAB = "COLAB_RELEASE_TAG" in os.environ
INPUT = Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input"))
DRIVE = Path("/content/drive")
OUTPUT = DRIVE / "MyDrive/person-segmentation" if ON_COLAB else Path("/kaggle/working")
OUTPUT = Path(os.environ.get("KAGGLE_OUTPUT", OUTPUT))
WORK = Path(tempfile.gettempdir(), "person-segmentation-run")  # not in OUTPUT: all of that would be kept
PROJECT, LIBRARIES = WORK / "project", WORK / "libraries"
STORE = OUTPUT if ON_COLAB else WORK  # Drive keeps a folder; Kaggle's output is a few zips of it, written at the end
REMOTE, KEPT, LOCK = STORE / "remote", STORE / "checkpoints", STORE / "dvc.lock"
CHECKPOINTS = PROJECT / ".dvc/cache/checkpoints"
MOST = 19.5e9  # bytes; Kaggle keeps 20 GB
ARCHIVE = 200e6  # bytes, about: many small files become few, and Kaggle's client loads one at a time into memory
HEARTBEAT = float(os.environ.get("KAGGLE_HEARTBEAT", "60"))  # seconds
SAVE = 900.0  # seconds between two saves on Colab, which may end at any time
START = time.monotonic()


class Failed(Exception):  # noqa: N818  it is no fault of the code's
    """One line for the person who reads the log."""


def say(text: str) -> None:
    """A line of the log, with the time since the start."""
    print(f"[{time.strftime('%H:%M:%S', time.gmtime(time.monotonic() - START))}] {text}", flush=True)


def environment() -> dict[str, str]:
    """The variables that the project's commands run with: this Python, and what was installed for it."""
    path = [str(LIBRARIES / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    own = {"PATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", "KAGGLE_INPUT": str(INPUT)}
    found = [str(LIBRARIES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | own | {"PYTHONPATH": os.pathsep.join(found)}


def run(*command: str, wrong: str, folder: Path = PROJECT) -> str:
    """What a command printed to its standard output; raises Failed that says `wrong`."""
    done = subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Failed(wrong)
    return done.stdout


def mounted(kind: str, name: str) -> Path:
    """Where Kaggle mounts the input `name`, OWNER/SLUG, of a `kind`, datasets or notebooks; it has changed its mind."""
    return next((path for path in (INPUT / kind / name, INPUT / name.split("/")[1]) if path.is_dir()), INPUT / name)


# %% [markdown]
# ## Before the training
# The GPUs; the project; its libraries, but for torch and CUDA, which stay as they are here; the params; and what an
# earlier session has left.


# %%
def gpus(query: str = "name") -> list[str]:
    """A line for each GPU."""
    with suppress(FileNotFoundError):
        command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return []


def check_machine() -> None:
    """Raises Failed if there is no GPU where one is needed."""
    found = gpus()
    torch = metadata.version("torch") if any(metadata.distributions(name="torch")) else "missing"
    say(f"Python {sys.version.split()[0]}, torch {torch}, GPUs: {', '.join(found) or 'none'}")
    if GPU_NEEDED and not found:
        raise Failed("this session has no GPU; verify your phone number at kaggle.com/settings, and choose GPU T4 x2")


def get_project() -> None:
    """A clone of the project in PROJECT, without the results of the commit's own run."""
    if PROJECT.exists():  # of a notebook that is run again in the same session
        return
    bundle = WORK / "project.bundle"
    WORK.mkdir(parents=True, exist_ok=True)
    if BUNDLE_DATASET:
        bundle = mounted("datasets", BUNDLE_DATASET) / bundle.name
    elif BUNDLE:
        bundle.write_bytes(base64.b85decode(BUNDLE))
    origin = str(bundle) if BUNDLE or BUNDLE_DATASET else REPOSITORY
    run("git", "clone", "--quiet", origin, str(PROJECT), wrong=f"{origin} could not be cloned", folder=WORK)
    if origin == REPOSITORY:
        run("git", "checkout", "--quiet", COMMIT, wrong=f"{REPOSITORY} has no commit {COMMIT}")
    (PROJECT / "dvc.lock").unlink(missing_ok=True)


def is_here(requirement: str) -> bool:
    """Whether a line of the requirements is met by what is installed."""
    name, version = requirement.split(" ;", maxsplit=1)[0].split("==")
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name) == version
    return False


def install() -> None:
    """Puts what is missing here, or here in another version, into LIBRARIES; nothing that is here is touched."""
    lines = (PROJECT / "requirements-kaggle.txt").read_text().splitlines()
    missing = [line for line in lines if not line.startswith("#") and not is_here(line)]
    say(f"installing up to {len(missing)} packages")
    (WORK / "missing.txt").write_text("\n".join(missing))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    where = ["--upgrade", "--target", str(LIBRARIES), "--requirement", str(WORK / "missing.txt")]
    run(*pip, *where, wrong="pip failed, see above; is Internet on? Kaggle gives it to verified phone numbers alone")


def set_params() -> None:
    """Applies OVERRIDES to params.yaml as `dvc exp run -S` does, and checks all of it."""
    program = "import sys; from dvc.utils.hydra import apply_overrides; apply_overrides('params.yaml', sys.argv[1:])"
    run(sys.executable, "-c", program, *OVERRIDES, wrong="the params could not be set, see above")
    print(run(sys.executable, "-m", "tools.check", wrong="the params are not valid, see above"), end="", flush=True)


def restore() -> None:
    """Brings back the results and checkpoints of the sessions that began this run."""
    for folder in [mounted("notebooks", name) for name in EARLIER]:
        for archive in sorted(folder.glob("results-*.zip")):
            with zipfile.ZipFile(archive) as contents:
                contents.extractall(STORE)
    run(
        "dvc", "remote", "add", "--quiet", "--force", "--default", "results", str(REMOTE), wrong="dvc failed, see above"
    )
    if LOCK.exists():
        say(f"going on from the results of {', '.join(EARLIER) or OUTPUT}")
        shutil.copy(LOCK, PROJECT)
        CHECKPOINTS.mkdir(parents=True, exist_ok=True)
        for checkpoint in KEPT.glob("*.safetensors"):
            shutil.copy(checkpoint, CHECKPOINTS)
        run("dvc", "fetch", "--quiet", "--run-cache", *shared_stages(), wrong="dvc failed, see above")


def shared_stages() -> list[str]:
    """All stages but the one that gets the photos: these are at Kaggle, and large."""
    names = run("dvc", "stage", "list", "--name-only", wrong="dvc failed, see above").split()
    return [name for name in names if name != "download"]


# %% [markdown]
# ## The training
# As many variants at a time as there are GPUs. It is stopped in time, as by Ctrl-C, so that the checkpoints are kept.


# %%
def train() -> tuple[str, list[str]]:
    """Runs the pipeline; returns `complete`, `stopped` or `failed`, and the lines that say what failed."""
    command = [sys.executable, "-m", "tools.jobs", str(len(gpus()) or os.cpu_count())]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    process: subprocess.Popen[str] = subprocess.Popen(command, cwd=PROJECT, env=environment(), **pipes)  # type: ignore[call-overload]
    errors: list[str] = []
    reader = threading.Thread(target=pass_on, args=(process, errors))
    reader.start()
    stopped, beat, saved = False, time.monotonic(), time.monotonic()
    while process.poll() is None:
        time.sleep(0.5)
        if time.monotonic() - beat >= HEARTBEAT:
            beat = time.monotonic()
            say(f"heartbeat: {state_of_things()}")
        if ON_COLAB and time.monotonic() - saved >= SAVE:
            with suppress(Failed):  # it has said why; there is another try
                keep("stopped", [])
            saved = time.monotonic()
        if not stopped and time.monotonic() - START >= HOURS * 3600:
            stopped = True
            say(f"{HOURS:g} hours are over: stopping; checkpoints are kept")
            process.send_signal(signal.SIGINT)
    reader.join()
    if process.returncode == 0:
        return "complete", []
    return ("stopped", []) if stopped else ("failed", errors)


def pass_on(process: "subprocess.Popen[str]", errors: list[str]) -> None:
    """Prints what `process` prints, and keeps the lines that name an error."""
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if re.match(r"(\w+: )?error: ", line, re.IGNORECASE):
            errors.append(line.strip())


def state_of_things() -> str:
    """What is trained, how busy the GPUs are, and the room on the disk."""
    models = sorted(path.stem for path in (PROJECT / "models").glob("*.safetensors"))
    busy = "; ".join(gpus("index,utilization.gpu,memory.used")) or "no GPU"
    return f"trained: {', '.join(models) or 'none yet'}; {busy}; {shutil.disk_usage(WORK).free / 1e9:.0f} GB free"


# %% [markdown]
# ## The results
# A DVC remote with everything but the photos, and the checkpoints of trainings that are not finished. On Kaggle these
# are a few zips.


# %%
def keep(state: str, errors: list[str]) -> None:
    """Writes the results to OUTPUT; what would be too much is left out, the least needed first, and named.

    Raises Failed if there are none: DVC makes dvc.lock when the first stage is done.
    """
    if not (PROJECT / "dvc.lock").exists():
        why = [re.sub(r"(\w+: )?error: ", "", line, count=1, flags=re.IGNORECASE) for line in errors[:1]]
        raise Failed("; ".join(["there is nothing to keep yet", *why]))
    push = ("dvc", "--wait-for-lock", "push", "--quiet", "--run-cache")
    run(*push, *shared_stages(), wrong="dvc push failed, see above")
    for folder in (OUTPUT, KEPT):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "dvc.lock", LOCK)
    unfinished = list(CHECKPOINTS.glob("*.safetensors"))
    for checkpoint in unfinished:
        with suppress(FileNotFoundError):  # its training has ended in this moment
            shutil.copy(checkpoint, KEPT / "partial")  # whole or not at all
            (KEPT / "partial").replace(KEPT / checkpoint.name)
    for old in {path.name for path in KEPT.iterdir()} - {path.name for path in unfinished}:
        (KEPT / old).unlink()
    # Small files first: run-cache, tables, predictions, models; last the photos as arrays, which home can make itself.
    files = [LOCK, *files_in(KEPT), *sorted(files_in(REMOTE), key=size)]
    sizes, left_out = ({}, 0) if ON_COLAB else write_archives(files)
    if left_out:
        errors.append(
            f"error: {left_out} files are left out, since Kaggle keeps {MOST / 1e9:g} GB; train fewer variants at a "
            "time, with --variants"
        )
    commit = COMMIT if BUNDLE or BUNDLE_DATASET else run("git", "rev-parse", "HEAD", wrong="git failed").strip()
    facts = {"commit": commit, "overrides": OVERRIDES, "state": state, "errors": errors[-5:], "archives": sizes}
    (OUTPUT / "results.json").write_text(json.dumps(facts, indent=2))
    say(f"{state}: {len(files) - left_out} files, {sum(map(size, files)) / 1e9:.2f} GB, are in {OUTPUT}")


def write_archives(files: list[Path]) -> tuple[dict[str, int], int]:
    """Writes `files` to OUTPUT as zips; returns their sizes, and how many files were left out."""
    sizes: dict[str, int] = {}
    left_out = 0
    for number, part in enumerate(parts_of(files)):
        room = min(MOST - sum(sizes.values()), shutil.disk_usage(OUTPUT).free)
        fitting = [path for place, path in enumerate(part) if sum(map(size, part[: place + 1])) <= room]
        left_out += len(part) - len(fitting)
        if fitting:
            archive = OUTPUT / f"results-{number:03d}.zip"
            with zipfile.ZipFile(archive, "w") as contents:  # stored: weights hardly shrink
                for path in fitting:
                    contents.write(path, path.relative_to(STORE))
            sizes[archive.name] = archive.stat().st_size
    return sizes, left_out


def parts_of(files: list[Path]) -> Iterator[list[Path]]:
    """`files` in parts that are as large as an archive."""
    part: list[Path] = []
    for path in files:
        part.append(path)
        if sum(map(size, part)) >= ARCHIVE:
            yield part
            part = []
    if part:
        yield part


def size(path: Path) -> int:
    """The bytes of a file."""
    return path.stat().st_size


def files_in(folder: Path) -> list[Path]:
    """The files under `folder`, if it is there."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


# %% [markdown]
# ## All of it


# %%
def main() -> None:
    """Everything, in order."""
    try:
        if ON_COLAB:
            from google.colab import drive, userdata  # noqa: PLC0415

            drive.mount(str(DRIVE))
            os.environ["KAGGLE_API_TOKEN"] = userdata.get("KAGGLE_API_TOKEN")
        check_machine()
        get_project()
        install()
        set_params()
        restore()
        state, errors = train()
        keep(state, errors)
    except Failed as error:
        sys.exit(f"error: {error}")
    for line in errors:
        say(line)


if __name__ == "__main__":
    main()
