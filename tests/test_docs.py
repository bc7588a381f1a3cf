"""README.md and docs/: the headline numbers are those of the files that hold them, and links lead somewhere."""

import json
import lzma
import re
from pathlib import Path

import pytest
import torch

from src import models
from tests.conftest import PARAMS, ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("benchmarks/**/README.md"),
    *ROOT.glob("models/**/*.md"),
]
README = (ROOT / "README.md").read_text()
RESULTS = ROOT / "benchmarks/results/street-photos"
STUDY = json.loads(lzma.decompress((RESULTS / "longer.json.xz").read_bytes()))


@pytest.mark.parametrize("variant", PARAMS["variants"])
def test_the_readme_has_the_dice_and_the_parameters_of_each_variant(variant):
    label = variant.removesuffix("_unet").removeprefix("unet_").replace("_", "-")  # of its row in the study
    dice = STUDY["residual-weak" if label == "residual" else label]["metrics"]["holdout"]["dice"]
    narrow = json.loads((ROOT / f"metrics/{variant}.json").read_text())["details"][0]["cost"]
    arguments = PARAMS["models"][variant] | PARAMS["gpu"]["models"][variant]
    if "encoder_weights" in arguments:
        arguments["encoder_weights"] = None  # which would be downloaded
    with torch.device("meta"):
        wide = sum(parameter.numel() for parameter in models.build(variant, arguments).parameters())
    (row,) = (line for line in README.splitlines() if line.startswith(f"| `{variant}` |"))
    parameters, gflop, shown = (cell.strip() for cell in row.split("|")[4:7])
    assert parameters == f"{narrow['parameters'] / 1e6:.2f}; {wide / 1e6:.1f}"
    assert gflop.split(";")[0] == f"{narrow['gflop']:.1f}"
    assert shown == f"{dice:.3f}"


@pytest.mark.parametrize(
    ("line", "model"),
    [("- **Best figure", "efficientnet_unet"), ("| `best`:", "efficientnet_unet"), ("| `best-from-scratch`:", "u2net")],
)
def test_the_pages_have_the_dice_of_the_best_models(line, model):
    best = json.loads((RESULTS / f"{model}.json").read_text())["holdout"]
    page = README + (RESULTS / "README.md").read_text()
    dice = f"{best['dice']:.3f} ({best['dice_low']:.3f} to {best['dice_high']:.3f})"
    assert re.search(rf"^{re.escape(line)}.*", page, re.MULTILINE)[0].replace("*", "").count(dice) == 1


def anchors(page: Path) -> set[str]:
    """What a link may name after # on the page, as GitHub makes it of the headings."""
    titles = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if ":" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} is not there"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_docs_are_short():
    assert sum(len(path.read_text().split()) for path in ROOT.glob("docs/*.md")) <= 9400
