"""docs/extending.md and the README, step by step: the test writes what they say, and `make check` names the rest."""

import re
import shutil
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from src.formats.raw import RAW
from tests.conftest import ROOT, Project, ran, write_raw

EXTENDING = ROOT / "docs/extending.md"
PAGES = {  # a page's section, and how `make check` calls what its steps add, in their order
    "model": (EXTENDING, "An architecture", ["cpu.models.my_unet", "gpu.models.my_unet", "models.my_unet"]),
    "readme": (ROOT / "README.md", "Adding a model", ["cpu.models.my_unet", "gpu.models.my_unet", "models.my_unet"]),
    "loss": (EXTENDING, "A loss", ["losses.my_loss"]),
    "source": (EXTENDING, "A source of photos", ["my_source"]),
}


@pytest.fixture
def fresh(project) -> Iterator[Project]:
    """The project, as it was before the test afterwards."""
    yield project
    project.run("git", "checkout", "--quiet", ".")
    project.run("git", "clean", "--quiet", "--force", "-d", "src")


def snippets(page: Path, title: str) -> tuple[str, str, dict]:
    """The file that the section of `page` says to write, its text, and the entries that params.yaml is to get."""
    section = page.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^( *)```(\w+)\n(.*?)^\1```", section, re.DOTALL | re.MULTILINE)
    text = {language: textwrap.dedent(block) for _, language, block in blocks}
    file = re.search(r"`(src/\S+\.py)`", section)
    assert file and set(text) == {"python", "yaml"}
    return file[1], text["python"], yaml.safe_load(text["yaml"])


def write(project: Project, file: str, text: str) -> None:
    path = project.root / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def add(project: Project, entries: dict) -> Iterator[None]:
    """Adds `entries` to params.yaml, one after the other: items of lists, and keys of the innermost mappings."""
    path = project.root / "params.yaml"
    params = yaml.safe_load(path.read_text())

    def merge(node: dict, new: dict) -> Iterator[None]:
        for key, value in new.items():
            if isinstance(value, dict) and key in node:
                yield from merge(node[key], value)
            else:
                node[key] = node[key] + value if isinstance(value, list) else value
                path.write_text(yaml.safe_dump(params, sort_keys=False))
                yield

    yield from merge(params, entries)


def check(project: Project) -> str:
    """What `make check` says, where it is wrong: one line."""
    result = project.tool("check", check=False)
    if result.returncode == 0:
        assert result.stderr == ""
        return result.stdout
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert result.stdout == ""
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[] if page == "readme" else pytest.mark.slow) for page in PAGES]
)
def test_make_check_says_after_each_step_what_is_missing(fresh, page):
    file, text, entries = snippets(*PAGES[page][:2])
    write(fresh, file, text)
    steps = add(fresh, entries)
    if "variants" in entries:
        next(steps)
    for missing in PAGES[page][2]:
        assert check(fresh) == f"error: params.yaml: the key {missing} is missing; add it"
        next(steps)
    assert check(fresh).startswith("params.yaml is valid")
    assert next(steps, "the end") == "the end"
    if "variants" in entries:
        fresh.set(variants=["unet"], release="unet")
        assert re.search("not trained, since they are not in variants: .*my_unet", check(fresh))


@pytest.mark.parametrize(
    ("page", "change", "target"),
    [
        ("readme", [], "train@my_unet"),
        pytest.param("loss", ["-S", "loss=my_loss"], "train@unet", marks=pytest.mark.slow),
    ],
)
def test_the_new_model_and_the_new_loss_train(fresh, page, change, target):
    file, text, entries = snippets(*PAGES[page][:2])
    write(fresh, file, text)
    list(add(fresh, entries))
    fresh.repro("split")
    assert ran(fresh.run("dvc", "exp", "run", *change, target).stdout) == [target]


def test_the_new_source_supplies_photos_and_says_what_is_wrong_with_its_key(fresh, tmp_path):
    file, text, entries = snippets(*PAGES["source"][:2])
    write(fresh, file, text)
    list(add(fresh, entries))
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", write_raw(tmp_path / "photos"))
    fresh.set(source="my_source", my_source__url=Path(archive).as_uri())
    assert fresh.repro("download") == ["download"]
    assert len(zipfile.ZipFile(fresh.root / RAW).namelist()) == 20 + 20 + 3
    fresh.set(my_source__url="nowhere")
    assert fresh.stage("download", check=False).stderr.startswith("error: params.yaml: my_source.url: 'nowhere'")


@pytest.mark.parametrize(
    ("page", "change", "says"),
    [
        ("model", ("super().__init__(color)", "super().__init__(color"), "line 10: SyntaxError: '(' was never closed"),
        ("model", ("(SegmentationModel)", "(nn.Module)"), "one class must extend SegmentationModel, but 0 do"),
        ("loss", ("def my_loss", "def our_loss"), "the function my_loss is missing"),
        ("source", ("class Params(Section)", "class Param(Section)"), "NameError: name 'Params' is not defined"),
    ],
    ids=str,
)
def test_what_python_says_against_a_new_file_is_one_line_that_names_the_place(fresh, page, change, says):
    file, text, entries = snippets(*PAGES[page][:2])
    assert change[0] in text
    write(fresh, file, text.replace(*change))
    list(add(fresh, entries))
    said = check(fresh)
    assert said.startswith(f"error: {file}")
    assert says in said
