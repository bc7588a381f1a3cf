"""tools/kaggle_run for real: Kaggle's own client against a server on this machine, and the kernel's script in a process
of its own, with Kaggle's folders laid out elsewhere.
"""

import ast
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from src.errors import UserError
from src.formats.raw import RAW
from src.sources import kaggle
from tests.conftest import ROOT, Project, copy_project, ran, write_raw
from tests.kaggle_server import CUT, SECRETS, USER, KaggleServer, Kernel, at_start
from tests.test_kaggle import sign_in
from tools.kaggle_run.derived import notebook, without_torch
from tools.kaggle_run.pack import fill_in

SLUG = "people-2025"
# Runs at the start of the tool's process: another address and shorter waits, nothing else.
START = (
    at_start("tools.kaggle_run", "stages.download", timeout=(30.0, 30.0))
    + """\
if "tools.kaggle_run" in sys.orig_argv:
    from tools.kaggle_run import pack, service
    service.INTERVAL = service.DATASET_INTERVAL = 0.2
    pack.LONGEST_SCRIPT = int(os.environ.get("TEST_LONGEST", pack.LONGEST_SCRIPT))
"""
)


@dataclass
class Bench:
    """A project at home, and Kaggle beside it: its server, and the folders that a kernel sees."""

    home: Project
    server: KaggleServer
    kaggle: Path

    def call(self, *arguments: str, check: bool = True) -> str:
        """Runs the tool; returns what it printed, which holds no secret."""
        result = self.home.tool("kaggle_run", *arguments, check=check)
        shown = result.stdout + result.stderr
        assert not any(secret in shown for secret in SECRETS)
        assert "Traceback" not in shown, shown
        return shown

    def fails(self, *arguments: str) -> str:
        """The tool ends in one line, which is returned."""
        result = self.home.tool("kaggle_run", *arguments, check=False)
        lines = [line for line in result.stderr.replace("\r", "\n").splitlines() if line.startswith("error: ")]
        assert result.returncode == 1 and len(lines) == 1 and "Traceback" not in result.stderr, result.stderr
        assert not any(secret in result.stdout + result.stderr for secret in SECRETS)
        return lines[0]

    def run_script(self, script: str, name: str, earlier: Path | None = None) -> tuple[int, list[str], Path]:
        """Runs a kernel's script as Kaggle would, in folders of its own; its status, its log and its output."""
        folder, output = self.kaggle / name, self.kaggle / name / "working"
        inputs = self.kaggle / "input"
        if earlier:
            notebooks = inputs / "notebooks" / USER
            notebooks.mkdir(parents=True, exist_ok=True)
            shutil.copytree(earlier, notebooks / earlier.parent.name)
        output.mkdir(parents=True)
        (folder / "kernel.py").write_text(script)
        (folder / "tmp").mkdir()
        places = {"KAGGLE_INPUT": str(inputs), "KAGGLE_OUTPUT": str(output), "TMPDIR": str(folder / "tmp")}
        done = subprocess.run(
            [sys.executable, str(folder / "kernel.py")],
            cwd=output,
            env=os.environ | places | {"KAGGLE_HEARTBEAT": "1", "PYTHONPATH": "", "KAGGLE_KERNEL_RUN_TYPE": "Batch"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines(), output

    def runs_for_real(self, edit=lambda script: script) -> None:
        """From now on a kernel that is pushed runs, beside the tool; `edit` may change its script."""

        def run(kernel: Kernel) -> None:
            earlier = [self.server.kernels[name].output for name in kernel.request.get("kernelDataSources", [])]
            name = kernel.request["slug"].split("/")[1]
            status, kernel.log, kernel.output = self.run_script(
                edit(kernel.request["text"]), name, earlier[0] if earlier else None
            )
            kernel.status = "ERROR" if status else "COMPLETE"

        self.server.on_push = lambda kernel: threading.Thread(target=run, args=(kernel,)).start()

    def ends(self, status: str, *log: str, **results: object) -> None:
        """From now on a kernel that is pushed has ended, with this log, and these results if there are any."""

        def end(kernel: Kernel) -> None:
            kernel.status, kernel.log = status, list(log)
            if results:
                kernel.output = self.kaggle / kernel.request["slug"].replace("/", "-")
                kernel.output.mkdir()
                facts = {"commit": self.commit(), "overrides": ["source=kaggle"], "errors": [], "archives": {}}
                (kernel.output / "results.json").write_text(json.dumps(facts | results))

        self.server.on_push = end

    def commit(self) -> str:
        return self.home.run("git", "rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    project = copy_project(tmp_path / "project", ["unet", "unet_paper"])
    project.set(compute__device="cpu", kaggle__competition=SLUG, cpu__train__epochs=40)
    project.run("git", "commit", "--quiet", "--all", "--message", "params")
    write_raw(tmp_path / "kaggle/input/competitions" / SLUG)
    home, start = tmp_path / "home", tmp_path / "start"
    (home / ".kaggle").mkdir(parents=True)
    start.mkdir()
    (start / "sitecustomize.py").write_text(START)
    for name in [name for name in os.environ if name.startswith("KAGGLE_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / ".kaggle"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("PYTHONPATH", str(start))
    sign_in(home)
    with KaggleServer() as server:
        monkeypatch.setenv("TEST_KAGGLE_URL", server.url)
        yield Bench(project, server, tmp_path / "kaggle")


def trainings(output: str, how: str) -> set[str]:
    """The trainings of which DVC says `how`."""
    return set(re.findall(rf"Stage '(train@\w+)' {how}", output))


# --- for real


@pytest.mark.slow
def test_a_run_on_kaggle_that_takes_two_kernels_ends_as_one_at_home_would(bench):
    command = ["-S", "loss=combined", "--variants", "unet"]
    bench.runs_for_real(out_of_time)
    assert "was stopped before all was trained; what is finished is kept" in bench.fails(*command)
    (kernel,) = bench.server.kernels.values()
    sent = kernel.request
    assert sent["machineShape"] == "NvidiaTeslaT4" and sent["isPrivate"] and sent["enableInternet"]
    assert (sent["kernelType"], sent["competitionDataSources"]) == ("script", [SLUG])
    assert not any(secret in json.dumps(sent) for secret in SECRETS)

    root, model = bench.home.root, "models/unet.safetensors"
    (root / RAW).write_bytes(b"drawn")  # left from a run with other photos

    bench.runs_for_real()
    shown = bench.call(*command)
    second = bench.server.kernels[f"{sent['slug']}-2"]
    log = "\n".join(second.log)
    assert second.request["kernelDataSources"] == [sent["slug"]]
    assert "going on from epoch" in log and "heartbeat: trained: " in log
    assert f"sends commit {bench.commit()[:10]} to kaggle.com/code/{sent['slug']}-2, private\n" in shown
    assert "GPU 3.2 of 30 h this week" in shown and "complete: " in shown, "the last lines of its log"

    assert trainings(shown, "is cached - skipping run") == {"train@unet"}
    assert {stage.split("@")[0] for stage in ran(shown)} == {"split", "evaluate"}, "nothing else has run at home"
    assert not (root / RAW).exists(), "the photos are at Kaggle"
    assert (root / "report/index.html").exists() and (root / "submissions/unet.csv").exists()
    there = bench.kaggle / second.request["slug"].split("/")[1] / "tmp/person-segmentation-run/project"
    assert (root / model).read_bytes() == (there / model).read_bytes()

    again = bench.call(*command)
    assert len(bench.server.kernels) == 2 and not trainings(again, "is cached") and ran(again) == []


def out_of_time(script: str) -> str:
    """The script with a clock that has run out once there is a checkpoint."""
    old = "time.monotonic() - START >= HOURS * 3600"
    assert old in script
    return script.replace(old, "any(CHECKPOINTS.glob('*.safetensors'))")


# --- what Kaggle may answer


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("Maximum weekly GPU quota of 30.00 hours reached.", ("30.00 hours reached.)", "when the week is over")),
        ("Maximum batch GPU session count of 2 reached.", ("count of 2 reached.)", "one of your other kernels")),
        ("Something about phones.", ("Something about phones.)", "verified phone numbers", "kaggle.com/settings")),
    ],
)
@pytest.mark.slow
def test_a_kernel_that_kaggle_does_not_start(bench, answer, says):
    bench.server.push_answer = {"error": answer}
    line = bench.fails()
    assert all(text in line for text in ("Kaggle does not start the kernel", *says)), line
    bench.server.push_answer = {}
    bench.ends("RUNNING")
    assert "is started" in bench.call("--push-only")
    assert len(bench.server.kernels) == 1


@pytest.mark.slow
def test_photos_that_the_user_may_not_use(bench):
    bench.server.push_answer = {"invalidCompetitionSources": [SLUG]}
    line = bench.fails()
    assert f"without {SLUG}" in line and "accept its rules" in line


@pytest.mark.slow
def test_a_phone_that_is_not_verified_and_credentials_that_are_wrong_or_missing(bench):
    bench.server.fail("/SaveKernel", 403, message="no GPU for you")
    line = bench.fails()
    assert "(403)" in line and "verified phone numbers" in line and "no GPU for you" in line
    bench.server.fail("/GetKernelSessionStatus", 401)
    assert "did not accept your credentials (401)" in bench.fails()
    shutil.rmtree(Path(os.environ["HOME"]) / ".kaggle")
    assert "no Kaggle credentials that are valid" in bench.fails("-S", "loss=bce")
    assert not bench.server.kernels


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["answer", "connection"])
def test_nothing_is_pushed_twice(bench, lost):
    bench.ends("RUNNING")
    if lost == "answer":
        bench.server.fail("/SaveKernel", CUT, late=True, times=1)
    bench.call("--push-only")
    bench.server.fail("/GetKernelSessionStatus", CUT)
    assert "the connection to Kaggle failed, attempt 4" in bench.fails()
    bench.server.faults.clear()
    assert "is running; without --push-only" in bench.call("--push-only")
    assert len(bench.server.kernels) == len(bench.server.seen("/SaveKernel")) == 1


@pytest.mark.slow
def test_ctrl_c_while_it_waits_stops_nothing_at_kaggle(bench):
    bench.ends("RUNNING", "a line of the log")
    waiting = subprocess.Popen(
        ["python", "-m", "tools.kaggle_run"],
        cwd=bench.home.root,
        env=bench.home.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert waiting.stdout
    for line in waiting.stdout:
        if "a line of the log" in line:
            waiting.send_signal(signal.SIGINT)
            break
    assert waiting.stdout.read().strip().endswith("error: interrupted; start the same command again")
    assert waiting.wait() == 1
    (kernel,) = bench.server.kernels.values()
    kernel.status, kernel.failure = "ERROR", "Your kernel ran out of memory."
    assert "failed (ERROR): Your kernel ran out of memory." in bench.fails("--fetch")


@pytest.mark.slow
def test_a_kernel_that_failed_is_told_in_its_own_last_words_and_the_next_try_is_another_one(bench):
    bench.ends("ERROR", "Python 3.12.1", "error: this session has no GPU; verify your phone number")
    line = bench.fails()
    assert "failed (ERROR): error: this session has no GPU; verify your phone number; the same command" in line
    assert "failed (ERROR): error: this session" in bench.fails("--fetch") and len(bench.server.kernels) == 1
    bench.ends("COMPLETE", state="failed", errors=["unet: error: the disk is full"])
    assert "the disk is full; what is finished is kept" in bench.fails()
    bench.ends("RUNNING")
    bench.call("--push-only")
    assert [k.request.get("kernelDataSources", []) for k in bench.server.kernels.values()][2] == [
        list(bench.server.kernels)[1]
    ], "what the first one wrote is nothing to go on from"


@pytest.mark.slow
def test_a_kernel_without_its_photos_says_so(bench):
    shutil.rmtree(bench.kaggle / "input")
    (bench.kaggle / "input").mkdir()
    bench.runs_for_real()
    line = bench.fails("--variants", "unet")
    assert f"there is nothing to keep yet; {SLUG} is not among the inputs of this kernel" in line
    (kernel,) = bench.server.kernels.values()
    assert not any("Traceback" in shown for shown in kernel.log)


@pytest.mark.slow
def test_results_of_another_commit_are_not_taken(bench):
    bench.ends("RUNNING")
    bench.call("--push-only")
    old = bench.commit()
    bench.home.run("git", "commit", "--quiet", "--allow-empty", "--message", "later")
    assert f"git checkout {old[:10]} to go on with it" in bench.fails()
    folder = bench.kaggle / "downloads"
    folder.mkdir()
    facts = {"commit": old, "overrides": ["source=kaggle"], "state": "complete", "errors": [], "archives": {}}
    (folder / "results.json").write_text(json.dumps(facts))
    shutil.rmtree(bench.home.root / ".cache/kaggle/runs")
    assert f"belongs to commit {old[:10]}" in bench.fails("--fetch", str(folder))
    (folder / "results.json").write_text(json.dumps(facts | {"commit": bench.commit(), "archives": {"a.zip": 1}}))
    assert "a.zip is missing or not whole" in bench.fails("--fetch", str(folder))
    assert "results.json is missing" in bench.fails("--fetch", str(bench.kaggle))


@pytest.mark.slow
def test_what_is_too_large_for_kaggle_is_named(bench):
    output = bench.kaggle / "output"
    script = bench.home.root / "tools/kaggle_run/kernel.py"
    program = f"""
import runpy, pathlib
kernel = runpy.run_path({str(script)!r})
files = [pathlib.Path(str(n)) for n in range(4)]
for number, path in enumerate(files): (kernel["WORK"] / path).write_bytes(b"x" * 10 * (number + 1))
space = kernel["write_archives"].__globals__
space |= {{"MOST": 75.0, "ARCHIVE": 25.0}}
print(kernel["write_archives"]([kernel["WORK"] / path for path in files]))
"""
    (output.parent / "tmp/person-segmentation-run").mkdir(parents=True)
    output.mkdir()
    places = {"KAGGLE_OUTPUT": str(output), "TMPDIR": str(output.parent / "tmp")}
    shown = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | places, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip().endswith(", 2)"), shown.stdout
    bench.ends("COMPLETE", state="complete", errors=["error: 3 files are left out; train fewer variants"])
    assert "3 files are left out; train fewer variants" in bench.fails()


# --- what is sent


def test_what_is_sent_holds_the_commit_and_no_secret(bench):
    root = bench.home.root
    bench.ends("RUNNING")
    bench.home.run("dvc", "remote", "add", "--default", "team", "https://user:PASSWORD-of-the-remote@localhost/x")
    bench.home.run("git", "add", ".dvc/config")
    bench.home.run("git", "commit", "--quiet", "--message", "a password in the wrong place")
    (root / "src/models/unet.py").write_text((root / "src/models/unet.py").read_text() + "# not committed\n")
    (root / "kaggle.json").write_text(SECRETS[0])
    shown = bench.call("--push-only", "-S", "loss=combined", "--variants", "unet")
    assert "uncommitted changes stay here: src/models/unet.py" in shown
    (kernel,) = bench.server.kernels.values()
    text = kernel.request["text"]
    (bundle,) = re.findall(r"(?m)^BUNDLE = (['\"].*['\"])$", text)
    (bench.kaggle / "sent.bundle").write_bytes(base64.b85decode(ast.literal_eval(bundle)))
    bench.home.run("git", "clone", "--quiet", str(bench.kaggle / "sent.bundle"), str(bench.kaggle / "sent"))
    sent = {path.relative_to(bench.kaggle / "sent").as_posix() for path in (bench.kaggle / "sent").rglob("*")}
    assert {"dvc.yaml", "params.yaml", "src/models/unet.py", "tools/jobs.py", "requirements-kaggle.txt"} <= sent
    assert not sent & {"docs", "tests", "benchmarks", ".dvc/config", "kaggle.json", "dvc.lock"}
    assert "not committed" not in (bench.kaggle / "sent/src/models/unet.py").read_text()
    assert f"COMMIT = '{bench.commit()}'" in text
    assert "OVERRIDES = ['source=kaggle', 'loss=combined', 'variants=[unet]']" in text
    clone = ["git", "-C", str(bench.kaggle / "sent")]
    assert bench.home.run(*clone, "rev-list", "--all", "--count").stdout == "1\n", "no history"
    assert not bench.home.run(*clone, "grep", "PASSWORD-of-the-remote", "HEAD", check=False).stdout


@pytest.mark.slow
def test_what_is_too_much_for_a_script_goes_into_a_private_dataset(bench, monkeypatch):
    monkeypatch.setenv("TEST_LONGEST", "1000")
    bench.ends("RUNNING")
    assert "the private dataset" in bench.call("--push-only")
    ((name, content),) = bench.server.datasets.items()
    (kernel,) = bench.server.kernels.values()
    assert kernel.request["datasetDataSources"] == [name] and f"BUNDLE_DATASET = {name!r}" in kernel.request["text"]
    folder = bench.kaggle / "input/datasets" / name
    folder.mkdir(parents=True)
    (folder / "project.bundle").write_bytes(content)
    program = kernel.request["text"].replace(
        "    main()\n", "    get_project()\n    print(size(PROJECT / 'dvc.yaml'))\n"
    )
    status, log, _ = bench.run_script(program, "with-dataset")
    assert (status, log) == (0, [str((bench.home.root / "dvc.yaml").stat().st_size)])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("-S", "loss=bce,combined"), "one value for each key", marks=pytest.mark.slow),
        pytest.param(("-S", "loss"), "-S: ", marks=pytest.mark.slow),
        pytest.param(("-S", "no_such_key=1"), "no_such_key", marks=pytest.mark.slow),
        (("-S", "loss=combind"), "there is no 'combind'; choose from bce"),
        pytest.param(("--variants", "unett"), "there is no 'unett'; choose from", marks=pytest.mark.slow),
        pytest.param(("-S", "source=local"), "photos of your own are not at Kaggle", marks=pytest.mark.slow),
        pytest.param(
            ("--fetch",), "there is no kernel kaggle.com/code/tester/person-segmentation-", marks=pytest.mark.slow
        ),
    ],
)
def test_what_cannot_work_is_not_sent(bench, arguments, says):
    assert says in bench.fails(*arguments)
    assert not bench.server.kernels


# --- at home


def test_the_photos_of_a_kernel_are_read_where_kaggle_mounts_them(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path / "input"))
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    data = {"kind": "competition", "competition": SLUG, "dataset": "somebody/people", "test_share": 0.2, "seed": 7}
    params, public = kaggle.Params(**data), kaggle.Params(**data | {"kind": "dataset"})
    with pytest.raises(UserError, match=rf"{SLUG} is not among the inputs of this kernel: join the competition"):
        kaggle.fetch(params, tmp_path / "scratch")
    for place in (SLUG, f"competitions/{SLUG}"):  # the old one, and the new one, which is preferred
        raw = write_raw(tmp_path / "input" / place)
        assert kaggle.fetch(params, tmp_path / "scratch") == raw
    (raw / "train/masks/3.png").unlink()
    with pytest.raises(UserError, match=rf"what Kaggle mounts for {SLUG} has changed: a mask is missing"):
        kaggle.fetch(params, tmp_path / "scratch")
    people = tmp_path / "input/datasets/somebody/people/photos"
    shutil.copytree(tmp_path / "input" / SLUG / "train", people)
    divided = kaggle.fetch(public, tmp_path / "scratch")
    assert len(list((divided / "test/images").iterdir())) == 4
    assert len(list((people / "images").iterdir())) == 20, "what is mounted stays"


@pytest.mark.slow
def test_the_notebook_is_made_of_the_script_and_does_the_same_on_colab(bench):
    path = ROOT / "docs/kaggle.ipynb"
    assert path.read_text() == notebook(), "run python -m tools.kaggle_run.derived"
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    code = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    overrides = ["variants=[unet]", "loss=bce"]
    settings = {"REPOSITORY": str(bench.home.root), "OVERRIDES": overrides, "GPU_NEEDED": False, "SAVE": 2.0}
    colab = bench.kaggle / "colab/google/colab"
    colab.mkdir(parents=True)
    (colab / "__init__.py").write_text("from google.colab import drive, userdata\n")
    (colab / "drive.py").write_text("def mount(path): print('mounted', path)\n")
    (colab / "userdata.py").write_text("def get(name): return 'secret'\n")
    program = (
        f"import os, sys\nsys.path.insert(0, {str(bench.kaggle / 'colab')!r})\nos.environ['COLAB_RELEASE_TAG'] = 'x'\n"
    )
    status, log, drive = bench.run_script(program + fill_in(code, settings), "notebook")
    assert status == 0 and "mounted /content/drive" in log, log
    assert len([line for line in log if "] stopped: " in line]) >= 1, "saved now and then"
    assert {path.name for path in drive.iterdir()} == {"checkpoints", "dvc.lock", "remote", "results.json"}
    shown = bench.call("--fetch", str(drive))
    assert trainings(shown, "is cached - skipping run") == {"train@unet"}


def test_the_requirements_of_a_kernel_are_the_projects_without_torch_and_cuda():
    ours = (ROOT / "requirements-kaggle.txt").read_text()
    assert ours == without_torch((ROOT / "requirements.txt").read_text()), "run make lock"
    assert not re.search(r"(?m)^(torch|torchvision|triton|nvidia|cuda)", ours) and "\ndvc==" in ours
