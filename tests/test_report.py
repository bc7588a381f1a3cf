"""The report and the dataset page, opened in a real browser."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from src.page.render import render
from stages.describe import __main__ as describe
from stages.describe.facts import facts, suspicion
from stages.evaluate import __main__ as evaluate
from stages.report import __main__ as report
from stages.report.leaderboard import headline, leaderboard
from stages.report.sections import convergence
from tests.browser import DESKTOP, PHONE, find, needs_browser, show_as
from tests.conftest import ROOT
from tests.workspace import VARIANTS, make_workspace, some_metrics

PAGES = ["index.html", "dataset.html", "gallery/unet.html"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    """The folder report/ of a project of three variants."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_workspace(folder)
        for variant in VARIANTS:
            evaluate.main(variant)
        describe.main()
        report.main()
    return folder / "report"


def open_page(browser, path: Path, size=DESKTOP, scheme="light") -> None:
    show_as(browser, size, scheme)
    browser.get(path.as_uri())


def brightness(colour: str) -> float:
    """From 0 to 255, of a colour as style sheets say it."""
    return float(np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]))


@needs_browser
class TestInTheBrowser:
    @pytest.mark.parametrize("page", PAGES)
    def test_no_error_and_nothing_but_the_file_is_asked_for(self, browser, pages, page):
        browser.get_log("browser"), browser.get_log("performance")
        open_page(browser, pages / page)
        assert browser.execute_script("return [...document.images].every(image => image.naturalWidth > 0)")
        assert browser.get_log("browser") == []
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        assert [url for url in asked if not url.startswith("data:")] == [(pages / page).as_uri()]

    def test_a_column_sorts_and_sorts_back_by_keyboard_too(self, browser, pages):
        open_page(browser, pages / "index.html")

        def column(number):
            cells = find(browser, f"#board tbody tr > :nth-child({number})")
            return [cell.get_attribute("data-value") for cell in cells]

        dice = [float(value) for value in column(2)]
        assert dice == sorted(dice, reverse=True)
        first, second = find(browser, "#board th button")[:2]
        first.click()
        assert column(1) == sorted(VARIANTS)
        assert first.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"
        assert second.find_element("xpath", "..").get_attribute("aria-sort") is None
        for expected in (dice, dice[::-1]):
            second.send_keys("\n")
            assert [float(value) for value in column(2)] == expected

    def test_the_gallery_shows_the_photos_of_each_kind_under_a_heading(self, browser, pages):
        open_page(browser, pages / "gallery/unet_paper.html")
        assert [heading.text for heading in find(browser, "h2")] == ["Worst", "Median", "Best"]
        assert [len(find(shots, "figure img")) for shots in find(browser, ".shots")] == [4, 4, 4]

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_a_phone_shows_it_without_scrolling_sideways_in_both_schemes(self, browser, pages, page, scheme):
        open_page(browser, pages / page, PHONE, scheme)
        assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE[0]
        page_colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (brightness(page_colour) > 128) == (scheme == "light")
        for text in find(browser, "svg text"):
            assert (brightness(text.value_of_css_property("fill")) > 128) == (scheme == "dark")
        smallest = browser.execute_script(
            "return Math.min(99, ...[...document.querySelectorAll('svg text')].map(t => t.getClientRects()[0].height))"
        )
        assert smallest >= 8


class TestThePages:
    @pytest.mark.parametrize("page", PAGES)
    def test_they_are_one_file_each_with_alternatives_for_all_pictures(self, pages, page):
        html = (pages / page).read_text()
        assert not re.search(r"https?://|@import|url\((?!#)", html.replace("http://www.w3.org/", ""))
        sources = re.findall(r'\bsrc="([^"]{0,30})', html)
        assert bool(sources) == (page != "index.html")  # which has charts alone
        assert all(source.startswith("data:image/webp;base64,") for source in sources)
        assert all(re.search(r'alt="[^"]{10,}"', tag) for tag in re.findall(r"<img [^>]*>", html))
        assert len(re.findall(r"<svg ", html)) == len(re.findall(r'<svg [^>]*aria-hidden="true"', html))
        ids = re.findall(r'\bid="([^"]+)"', html)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r"(?:href=\"#|url\(#)([^\"')]+)", html)) <= set(ids)

    def test_the_report_has_the_numbers_of_the_leaderboard(self, pages):
        html = (pages / "index.html").read_text()
        board = json.loads((pages / "leaderboard.json").read_text())
        assert [row["variant"] for row in board["variants"]] == list(VARIANTS)  # from little noise to much
        for row in board["variants"]:
            assert f"{row['dice']:.4f}" in html
            assert row["gflop"] == VARIANTS[row["variant"]] / 10  # as the workspace has it
            assert f"{row['gflop']:.1f} GFLOP" in html
        assert {"Dice and size", "Dice and work"} <= set(re.findall(r"<figcaption><b>(.*?)</b>", html))
        assert board["variants"][0]["behind"] == {"dice": 0, "low": 0, "high": 0}
        assert all(row["behind"]["low"] <= row["behind"]["dice"] <= row["behind"]["high"] for row in board["variants"])

    @pytest.mark.parametrize(
        ("release", "names", "said"),
        [
            ("unet", ["unet", "u2net"], "unet, the release, leads."),
            ("u2net", ["unet", "u2net"], "unet leads, 0.1000 Dice ahead of the release, u2net; to publish"),
            ("u2net", ["unet"], "unet leads; the release, u2net, is not among the variants."),
            ("unet", ["team", "unet"], "team, an ensemble, leads; of the models, unet, the release, leads."),
        ],
    )
    def test_the_headline_says_whether_the_release_leads(self, release, names, said):
        results = {name: some_metrics(0.5, 0.9 - place / 10) for place, name in enumerate(names)}
        board = leaderboard(results, [name for name in names if name != "team"], release)
        assert headline(board).startswith(said)

    def test_the_pages_lead_to_each_other(self, pages):
        galleries = {f"gallery/{variant}.html" for variant in VARIANTS}
        for page in ("index.html", "dataset.html", *galleries):
            links = set(re.findall(r'<a href="([^"#]+)', (pages / page).read_text()))
            assert links and all(((pages / page).parent / link).exists() for link in links), page
            assert page != "index.html" or galleries <= links

    def test_names_from_the_photos_cannot_become_markup(self):
        shot = {"id": "<i>", "kind": "cut", "dice": 0.5, "traits": ["cut"], "picture": "data:"}
        html = render(ROOT / "stages/evaluate/gallery.html", variant="unet", shots=[shot])
        assert "<h2>Worst of: cut by the frame</h2>" in html
        assert "photo &lt;i&gt;" in html
        assert "<i>" not in html


class TestDataset:
    def test_suspicious_masks_are_found_and_ordinary_ones_are_not(self):
        person = np.zeros((40, 40), np.uint8)
        cv2.circle(person, (20, 25), 9, 1, -1)
        standing_at_the_bottom = person.copy()
        standing_at_the_bottom[25:, 14:27] = 1
        box = np.zeros((40, 40), np.uint8)
        box[5:20, 8:30] = 1
        nobody, everybody = np.zeros((40, 40), np.uint8), np.ones((40, 40), np.uint8)
        masks = (person, standing_at_the_bottom, nobody, everybody, 1 - person, box)
        expected = ["", "", "empty", "full", "hugs the frame", "a rectangle rather than an outline"]
        assert [suspicion(mask).split(":")[0] for mask in masks] == expected

    def test_counts_shares_and_copies(self):
        traits = {"small": [True, False, False], "cut": [False] * 3, "grey": [True, True, False], "glare": [False] * 3}
        labelled = pd.DataFrame({"width": 8, "height": [9, 9, 6], "coverage": [0.1, 0.2, 0.6], **traits})
        test = pd.DataFrame({"width": [8], "height": [9], "grey": [True], "glare": [False]})
        split = pd.DataFrame({"id": list("abc"), "part": ["train", "val", "holdout"], "group": list("aac")})
        found = facts(labelled, test, split)
        parts = found["parts"]
        assert parts["all labelled"] == {"photos": 3, "small": 1, "cut": 0, "grey": 2, "glare": 0}
        assert parts["test"] == {"photos": 1, "grey": 1, "glare": 0}
        assert parts["val"]["photos"] == 1
        assert found["sizes"] == [("8 x 9", 3), ("8 x 6", 1)]
        assert found["copies"] == [["a", "b"]]


@pytest.mark.parametrize(
    ("dice", "loss", "verdict"),
    [
        ([0.5, 0.8, 0.9, 0.9, 0.9, 0.9], [1, 0.5, 0.4, 0.4, 0.4, 0.4], "settled"),
        ([0.5, 0.8, 0.9, 0.88, 0.86, 0.85], [1, 0.5, 0.4, 0.3, 0.2, 0.1], "over-fitting"),
        ([0.5, 0.8, 0.9, 0.88, 0.86, 0.85], [1, 0.5, 0.4, 0.5, 0.6, 0.7], "settled"),
        ([0.5, 0.6, 0.7, 0.8, 0.85, 0.9], [1, 0.9, 0.8, 0.7, 0.6, 0.5], "improving"),
        ([0.5], [1], "settled"),
        ([0.9, 0.8], [1, 0.5], "settled"),
    ],
)
def test_the_verdict_on_the_curves(dice, loss, verdict):
    curves = {"val/dice_smoothed": dice, "train/loss": loss, "train/image_size": [256] * len(dice)}
    assert convergence(curves).verdict == verdict
    # Epochs on halved photos come first, and their Dice is another one.
    small = {"val/dice_smoothed": [0.99] * 3, "train/loss": [0.01] * 3, "train/image_size": [128] * 3}
    both = convergence({name: small[name] + curves[name] for name in curves})
    assert (both.verdict, both.best_epoch) == (verdict, 3 + dice.index(max(dice)))


WIDE = (3000, 300)  # width and height of a picture that fits no window


@needs_browser
def test_pictures_of_both_versions_fit_the_window_and_missing_curves_are_explained(browser, new_project):
    project = new_project()
    for shade in (50, 200):
        cv2.imwrite(str(project.root / "wide.png"), np.full((WIDE[1], WIDE[0], 3), shade, np.uint8))
        (project.root / "curve.tsv").write_text(f"step\tdice\n0\t0.1\n1\t0.{shade}\n")
        if shade == 50:
            project.run("git", "add", "--all")
            project.run("git", "commit", "--quiet", "--message", "before")
    project.run("dvc", "plots", "diff", "HEAD", "--targets", "wide.png", "curve.tsv")
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*://cdn.jsdelivr.net/*"]})
    for size in (DESKTOP, PHONE):
        open_page(browser, project.root / "dvc_plots/index.html", size)
        pictures = find(browser, "img")
        assert len(pictures) == 2
        assert all(picture.get_property("naturalWidth") == WIDE[0] for picture in pictures)
        assert all(size[0] / 2 < picture.rect["width"] <= size[0] for picture in pictures)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
        (message,) = find(browser, "#offline")
        assert message.is_displayed()
        assert message.text.startswith("No curves")
