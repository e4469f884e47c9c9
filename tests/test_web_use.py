"""The page of `--format web` in a real Chromium: how it is used, and what it says.

The model is a stand-in, a backend that inverts images. It shows too what any backend must have.
Skipped without Chromium and playwright; `make test-web` runs all.
"""

import json
import shutil

import numpy as np
import pytest

from tests import chromium
from tests.chromium import as_file, expect, noise, translated, wait_for_result
from ugatit_tf.interchange.formats import web

pytestmark = chromium.NEEDED

BACKEND = """
import { Problem } from "./words.js";
export async function open(config, onProgress) {
  const wish = new URLSearchParams(location.search);
  onProgress({ step: "load", done: 5e6, total: 10e6 });
  if (wish.has("broken")) throw new Problem("model-size");
  return {
    describe: () => ({
      directions: [{ name: "a2b", title: "A to B" }, { name: "b2a", title: "B to A" }],
      anySize: true, size: 64, sides: [256, 128, 64], side: 256, device: "Runs in a test.",
    }),
    async translate(image, direction, report) {
      report({ step: "work" });
      await new Promise((done) => setTimeout(done, Number(wish.get("wait") ?? 0)));
      if (image.width * image.height > Number(wish.get("pixels") ?? 1e9)) {
        throw new Problem("memory");
      }
      if (wish.has("fails")) throw new Problem("work", "there is no reason");
      const data = image.data.map((value, place) => (place % 4 === 3 ? 255 : 255 - value));
      return { image: new ImageData(data, image.width, image.height), heatmap: null };
    },
  };
}
"""
CONFIG = {"backend": "stand_in", "title": "A title", "about": "About it", "privacy": "Private."}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for name in web.PAGE:
        shutil.copyfile(web.SOURCES / name, folder / name)
    (folder / "stand_in_backend.js").write_text(BACKEND)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    with chromium.served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.started(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, address):
    with chromium.new_page(browser) as page:
        chromium.ready(page, address)
        yield page


def problem(page):
    return page.locator("#problem")


# A file as the page's own scripts see it, in an event of a kind and a field of that event.
SEND = """([kind, field, bytes, type]) => {
  const transfer = new DataTransfer();
  if (bytes) transfer.items.add(new File([new Uint8Array(bytes)], "sent.png", { type }));
  const event = new Event(kind, { bubbles: true, cancelable: true });
  Object.defineProperty(event, field, { value: transfer });
  document.body.dispatchEvent(event);
}"""


# Ways in


def test_any_backend_translates_and_the_page_knows_no_more_of_it(page):
    pixels = noise(20, 30)
    assert (translated(page, pixels) == 255 - pixels).all()
    assert not page.locator("#attention_label").is_visible()  # it gives no heatmap
    assert page.inner_text("#device") == "Runs in a test."
    assert page.inner_text("#privacy") == "Private."
    assert page.complaints == []
    assert not [url for url in page.requests if "onnx" in url]


@pytest.mark.parametrize(("kind", "field"), [("drop", "dataTransfer"), ("paste", "clipboardData")])
def test_an_image_can_be_dropped_and_pasted(page, kind, field):
    content = as_file(noise(20, 30))["buffer"]
    page.evaluate(SEND, [kind, field, list(content), "image/png"])
    wait_for_result(page)
    assert "30 × 20 pixels" in page.inner_text("#note")
    page.evaluate(SEND, [kind, field, None, ""])  # a text
    expect(problem(page)).to_contain_text("That is no image file.")


def test_a_picture_of_the_camera_is_translated(page):
    page.get_by_role("button", name="Camera").click()
    expect(page.get_by_role("dialog", name="Camera")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog", name="Camera")).not_to_be_visible()
    page.get_by_role("button", name="Camera").click()
    page.wait_for_timeout(500)  # the camera starts
    page.get_by_role("button", name="Take a picture").click()
    wait_for_result(page)
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_camera_that_is_refused_is_said_in_words(page):
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('no')); }"
    )
    page.get_by_role("button", name="Camera").click()
    expect(problem(page)).to_contain_text("The camera cannot be used.")


def test_the_same_file_can_be_chosen_again_after_another_direction(page):
    pixels = noise(20, 30)
    translated(page, pixels)
    page.get_by_text("B to A").click()
    wait_for_result(page)
    translated(page, pixels)
    assert page.saved_as == "an image_b2a.png"


def test_the_newest_of_images_that_come_during_the_work_is_shown(page, address):
    chromium.ready(page, f"{address}?wait=600")
    for width in (10, 20, 30):
        page.set_input_files("#file", as_file(noise(8, width)))
    wait_for_result(page)
    assert "30 × 8 pixels" in page.inner_text("#note")


# What goes wrong


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"}, "That is no image file."),
        (
            {"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG"},
            "cannot open that image",
        ),
        ({"name": "a", "mimeType": "", "buffer": b"what"}, "That is no image file."),
    ],
    ids=["text", "damaged", "unknown"],
)
def test_what_is_no_image_is_said_in_words_and_another_image_works(page, file, words):
    page.set_input_files("#file", file)
    expect(problem(page)).to_contain_text(words)
    translated(page, noise(20, 30))
    expect(problem(page)).not_to_be_visible()


def test_where_memory_ends_a_smaller_size_is_taken(page, address):
    chromium.ready(page, f"{address}?pixels=9000")
    assert translated(page, noise(200, 200)).shape == (64, 64, 3)
    assert "200 × 200 pixels was scaled down to 64 × 64" in page.inner_text("#note")
    assert page.locator("#size option").all_inner_texts() == ["64 pixels"]


def test_where_no_size_fits_it_is_said(page, address):
    chromium.ready(page, f"{address}?pixels=9")
    page.set_input_files("#file", as_file(noise(80, 80)))
    expect(problem(page)).to_contain_text("not enough memory for an image of this size")


def test_the_reason_of_a_failure_is_said(page, address):
    chromium.ready(page, f"{address}?fails=1")
    page.set_input_files("#file", as_file(noise(8, 8)))
    expect(problem(page)).to_have_text(
        "The image could not be translated. The reason: there is no reason"
    )


def test_a_model_that_does_not_fit_is_said(page, address):
    page.goto(f"{address}?broken=1")
    expect(problem(page)).to_contain_text("This device does not have enough memory")


def test_a_page_without_its_config_is_said(page, address):
    page.route("**/config.json", lambda route: route.fulfill(status=404, body="none"))
    page.goto(address)
    expect(problem(page)).to_contain_text("config.json cannot be read")


def test_a_page_that_is_opened_as_a_file_says_how_to_serve_it(page):
    page.goto(f"file://{web.SOURCES}/index.html")
    expect(page.locator("#stuck")).to_be_visible()
    assert "python -m http.server" in page.inner_text("#stuck")


# Everybody can use it


def test_it_can_be_used_with_the_keyboard_alone(page):
    translated(page, noise(20, 30))
    page.locator("body").click(position={"x": 1, "y": 1})
    order = []
    for _ in range(8):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
        if order[-1] == "split":
            page.keyboard.press("ArrowRight")
    assert order[:7] == ["file", "camera_open", "direction", "size", "split", "view", "download"]
    split = page.locator("#stage").evaluate("e => e.style.getPropertyValue('--split')")
    assert split == "50.5%"


def test_every_control_and_image_has_a_name(page):
    translated(page, noise(20, 30))
    tree = page.locator("body").aria_snapshot()
    for line in (
        'heading "A title" [level=1]',
        'button "Choose an image"',
        'button "Camera"',
        'radio "A to B" [checked]',
        'combobox "Longer side at most',
        'img "The input, 30 × 20 pixels"',
        'img "The translation, 30 × 20 pixels"',
        'slider "How much of the input is shown, from the left"',
        'radio "Side by side"',
        'button "Download PNG"',
        "status: Done in",
    ):
        assert line in tree, tree


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_any_screen_and_can_be_read(page, width, scheme):
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    translated(page, noise(200, 256))
    page.get_by_text("Side by side").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("#status", "#note", "#about", "#choose .button", "#download"):
        assert contrast(page, name) >= 4.5, name


def contrast(page, selector):
    """The contrast of a text, as WCAG defines it, and what is behind it."""
    colors = page.locator(selector).evaluate(
        """element => {
          const color = getComputedStyle(element).color;
          const behind = () => getComputedStyle(element).backgroundColor;
          while (behind() === "rgba(0, 0, 0, 0)") element = element.parentElement;
          return [color, behind()];
        }"""
    )
    light = sorted(luminance(color) for color in colors)
    return (light[1] + 0.05) / (light[0] + 0.05)


def luminance(color):
    values = np.array([float(value) for value in color[4:-1].split(",")]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
