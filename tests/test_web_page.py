"""The page of `--format web` in a real Chromium: what comes out is what the model computes.

Skipped without Chromium, playwright, tf2onnx and ONNX Runtime; `make test-web` runs all.
"""

import contextlib
import os
import types

import numpy as np
import pytest
from PIL import Image

from tests import chromium, runs
from tests.chromium import as_file, expect, noise, translated, wait_for_result
from ugatit_tf.errors import Failure
from ugatit_tf.images import panels
from ugatit_tf.interchange import export
from ugatit_tf.interchange.formats import web
from ugatit_tf.phases import PHASES

for name in ("tf2onnx", "onnxruntime"):
    pytest.importorskip(name)
pytestmark = [
    chromium.NEEDED,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
LEVELS = 2
SIZE = 32


def site(folder, half=False, **options):
    """Exports a run as a page and serves it."""
    try:
        web.ONNXRUNTIME_WEB.require()
    except Failure as error:
        pytest.skip(str(error))
    config = runs.config_in(folder, ch=4, n_res=1, img_size=SIZE, **options)
    networks = runs.make_run(config)
    chosen = PHASES["export"].options(format="web", half=half)
    PHASES["export"].check(config, chosen)
    PHASES["export"].run(config, chosen)
    path = os.path.join(config.export_dir, config.run_name, "step_0000003", "web")
    return types.SimpleNamespace(config=config, networks=networks, folder=path)


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    case = site(tmp_path_factory.mktemp("light"), dataset="selfie2anime")
    with chromium.served(case.folder) as case.address:
        yield case


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    case = site(tmp_path_factory.mktemp("full"), light=False, img_ch=1)
    with chromium.served(case.folder) as case.address:
        yield case


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.started(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser):
    with chromium.new_page(browser) as page:
        yield page


def opened(page, case, query=""):
    chromium.ready(page, case.address + query)


def by_keras(case, direction, pixels):
    """{"images", "heatmap"}: what the SavedModel's function makes of it."""
    translator = export.Translator(getattr(case.networks, direction), case.config)
    channels = pixels if case.config.img_ch == 3 else pixels[..., :1]
    return {k: v.numpy()[0] for k, v in translator.translate(channels[None]).items()}


def assert_close(found, expected):
    assert found.shape[:2] == expected.shape[:2]
    assert np.abs(np.float32(found) - np.float32(expected)).max() <= LEVELS


# What comes out


@pytest.mark.parametrize("size", [(32, 48), (33, 50), (3, 70), (100, 7)])
def test_an_image_of_any_size_is_translated_as_by_the_model(page, light, size):
    opened(page, light)
    pixels = noise(*size)
    assert_close(translated(page, pixels), by_keras(light, "a2b", pixels)["images"])
    assert page.saved_as == "an image_a2b.png"
    assert "has the size of your image" in page.locator("#note").inner_text()
    assert page.complaints == []
    assert {url.split("/")[2] for url in page.requests if not url.startswith("blob:")} == {
        light.address.split("/")[2]
    }


def test_the_other_direction_is_a_click_away(page, light):
    opened(page, light)
    pixels = noise(32, 32)
    translated(page, pixels)
    page.get_by_text("Anime to selfie").click()
    wait_for_result(page)
    assert_close(translated(page, pixels), by_keras(light, "b2a", pixels)["images"])
    assert page.saved_as == "an image_b2a.png"


def test_a_full_model_gets_its_square(page, full):
    opened(page, full)
    pixels = noise(SIZE, SIZE, gray=True)
    assert_close(translated(page, pixels), by_keras(full, "a2b", pixels)["images"])
    assert translated(page, noise(40, 80)).shape == (32, 64, 3)
    assert "This model takes 32 × 32 pixels" in page.locator("#note").inner_text()
    assert not page.locator("#size").is_visible()


def test_the_attention_map_is_that_of_the_model(page, light):
    opened(page, light)
    pixels = noise(33, 50)
    translated(page, pixels)
    heat = page.locator("#before .heat")
    assert heat.evaluate("e => getComputedStyle(e).visibility") == "hidden"
    page.get_by_text("Attention map").click()
    assert heat.evaluate("e => getComputedStyle(e).visibility") == "visible"
    expect(page.locator("#scale")).to_be_visible()
    data = heat.evaluate("e => [...e.getContext('2d').getImageData(0, 0, 50, 33).data]")
    found = np.reshape(data, [33, 50, 4])[..., :3]
    assert_close(found, panels.color_map(by_keras(light, "a2b", pixels)["heatmap"]))


def test_a_photograph_is_turned_as_its_file_says(page, light):
    opened(page, light)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it to the right
    file = as_file(noise(20, 40), "photo.jpg", format="jpeg", exif=exif)
    page.set_input_files("#file", file)
    wait_for_result(page)
    assert (
        page.locator("#after canvas").first.get_attribute("aria-label").endswith("20 × 40 pixels")
    )


def test_white_shows_where_an_image_is_transparent(page, light):
    opened(page, light)
    clear = np.zeros([32, 32, 4], np.uint8)
    white = np.full([32, 32, 3], 255, np.uint8)
    assert_close(translated(page, clear), by_keras(light, "a2b", white)["images"])


def test_a_larger_image_is_scaled_down_and_the_page_says_so(page, light):
    opened(page, light)
    page.select_option("#size", "128")
    assert translated(page, noise(100, 400)).shape == (32, 128, 3)
    note = page.locator("#note").inner_text()
    assert "Your image of 400 × 100 pixels was scaled down to 128 × 32." in note


def test_weights_of_half_the_length_give_the_same_image(page, tmp_path):
    case = site(tmp_path, half=True)
    with chromium.served(case.folder) as case.address:
        opened(page, case)
        pixels = noise(33, 50)
        assert_close(translated(page, pixels), by_keras(case, "a2b", pixels)["images"])
    assert [url for url in page.requests if url.endswith("a2b_float16.onnx")]


# Where it runs


def test_the_page_says_what_it_runs_on(page, light):
    opened(page, light)
    expect(page.locator("#device")).to_contain_text("WebAssembly, one thread")
    assert "No image leaves this computer" in page.inner_text("#privacy")
    assert page.title() == "Selfie and anime"


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core")
def test_an_isolated_page_uses_threads(page, light):
    with chromium.served(light.folder, isolated=True) as address:
        opened(page, types.SimpleNamespace(address=address))
        expect(page.locator("#device")).to_contain_text("threads")
        pixels = noise(32, 32)
        assert_close(translated(page, pixels), by_keras(light, "a2b", pixels)["images"])


def test_where_webgpu_fails_the_processor_computes(page, light):
    opened(page, light, "?device=webgpu")
    expect(page.locator("#device")).to_contain_text("WebGPU failed on this device")
    pixels = noise(32, 32)
    assert_close(translated(page, pixels), by_keras(light, "a2b", pixels)["images"])


def test_webgpu_computes_the_same(browser, light, tmp_path):
    other = browser.another(tmp_path, chromium.WITH_WEBGPU)
    with contextlib.closing(other), chromium.new_page(other) as page:
        opened(page, light)
        expect(page.locator("#device")).to_contain_text("WebAssembly")  # it is imitated
        has_webgpu = "() => navigator.gpu?.requestAdapter().then(Boolean)"
        if not page.evaluate(has_webgpu):
            pytest.skip("this Chromium has no WebGPU without a graphics processor")
        opened(page, light, "?device=webgpu")
        pixels = noise(33, 50)
        assert_close(translated(page, pixels), by_keras(light, "a2b", pixels)["images"])
        expect(page.locator("#device")).to_contain_text("(WebGPU)")


def test_a_folder_without_its_model_is_said_in_words(page, light):
    page.route("**/a2b.onnx", lambda route: route.fulfill(status=404))
    page.goto(light.address)
    expect(page.locator("#problem")).to_contain_text("The model cannot be loaded.")


def test_a_damaged_model_is_said_in_words(page, light):
    page.route("**/a2b.onnx", lambda route: route.fulfill(body="no model"))
    page.goto(light.address)
    expect(page.locator("#problem")).to_contain_text("This browser cannot run the model.")


def test_a_browser_without_webassembly_is_said_in_words(page, light):
    code = "self.WebAssembly = undefined;\n" + (web.SOURCES / "worker.js").read_text()
    answer = {"body": code, "content_type": "text/javascript"}
    page.route("**/worker.js", lambda route: route.fulfill(**answer))
    page.goto(light.address)
    expect(page.locator("#problem")).to_contain_text("This browser has no WebAssembly")
