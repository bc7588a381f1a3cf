"""The page of `dvc plots diff`, laid out by .dvc/plots.html, in a real browser without a network."""

import cv2
import numpy as np

from tests.browser import browser, needs_browser  # noqa: F401 - the fixture
from tests.test_report import DESKTOP, PHONE, find, open_page

WIDE = (3000, 300)  # width and height of a picture that fits no window


@needs_browser
def test_pictures_of_both_versions_fit_the_window_and_missing_curves_are_explained(browser, new_project):  # noqa: F811
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
