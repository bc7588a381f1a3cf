"""The page to try models, in a real browser: what people see and can save, and that nothing leaves the machine."""

import http.client
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.support.ui import WebDriverWait

from src.errors import UserError
from src.formats.metrics import write_metrics
from src.postprocess import PostprocessParams, final_mask
from tests.browser import PHONE, find, needs_browser, show_as
from tests.conftest import ROOT, set_params
from tests.test_export import assert_same, by_onnx, by_pipeline, photo, save
from tests.workspace import some_metrics
from tools.app import __main__ as app
from tools.app import server
from tools.app.server import make_server
from tools.app.shelf import Shelf

PARAMS = PostprocessParams(threshold=0.5, smooth_px=5, min_component_px=50)
SECONDS = 60.0  # that a busy machine may take to make a model's ONNX file

needs_library = pytest.mark.skipif(
    not server.LIBRARY.exists(), reason="no onnxruntime-web here: make app fetches it by npm"
)


class Page:
    """The page at `address` in `browser`, of a project in `folder`."""

    def __init__(self, browser, address: str, folder: Path) -> None:
        self.browser, self.address, self.folder = browser, address, folder

    def open(self, *size) -> None:
        show_as(self.browser, *size)
        self.browser.get(self.address)
        self.wait(lambda: find(self.browser, "#models button") or self.error())

    def wait(self, condition):
        return WebDriverWait(self.browser, SECONDS, 0.1).until(lambda _: condition())

    def add(self, *files: Path) -> None:
        find(self.browser, "#files")[0].send_keys("\n".join(map(str, files)))

    def press(self, text: str) -> None:
        button = next(button for button in find(self.browser, "button") if button.text == text)
        self.browser.execute_script("arguments[0].click()", button)  # wherever it has scrolled to

    def results(self, count: int = 1) -> list:
        """The cards of `count` models, once they all have their picture."""
        drawn = "#results canvas[aria-label*='is person']"
        self.wait(lambda: len(find(self.browser, drawn)) == count and not find(self.browser, ".wait.working"))
        return find(self.browser, "#results article")

    def pixels(self) -> np.ndarray:
        """What the first canvas shows, RGBA (H, W, 4)."""
        width, height, values = self.browser.execute_script(
            "const c = document.querySelector('#results canvas');"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
            "return [c.width, c.height, [...d.data]]"
        )
        return np.array(values, np.uint8).reshape(height, width, 4)

    def share(self) -> float:
        """How much of the photo is person, in percent, by what the first canvas tells those who cannot see it."""
        label = find(self.browser, "#results canvas")[0].get_attribute("aria-label")
        return float(label.split(": ")[1].split(" %")[0])

    def error(self) -> str:
        return find(self.browser, "#error")[0].text


@contextmanager
def serving(shelf: Shelf) -> Iterator[str]:
    """The address at which the page is open within this block."""
    running = make_server(0, shelf)
    Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/"
    running.shutdown()
    running.server_close()


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def page(browser, site) -> Page:
    return Page(browser, *site)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Address and folder of a project with two small models, of which unet has a score."""
    folder = tmp_path_factory.mktemp("app")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(ROOT / "params.yaml", folder)
        set_params(folder, {"max_megapixels": 2})
        patch.setattr(server, "LIBRARY", server.LIBRARY if server.LIBRARY.exists() else folder)
        for name in ("unet", "residual_unet"):
            save(name, depth=1)
        write_metrics("unet", some_metrics(0.5, 0.75))
        with serving(Shelf([])) as address:
            yield address, folder


@pytest.fixture
def small(page) -> Path:
    path = page.folder / "me.png"
    Image.fromarray(photo(150, 97)).save(path)
    return path


def wanted_mask(page, image: np.ndarray) -> np.ndarray:
    """What the pipeline finds in `image`, as bool."""
    probability = by_pipeline(page.folder / "models/unet.safetensors", image)
    return final_mask(probability, image.shape[:2], 0.5, PARAMS) > 0


@needs_library
@needs_browser
class TestInTheBrowser:
    def test_a_photo_shows_the_pipelines_mask(self, page, small):
        page.open()
        page.add(small)
        (card,) = page.results()
        assert card.text.startswith("unet")  # the best of the scored ones
        page.press("Mask")
        page.wait(lambda: np.all(page.pixels()[..., 3] == 255))
        found = page.pixels()[..., 0] > 127
        assert dice(found, wanted_mask(page, photo(150, 97))) > 0.99

    def test_each_view_shows_what_it_says(self, page, small):
        page.open()
        page.add(small)
        page.results()
        wanted, image = wanted_mask(page, photo(150, 97)), photo(150, 97)
        inside, outside = (cv2.erode(part.astype(np.uint8), np.ones((9, 9))) > 0 for part in (wanted, ~wanted))
        shown = page.pixels()  # the cut-out
        assert (shown[inside, 3] == 255).all() and (shown[outside, 3] == 0).all()
        assert (shown[inside, :3] == image[inside]).all()
        page.press("Overlay")
        page.wait(lambda: np.all(page.pixels()[..., 3] == 255))
        shown = page.pixels()
        assert (shown[inside, :3] == image[inside]).all()
        assert (np.ptp(shown[outside, :3], axis=-1) == 0).all()  # grey
        page.press("Photo")
        page.wait(lambda: np.array_equal(page.pixels()[..., :3], image))

    def test_the_threshold_moves_the_mask_and_goes_back(self, page, small):
        page.open()
        page.add(small)
        page.results()
        before = page.share()
        slider = find(page.browser, "#results input")[0]
        for _ in range(20):
            slider.send_keys("\ue014")  # the right arrow key
        page.wait(lambda: page.share() < before)
        assert find(page.browser, "#results output")[0].text == "0.70"
        page.press("Reset")
        page.wait(lambda: page.share() == before)

    def test_variants_stand_side_by_side(self, page, small):
        page.open()
        page.add(small)
        page.results()
        page.press("residual_unet")
        assert [card.text.split("\n")[0] for card in page.results(2)] == ["unet", "residual_unet"]
        page.press("unet 0.750")
        assert [card.text.split("\n")[0] for card in page.results()] == ["residual_unet"]

    def test_several_photos_and_one_that_a_camera_turned(self, page, small):
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by a quarter
        Image.fromarray(photo(60, 90)).save(page.folder / "turned.jpg", exif=exif)
        page.open()
        page.add(small, page.folder / "turned.jpg")
        page.wait(lambda: len(find(page.browser, "#strip button")) == 2)
        page.results()
        assert page.pixels().shape[:2] == (150, 97)  # the first
        find(page.browser, "#strip button")[1].click()
        page.wait(lambda: page.pixels().shape[:2] == (90, 60))

    def test_the_cut_out_is_saved_at_the_photos_own_size(self, page, tmp_path):
        image = photo(1000, 1400)  # larger than what is shown
        Image.fromarray(image).save(page.folder / "large.png")
        settings = {"behavior": "allow", "downloadPath": str(tmp_path)}
        page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
        page.open()
        page.add(page.folder / "large.png")
        page.results()
        page.press("Download cut-out")
        path = tmp_path / "large-cutout.png"
        page.wait(lambda: path.exists() and path.read_bytes().endswith(b"IEND\xaeB`\x82"))  # the end of a PNG file
        saved = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert saved.shape == (1000, 1400, 4)
        kept = saved[..., 3] > 127
        assert dice(kept, wanted_mask(page, image)) > 0.98
        certain = saved[..., 3] == 255
        assert (saved[certain, 2::-1] == image[certain]).all()

    def test_the_camera_takes_a_photo(self, page):
        page.open()
        page.press("Use the camera")
        page.wait(find(page.browser, "#live")[0].is_displayed)
        page.press("Take the photo")
        page.results()
        assert find(page.browser, "#strip button")[0].get_attribute("title") == "camera-1.png"
        assert not find(page.browser, "#live")[0].is_displayed()
        assert page.browser.execute_script("return document.querySelector('video').srcObject") is None

    def test_who_has_no_photo_gets_a_drawn_one(self, page):
        page.open()
        page.press("Draw a person")
        page.results()
        assert page.pixels().shape[:2] == (800, 800)

    def test_mistakes_are_one_line_each(self, page, small):
        (page.folder / "notes.txt").write_text("no photo")
        Image.fromarray(photo(1500, 1500)).save(page.folder / "huge.png")
        page.open()
        page.add(page.folder / "notes.txt", small, page.folder / "huge.png")
        page.wait(lambda: "huge" in page.error())
        first, second = page.error().split("\n")
        assert first == "notes.txt is not a photo that this browser can read; take a PNG, JPEG or WebP file."
        assert second == "huge.png is too large, 1500 x 1500 pixels; at most 2 million are let in."
        assert page.results()  # the good one is there all the same

    def test_nothing_is_asked_of_any_other_machine_and_nothing_is_sent(self, page, small):
        page.browser.get_log("browser"), page.browser.get_log("performance")
        page.open()
        page.add(small)
        page.results()
        page.press("Draw a person")
        page.wait(lambda: len(find(page.browser, "#strip button")) == 2)
        assert page.browser.get_log("browser") == []
        events = [json.loads(entry["message"])["message"] for entry in page.browser.get_log("performance")]
        asked = [e["params"]["request"] for e in events if e["method"] == "Network.requestWillBeSent"]
        assert {request["method"] for request in asked} == {"GET"}
        elsewhere = ("data:", "blob:", page.address)
        assert [request["url"] for request in asked if not request["url"].startswith(elsewhere)] == []
        # ... since the browser would not allow it:
        blocked = "return fetch('http://localhost:9/').then(() => '', (error) => String(error))"
        assert "Failed to fetch" in page.browser.execute_script(blocked)
        assert "Content Security Policy" in page.browser.get_log("browser")[0]["message"]

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_a_phone_shows_it_without_scrolling_sideways(self, page, small, scheme):
        page.open(PHONE, scheme)
        page.add(small)
        page.results()
        canvas = find(page.browser, "#results canvas")[0].rect
        assert canvas["y"] + canvas["height"] <= PHONE[1]  # the result is on the first screen
        find(page.browser, "#choice summary")[0].click()
        page.press("residual_unet")
        page.results(2)
        assert page.browser.execute_script("return document.documentElement.scrollWidth") == PHONE[0]

    @pytest.mark.parametrize(
        ("damaged", "line"),
        [
            (False, "There is no model yet: type make repro, or dvc pull train, then reload this page."),
            (True, "models/unet.safetensors: cut short, damaged"),
        ],
    )
    def test_no_model_or_a_damaged_one_is_one_line(self, browser, tmp_path, monkeypatch, damaged, line):
        monkeypatch.chdir(tmp_path)
        shutil.copy(ROOT / "params.yaml", tmp_path)
        Path("models").mkdir()
        if damaged:
            Path("models/unet.safetensors").write_bytes(b"no model")
        with serving(Shelf([])) as address:
            page = Page(browser, address, tmp_path)
            page.open()
            if damaged:
                Image.fromarray(photo(60, 60)).save("me.png")
                page.add(tmp_path / "me.png")
            page.wait(lambda: line in find(browser, "main")[0].text)

    def test_it_says_so_when_the_program_behind_it_has_ended(self, browser, page, small):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(page.folder)
            with serving(Shelf([])) as address:
                alone = Page(browser, address, page.folder)
                alone.open()
            alone.add(small)
            line = "The program that serves this page has ended; start it again: make app."
            alone.wait(lambda: line in find(browser, "main")[0].text)


class TestServer:
    def test_it_answers_this_machine_alone_and_gives_nothing_but_the_page(self, site, capfd):
        port = int(site[0].split(":")[2].strip("/"))

        def ask(path, host="127.0.0.1"):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read()

        assert ask("/")[0] == 200
        assert ask("/", "localhost:1234")[0] == 200
        assert ask("/", "elsewhere.example")[0] == 403
        assert ask("/", "[")[0] == 400
        for path in ("/params.yaml", "/../params.yaml", "/models/../params.yaml", "/models/other.onnx", "/drawn/x.png"):
            assert ask(path)[0] == 404, path
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/", body=b"a photo")
        assert connection.getresponse().status == 501
        assert capfd.readouterr().err == ""

    def test_silent_connections_are_few_and_end(self, tmp_path, monkeypatch):
        monkeypatch.setattr(server, "LIBRARY", tmp_path)
        monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
        monkeypatch.setattr(server.Handler, "timeout", 2)
        monkeypatch.chdir(tmp_path)
        with serving(Shelf([])) as address, ExitStack() as stack:
            where = ("127.0.0.1", int(address.split(":")[2].strip("/")))
            silent = [stack.enter_context(socket.create_connection(where, timeout=30)) for _ in range(4)]
            assert silent[3].recv(1) == b""  # one too many is hung up on at once
            assert [one.recv(1) for one in silent] == [b""] * 4  # and those that say nothing after a while
            connection = http.client.HTTPConnection(*where)
            connection.request("GET", "/")
            assert connection.getresponse().status == 200

    def test_a_model_is_made_anew_when_it_or_the_params_change(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        shutil.copy(ROOT / "params.yaml", tmp_path)
        save("unet", depth=1)
        shelf = Shelf([])
        first = shelf.onnx("unet").stat().st_mtime_ns
        assert shelf.onnx("unet").stat().st_mtime_ns == Shelf([]).onnx("unet").stat().st_mtime_ns == first
        set_params(tmp_path, {"predict.mirror": False})
        assert shelf.onnx("unet").stat().st_mtime_ns > first
        model = save("unet", members=2, depth=1)  # trained again while the page is open
        again = shelf.onnx("unet")
        assert_same(by_onnx(again, photo(60, 50)), by_pipeline(model, photo(60, 50), mirror=False))
        assert list(again.parent.iterdir()) == [again]

    def test_another_model_of_the_same_name_is_not_taken_for_it(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        shutil.copy(ROOT / "params.yaml", tmp_path)
        (tmp_path / "other").mkdir()
        other = save("unet", members=2, depth=1).rename("other/unet.safetensors")
        save("unet", depth=1)
        Shelf([]).onnx("unet")
        found = by_onnx(Shelf([other]).onnx("unet"), photo(60, 50))
        assert_same(found, by_pipeline(other, photo(60, 50)))
        with pytest.raises(
            UserError, match=r"other/unet\.safetensors and models/unet\.safetensors would have the same"
        ):
            Shelf([Path("models/unet.safetensors"), other])

    def test_mistakes_are_one_line(self, site):
        port = site[0].split(":")[2].strip("/")
        with pytest.raises(UserError, match=f"port {port} is taken, perhaps by this page; name another with --port"):
            app.main("--port", port, "--no-browser")
        with pytest.raises(UserError, match=r"other\.safetensors: there is no such file"):
            app.main("other.safetensors")
