"""The page to try models: what people see and save is what the pipeline makes, and only this machine gets at it."""

import base64
import http.client
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.support.ui import Select, WebDriverWait

from src.errors import UserError
from src.formats.metrics import write_metrics
from src.images import read_photo
from src.pictures import encode
from tests.browser import PHONE, find, needs_browser, show_as
from tests.conftest import set_params
from tests.test_export import photo, save
from tests.workspace import some_metrics
from tools.app import __main__ as app
from tools.app.shelf import picture, predictor
from tools.demo import cutout, overlay
from tools.find_model import find_model

DROP = """
const files = new DataTransfer();
files.items.add(new File([Uint8Array.from(atob(arguments[1]), (c) => c.charCodeAt(0))], arguments[0]));
document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
"""
PIXELS = """
const image = document.querySelector("#result img");
const [height, width] = [image.naturalHeight, image.naturalWidth];
const canvas = Object.assign(document.createElement("canvas"), { width, height });
canvas.getContext("2d").drawImage(image, 0, 0);
const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
return [height, width, [...data]];
"""


class Page:
    """The page at `address` in `browser`."""

    def __init__(self, browser, address: str, *size) -> None:
        self.browser = browser
        show_as(browser, *size)
        browser.get(address)
        self.wait(lambda: find(browser, "#model option") or self.error())

    def wait(self, condition):
        return WebDriverWait(self.browser, 60.0, 0.1).until(lambda _: condition())

    def choose(self, file: Path) -> None:
        find(self.browser, "#file")[0].send_keys(str(file))
        self.show(file.name, "cutout")

    def show(self, name: str, view: str) -> None:
        """Presses the button of `view`, and waits for that picture of the photo `name`."""
        self.wait(find(self.browser, "#controls")[0].is_displayed)
        find(self.browser, f"input[value={view}]")[0].find_element("xpath", "..").click()
        self.wait(lambda: find(self.browser, f"#result:has(figcaption:empty) img[alt='{view} of {name}']"))

    def pixels(self) -> np.ndarray:
        """What the picture shows, RGBA (H, W, 4)."""
        height, width, values = self.browser.execute_script(PIXELS)
        return np.array(values, np.uint8).reshape(height, width, 4)

    def error(self) -> str:
        return find(self.browser, "#error")[0].text


@contextmanager
def serving(*named: Path) -> Iterator[str]:
    """The address at which the page is open within this block."""
    running = app.make_server(0, list(named))
    Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/"
    running.shutdown()
    running.server_close()


@pytest.fixture
def project(bare) -> Path:
    """A project with two small models, of which unet has a score, and the photo me.jpg, which a camera turned."""
    set_params(bare, {"max_megapixels": 2})
    for name in ("unet", "residual_unet"):
        save(name, depth=1)
    write_metrics("unet", some_metrics(0.5, 0.75))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(photo(97, 150)).save("me.jpg", exif=exif)
    return bare


@pytest.fixture
def site(project) -> Iterator[str]:
    with serving() as address:
        yield address


def wanted_mask(image: np.ndarray, model: str) -> np.ndarray:
    return find_model(model, "cpu").mask(image).view(np.uint8)


@needs_browser
class TestInTheBrowser:
    def test_a_dropped_photo_shows_the_pipelines_mask_and_nothing_leaves_the_machine(self, browser, site):
        page = Page(browser, site)
        browser.get_log("browser"), browser.get_log("performance")
        browser.execute_script(DROP, "me.jpg", base64.b64encode(Path("me.jpg").read_bytes()).decode())
        page.show("me.jpg", "mask")
        wanted = wanted_mask(read_photo(Path("me.jpg")), "unet")
        assert wanted.shape == (150, 97)
        assert 0.1 < wanted.mean() < 0.9
        assert np.array_equal(page.pixels(), np.dstack([wanted * 255] * 3 + [np.full_like(wanted, 255)]))
        assert browser.get_log("browser") == []
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
        assert {re.sub("[?].*", "", url) for url in asked if not url.startswith("blob:")} == {f"{site}picture"}
        # ... since the browser would not allow it:
        blocked = "return fetch('http://localhost:9/').then(() => '', (error) => String(error))"
        assert "Failed to fetch" in browser.execute_script(blocked)
        assert "Content Security Policy" in browser.get_log("browser")[0]["message"]

    def test_views_and_the_saved_cut_out_are_those_of_make_demo_by_the_chosen_model(self, browser, site, tmp_path):
        settings = {"behavior": "allow", "downloadPath": str(tmp_path)}
        browser.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
        page = Page(browser, site)
        page.choose(tmp_path / "me.jpg")
        models = Select(find(browser, "#model")[0])
        assert [option.text for option in models.options] == ["unet, Dice 0.750", "residual_unet"]
        models.select_by_visible_text("residual_unet")
        page.show("me.jpg", "overlay")
        image = read_photo(Path("me.jpg"))
        mask = wanted_mask(image, "residual_unet")
        assert np.array_equal(page.pixels()[..., :3], overlay(image, mask))
        find(browser, "#download")[0].click()
        saved = tmp_path / "me-cutout.png"
        page.wait(lambda: saved.exists() and saved.read_bytes() == encode(cutout(image, mask), ".png"))

    def test_the_camera_and_the_example(self, browser, site):
        page = Page(browser, site)
        find(browser, "#camera")[0].click()
        page.wait(find(browser, "#snap")[0].is_displayed)
        find(browser, "#snap")[0].click()
        page.show("camera.png", "cutout")
        assert browser.execute_script("return document.querySelector('video').srcObject") is None
        find(browser, "#example")[0].click()
        page.show("astronaut.png", "cutout")
        assert page.pixels().shape[:2] == (512, 512)

    def test_mistakes_are_one_line_each(self, browser, project):
        Path("notes.jpg").write_text("no photo")
        Image.fromarray(photo(1500, 1500)).save("huge.png")
        Path("models/unet.safetensors").write_bytes(b"no model")
        with Path("film.mp4").open("wb") as film:
            film.truncate(101_000_000)
        with serving() as address:
            page = Page(browser, address)
            for file, line in (
                ("notes.jpg", "notes.jpg: not a readable image (damaged, cut short, or no PNG, JPEG or WebP); replace"),
                ("huge.png", "huge.png: 1500 x 1500 pixels, "),
                ("film.mp4", "film.mp4 has more than 100 MB; make it smaller."),
                ("me.jpg", "me.jpg: models/unet.safetensors: cut short, damaged"),
            ):
                find(browser, "#file")[0].send_keys(str(project / file))
                page.wait(lambda line=line: page.error().startswith(line))
                assert not find(browser, "#result")[0].is_displayed()
        Select(find(browser, "#model")[0]).select_by_visible_text("residual_unet")
        page.wait(lambda: page.error().endswith("program that serves this page has ended; start it again: make app."))

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_a_phones_first_screen_has_the_result(self, browser, site, tmp_path, scheme):
        page = Page(browser, site, PHONE, scheme)
        Image.fromarray(photo(1600, 1200)).save("tall.png")
        page.choose(tmp_path / "tall.png")
        image = find(browser, "#result img")[0].rect
        assert image["height"] > PHONE[1] / 3
        assert image["y"] + image["height"] <= PHONE[1]
        assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE[0]


class TestServer:
    def test_it_answers_this_machine_and_its_own_page_alone(self, site, capfd):
        host = site.split("/")[2]
        body = Path("me.jpg").read_bytes()

        def ask(method, path, **headers) -> int:
            connection = http.client.HTTPConnection(host)
            connection.request(method, path, body if method == "POST" else None, {"Host": host, **headers})
            return connection.getresponse().status

        assert ask("GET", "/", Host="localhost:1234") == 200
        for other in ("elsewhere.example", "localhost.elsewhere.example", "[", ""):
            assert ask("GET", "/", Host=other) == 400, other
        for path in ("/params.yaml", "/../params.yaml", "/models/unet.safetensors", "//[", "/picture"):
            assert ask("GET", path) == 400, path
        wanted, own = "/picture?model=unet&view=mask", {"Origin": site.rstrip("/")}
        assert ask("POST", wanted, **own) == 200
        assert ask("POST", wanted) == 400
        assert ask("POST", wanted, **own, **{"Content-Length": str(10**9)}) == 400  # before it is read
        for origin in ("null", "http://elsewhere.example", "http://127.0.0.1:1"):
            assert ask("POST", wanted, Origin=origin) == 400, origin
        for path in ("/", "/picture", "/picture?model=../unet&view=mask", "/picture?model=unet&view=other"):
            assert ask("POST", path, **own) == 400, path
        assert ask("PUT", "/", **own) == 501
        assert capfd.readouterr().err == ""

    def test_a_model_is_kept_until_it_or_the_params_change(self, project):
        file, image = Path("models/unet.safetensors"), photo(60, 50)
        found = predictor(file)
        assert found is predictor(file)
        set_params(project, {"predict.mirror": False, "postprocess.min_component_share": 0})
        save("unet", members=2, depth=1)  # trained again while the page is open
        shown = picture(file, "mask", encode(image, ".png"))
        mask = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(mask, wanted_mask(image, "unet") * 255)
        assert not np.array_equal(mask > 0, found.mask(image))
        kept = predictor(file)
        Path("dvc.lock").write_text("stages: {}")
        assert predictor(file) is not kept

    def test_mistakes_are_one_line(self, site):
        port = site.split(":")[2].strip("/")
        for wrong in (port, "99999"):
            with pytest.raises(UserError, match=f"port {wrong} is taken, or none .0 to 65535.; name another"):
                app.main("--port", wrong, "--no-browser")
        with pytest.raises(UserError, match=r"there is no model other\.safetensors"):
            app.main("other.safetensors")
