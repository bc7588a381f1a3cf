"""tools/kaggle_run for real: Kaggle's own client against a server on this machine, and the kernel's script in a process
of its own, with Kaggle's folders laid out elsewhere.
"""

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
from tests.kaggle_server import CUT, SECRETS, USER, KaggleServer, Kernel, assert_no_secret, the_error, use_server
from tests.test_resume import start
from tools.kaggle_run import home, kernel
from tools.kaggle_run.__main__ import all_overrides

SLUG = "people-2025"
START = """\
errors.TIMEOUT = (30.0, 30.0)
if "tools.kaggle_run" in sys.orig_argv:
    from tools.kaggle_run import service
    service.INTERVAL = service.DATASET_INTERVAL = 0.2
"""
FACTS = {"commit": "0" * 40, "overrides": ["source=kaggle"], "problem": ""}


@dataclass
class Bench:
    """A project at home, and Kaggle beside it: its server, and the folders that a kernel sees."""

    home: Project
    server: KaggleServer
    kaggle: Path

    def call(self, *arguments: str) -> str:
        """Runs the tool; returns what it printed, which holds no secret."""
        result = self.home.tool("kaggle_run", *arguments)
        shown = result.stdout + result.stderr
        assert_no_secret(shown)
        assert "Traceback" not in shown, shown
        return shown

    def fails(self, *arguments: str) -> str:
        """The tool ends in one line, which is returned."""
        return the_error(self.home.tool("kaggle_run", *arguments, check=False))

    def run_script(self, script: str, name: str, earlier: Path | None = None) -> tuple[int, list[str], Path]:
        """Runs a kernel's script as Kaggle would, in folders of its own; its status, its log and its output."""
        folder, output = self.kaggle / name, self.kaggle / name / "working"
        inputs = self.kaggle / "input"
        if earlier:
            shutil.copytree(earlier, inputs / "notebooks" / USER / earlier.parent.name)
        for dataset, content in self.server.datasets.items():
            (inputs / "datasets" / dataset).mkdir(parents=True, exist_ok=True)
            (inputs / "datasets" / dataset / "project.bundle").write_bytes(content)
        output.mkdir(parents=True)
        (folder / "kernel.py").write_text(script)
        (folder / "tmp").mkdir()
        places = {"KAGGLE_INPUT": str(inputs), "KAGGLE_OUTPUT": str(output), "TMPDIR": str(folder / "tmp")}
        done = subprocess.run(
            [sys.executable, str(folder / "kernel.py")],
            cwd=output,
            env=os.environ | places | {"PYTHONPATH": "", "KAGGLE_KERNEL_RUN_TYPE": "Batch"},
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
                (kernel.output / "results.json").write_text(json.dumps(FACTS | {"commit": self.commit()} | results))

        self.server.on_push = end

    def commit(self) -> str:
        return self.home.run("git", "rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    project = copy_project(tmp_path / "project", ["unet", "unet_paper"])
    project.set(compute__device="cpu", kaggle__competition=SLUG, cpu__train__epochs=40)
    project.commit("params")
    write_raw(tmp_path / "kaggle/input/competitions" / SLUG)
    with KaggleServer() as server:
        use_server(server, tmp_path, monkeypatch, START)
        yield Bench(project, server, tmp_path / "kaggle")


def trainings(output: str, how: str) -> set[str]:
    """The trainings of which DVC says `how`."""
    return set(re.findall(rf"Stage '(train@\w+)' {how}", output))


# --- for real


@pytest.mark.slow
def test_a_run_on_kaggle_that_takes_two_kernels_ends_as_one_at_home_would(bench):
    command = ["-S", "loss=combined", "--variants", "unet"]
    bench.runs_for_real(out_of_time)
    assert "stopped after 11.3 hours; what is finished is kept" in bench.fails(*command)
    (first,) = bench.server.kernels.values()
    sent = first.request
    assert sent["machineShape"] == "NvidiaTeslaT4" and sent["isPrivate"] and sent["enableInternet"]
    assert (sent["kernelType"], sent["competitionDataSources"]) == ("script", [SLUG])
    assert_no_secret(json.dumps(sent))

    root, model = bench.home.root, "models/unet.safetensors"
    (root / RAW).write_bytes(b"drawn")  # left from a run with other photos

    bench.runs_for_real()
    bench.server.fail(f"/{kernel.ARCHIVE}", CUT, late=True, times=1)  # the download breaks off, and goes on
    shown = bench.call(*command)
    second = bench.server.kernels[f"{sent['slug']}-2"]
    log = "\n".join(second.log)
    assert second.request["kernelDataSources"] == [sent["slug"]]
    assert "going on from epoch" in log
    assert f"sends commit {bench.commit()[:10]} to kaggle.com/code/{sent['slug']}-2, private" in shown
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
    old, new = "time.monotonic() - START >= hours * 3600", "any(CHECKPOINTS.glob('*.safetensors'))"
    assert old in Path(kernel.__file__).read_text()
    path = "(project / 'tools/kaggle_run/kernel.py')"
    edit = f"{path}.write_text({path}.read_text().replace({old!r}, {new!r}))"
    return script.replace("sys.argv =", f"{edit}\nsys.argv =")


@pytest.mark.slow
def test_the_notebook_does_the_same_on_colab(bench):
    book = nbformat.read(ROOT / "docs/kaggle.ipynb", as_version=4)
    nbformat.validate(book)
    code = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    overrides = ["variants=[unet]", "loss=bce"]
    for name, value in {"REPOSITORY": str(bench.home.root), "OVERRIDES": overrides, "GPU": False}.items():
        code, found = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value!r}", code)
        assert found == 1
    script = bench.home.root / "tools/kaggle_run/kernel.py"
    script.write_text(script.read_text().replace("SAVE = 900.0", "SAVE = 2.0"))
    bench.home.commit("saves more often")
    colab = bench.kaggle / "colab/google/colab"
    colab.mkdir(parents=True)
    (colab / "__init__.py").write_text("from google.colab import drive, userdata\n")
    (colab / "drive.py").write_text("def mount(path): print('mounted', path)\n")
    (colab / "userdata.py").write_text("def get(name): return 'secret'\n")
    program = (
        f"import os, sys\nsys.path.insert(0, {str(bench.kaggle / 'colab')!r})\nos.environ['COLAB_RELEASE_TAG'] = 'x'\n"
    )
    status, log, drive = bench.run_script(program + code, "notebook")
    assert status == 0 and "mounted /content/drive" in log, log
    assert {path.name for path in drive.iterdir()} == {"checkpoints", "dvc.lock", "remote", "results.json"}
    shown = bench.call("--fetch", str(drive))
    assert trainings(shown, "is cached - skipping run") == {"train@unet"}
    edited = bench.home.root / "src/models/unet.py"
    edited.write_text(edited.read_text() + "# edited\n")
    assert "train@unet is not among the results" in bench.fails("--fetch", str(drive)), "nothing is trained at home"


# --- what Kaggle may answer


@pytest.mark.slow
def test_a_kernel_that_kaggle_does_not_start(bench):
    reason = "Maximum weekly GPU quota of 30.00 hours reached."
    bench.server.push_answer = {"error": reason}
    assert f"Kaggle does not start the kernel: {reason}; mend that" in bench.fails()
    bench.server.push_answer = {}
    bench.server.fail("/SaveKernel", 403, message=reason, times=1)
    line = bench.fails()
    assert "(403)" in line and "verified phone numbers" in line and f"({reason})" in line
    bench.ends("RUNNING")
    assert "is started" in bench.call("--push-only")
    assert len(bench.server.kernels) == 1
    bench.server.push_answer = {"invalidCompetitionSources": [SLUG]}
    line = bench.fails("-S", "loss=bce")
    assert f"without {SLUG}" in line and "accept its rules" in line
    bench.server.fail("/GetKernelSessionStatus", 401)
    assert "did not accept your credentials (401)" in bench.fails("-S", "loss=combined")
    shutil.rmtree(Path(os.environ["HOME"]) / ".kaggle")
    assert "no Kaggle credentials that are valid" in bench.fails("-S", "loss=combined")


@pytest.mark.slow
def test_nothing_is_pushed_twice_waiting_can_be_interrupted_and_fetching_does_not_wait(bench):
    assert "there is no kernel kaggle.com/code/tester/person-segmentation-" in bench.fails("--fetch")
    bench.ends("RUNNING", "a line of the log")
    bench.server.fail("/SaveKernel", CUT, late=True, times=1)  # its answer is lost
    bench.call("--push-only")
    bench.server.fail("/GetKernelSessionStatus", CUT)
    assert "the connection to Kaggle failed, attempt 4" in bench.fails()
    bench.server.faults.clear()
    assert "is running; without --push-only" in bench.call("--push-only")
    waiting = start(bench.home, "python", "-m", "tools.kaggle_run")
    assert any(b"a line of the log" in line for line in waiting.stdout)
    waiting.send_signal(signal.SIGINT)
    assert waiting.stdout.read().strip().endswith(b"error: interrupted; start the same command again")
    assert waiting.wait() == 1
    assert "is running; the same command without --fetch waits for its results" in bench.fails("--fetch")
    assert len(bench.server.seen("/SaveKernel")) == 1
    (there,) = bench.server.kernels.values()
    there.status, there.failure = "ERROR", "Your kernel ran out of memory."
    assert "failed (ERROR): Your kernel ran out of memory." in bench.fails("--fetch")


@pytest.mark.slow
def test_a_kernel_that_failed_is_told_in_its_own_last_words_and_the_next_try_is_another_one(bench):
    bench.ends("ERROR", "Python 3.12.1", "error: this session has no GPU; verify your phone number")
    line = bench.fails()
    assert "failed (ERROR): error: this session has no GPU; verify your phone number; the same command" in line
    assert "failed (ERROR): error: this session" in bench.fails("--fetch") and len(bench.server.kernels) == 1
    bench.ends("COMPLETE", problem="unet: the disk is full")
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
    assert "there is nothing to keep yet; " in line and f"{SLUG} is not among the inputs of this kernel" in line
    (there,) = bench.server.kernels.values()
    assert not any("Traceback" in shown for shown in there.log)


# --- what a kernel wrote


@pytest.mark.slow
def test_results_of_another_commit_are_not_taken(bench):
    bench.ends("RUNNING")
    bench.call("--push-only")
    old = bench.commit()
    bench.home.run("git", "commit", "--quiet", "--allow-empty", "--message", "later")
    assert f"git checkout {old[:10]} to go on with it" in bench.fails()
    shutil.rmtree(bench.home.root / ".cache/kaggle/runs")
    folder = bench.kaggle / "downloads"
    folder.mkdir()
    for facts, says in (
        ({"commit": old}, f"belongs to commit {old[:10]}"),
        ({"commit": bench.commit()}, "dvc.lock is missing, or not what DVC writes"),
        ({"archives": {"../../victim": 1}}, "results.json is not what a kernel wrote"),
    ):
        (folder / "results.json").write_text(json.dumps(FACTS | facts))
        assert says in bench.fails("--fetch", str(folder))


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 100_000, "{}", json.dumps(FACTS | {"x": 1}), json.dumps(FACTS | {"problem": []})]
)
def test_results_that_no_kernel_wrote_are_refused(tmp_path, text):
    with pytest.raises(UserError, match=r"results\.json is missing; name the folder"):
        home.read_results(tmp_path)
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=r"results\.json is not what a kernel wrote; get it again"):
        home.read_results(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "stages: []", "stages: {download: {}}", "a: [", "\0"])
def test_a_lock_that_dvc_did_not_write_is_refused(tmp_path, text):
    (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(UserError, match=r"dvc\.lock is missing, or not what DVC writes"):
        home.read_lock(tmp_path / "dvc.lock")


# --- what is sent


def test_what_is_sent_holds_the_commit_and_no_secret(bench):
    root = bench.home.root
    bench.ends("RUNNING")
    bench.home.run("dvc", "remote", "add", "--default", "team", "https://user:PASSWORD-of-the-remote@localhost/x")
    secrets = [".netrc", ".env.production", "Kaggle.JSON", "models/starters/key.PEM", "tools/id_rsa", "sa.json"]
    for name in secrets:
        (root / name).write_text("PASSWORD-of-the-remote")
    bench.home.run("git", "add", "--force", ".dvc/config", *secrets)
    bench.home.run("git", "commit", "--quiet", "--message", "passwords in the wrong place")
    (root / "src/models/unet.py").write_text((root / "src/models/unet.py").read_text() + "# not committed\n")
    (root / "kaggle.json").write_text(SECRETS[0])
    shown = bench.call("--push-only", "-S", "loss=combined", "--variants", "unet")
    assert "uncommitted changes, which stay here: src/models/unet.py" in shown
    (there,) = bench.server.kernels.values()
    ((name, content),) = bench.server.datasets.items()
    assert there.request["datasetDataSources"] == [name]
    (bench.kaggle / "sent.bundle").write_bytes(content)
    bench.home.run("git", "clone", "--quiet", str(bench.kaggle / "sent.bundle"), str(bench.kaggle / "sent"))
    clone = ["git", "-C", str(bench.kaggle / "sent")]
    sent = set(bench.home.run(*clone, "ls-files").stdout.split())
    assert {"dvc.yaml", "src/models/unet.py", "tools/jobs.py", "requirements.txt", "models/starters/none"} <= sent
    kinds = {path.suffix for path in map(Path, sent) if path.parts[0] in ("src", "stages", "tools")}
    assert kinds <= {".py", ".html", ".css", ".js", ".md"}
    assert not sent & {*secrets, "kaggle.json", ".dvc/config", "dvc.lock"}
    assert not any(path.startswith(("docs", "tests", "benchmarks", "metrics")) for path in sent)
    assert "not committed" not in (bench.kaggle / "sent/src/models/unet.py").read_text()
    (settings,) = re.findall(r"(?m)^SETTINGS = '(.*)'$", there.request["text"])
    overrides = ["source=kaggle", "loss=combined", "variants=[unet]"]
    assert json.loads(settings) == {"commit": bench.commit(), "overrides": overrides, "gpu": False}
    assert bench.home.run(*clone, "rev-list", "--all", "--count").stdout == "1\n", "no history"
    assert not bench.home.run(*clone, "grep", "PASSWORD-of-the-remote", "HEAD", check=False).stdout

    (root / "src/models/service-account.json").write_text("{}")
    bench.home.run("git", "add", "src/models/service-account.json")
    bench.home.run("git", "commit", "--quiet", "--message", "a key among the code")
    line = bench.fails("-S", "loss=bce")
    assert "src/models/service-account.json is in the commit, and is not sent" in line and "git rm --cached" in line


def test_the_best_model_can_be_trained_there(bench):
    bench.ends("RUNNING")
    run = "RUN=python -m tools.kaggle_run --push-only"
    bench.home.with_environment().run("make", "best", run, "SET=-S source=kaggle -S image_size=64")
    (there,) = bench.server.kernels.values()
    (settings,) = re.findall(r"(?m)^SETTINGS = '(.*)'$", there.request["text"])
    sent = dict(override.split("=", 1) for override in json.loads(settings)["overrides"])
    assert sent["start"] == "models/starters/efficientnet_unet.safetensors"
    assert (sent["image_size"], sent["variants"]) == ("64", "[efficientnet_unet]")


def test_what_cannot_work_is_not_sent(bench):
    for arguments, says in (
        (("-S", "loss=bce,combined"), "one value for each key"),
        (("-S", "seed=range(1,3)"), "one value for each key"),
        (("-S", "loss"), "-S: "),
        (("-S", "no_such_key=1"), "no_such_key"),
        (("-S", "loss=combind"), "there is no 'combind'; choose from bce"),
        (("--variants", "unett"), "there is no 'unett'; choose from"),
        (("-S", "source=local"), "photos of your own are not at Kaggle"),
        (("-S", "start=/etc/passwd"), "start: /etc/passwd is not in git, so it is not sent"),
    ):
        assert says in bench.fails(*arguments)
    assert not bench.server.requests


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
    with pytest.raises(UserError, match=rf"what Kaggle holds under {SLUG} has changed: a mask is missing"):
        kaggle.fetch(params, tmp_path / "scratch")
    people = tmp_path / "input/datasets/somebody/people/photos"
    shutil.copytree(tmp_path / "input" / SLUG / "train", people)
    divided = kaggle.fetch(public, tmp_path / "scratch")
    assert len(list((divided / "test/images").iterdir())) == 4
    assert len(list((people / "images").iterdir())) == 20, "what is mounted stays"


@pytest.mark.parametrize(
    ("given", "variants", "said"),
    [
        ([], ["u2net", "unet"], ["variants=[u2net,unet]", "release=u2net"]),  # the committed release is not trained
        (["release=unet"], ["u2net", "unet"], ["release=unet", "variants=[u2net,unet]"]),
        ([], ["residual_unet"], ["variants=[residual_unet]"]),
    ],
)
def test_a_run_of_some_variants_releases_one_of_them(monkeypatch, given, variants, said):
    monkeypatch.chdir(ROOT)
    assert all_overrides(given, variants) == ["source=kaggle", *said]
    ours = {"release": "u2net", "source": "local"}  # such as make best has left: its photos are not at Kaggle
    monkeypatch.setattr("tools.kaggle_run.__main__.committed_params", lambda: ours)
    assert all_overrides([], None) == ["source=kaggle", "local.path=data/none"]
