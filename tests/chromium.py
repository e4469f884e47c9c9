"""A headless Chromium that opens pages of a folder, for tests. Skips them without one."""

import contextlib
import functools
import http.server
import io
import os
import re
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright")
from playwright.sync_api import expect, sync_playwright  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PROGRAM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
NEEDED = pytest.mark.skipif(not PROGRAM, reason="no Chromium: install one, or name it in CHROMIUM")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip
# Vulkan by the processor: slow, but the same programs that graphics processors run.
WITH_WEBGPU = (
    *(flag for flag in FLAGS if flag != "--disable-gpu"), "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader", "--use-vulkan=swiftshader", "--enable-features=Vulkan",
)  # fmt: skip
PATIENCE = 60_000  # milliseconds for what takes one or two seconds


class Handler(http.server.SimpleHTTPRequestHandler):
    """Static files, as any host serves them."""

    def __init__(self, *args, isolated, **options):
        self.isolated = isolated
        super().__init__(*args, **options)

    def end_headers(self):
        if self.isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder, isolated=False):
    """Yields the address of a server of this folder."""
    handler = functools.partial(Handler, directory=folder, isolated=isolated)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@contextlib.contextmanager
def started(profile):
    """Yields a browser whose profile is this folder, which is empty.

    `browser.another(profile, flags)` starts a second one.
    """
    with sync_playwright() as playwright:

        def launch(profile, flags=FLAGS):
            browser = playwright.chromium.launch_persistent_context(
                profile, executable_path=PROGRAM, args=flags
            )
            browser.set_default_timeout(PATIENCE)
            return browser

        browser = launch(profile)
        browser.another = launch
        yield browser
        browser.close()


@contextlib.contextmanager
def new_page(browser):
    """Yields a page whose requests and complaints are noted."""
    page = browser.new_page()
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: page.complaints.append(said.text))
    yield page
    page.close()


def ready(page, address):
    page.goto(address)
    expect(page.locator("#status")).to_have_text("Ready.", timeout=PATIENCE)


def wait_for_result(page):
    done = re.compile(r"^Done in [\d.]+ s\.$")
    expect(page.locator("#status")).to_have_text(done, timeout=PATIENCE)


def as_file(pixels, name="an image.png", **options):
    """An image as what `set_input_files` takes."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, **{"format": "png", **options})
    return {"name": name, "mimeType": "image/png", "buffer": written.getvalue()}


def translated(page, pixels):
    """Gives the page an image; returns the PNG that it saves, uint8 [height, width, 3]."""
    page.set_input_files("#file", as_file(pixels))
    wait_for_result(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    page.saved_as = download.value.suggested_filename
    with Image.open(download.value.path()) as image:
        assert image.format == "PNG"
        return np.array(image.convert("RGB"))


def noise(height, width, seed=0, gray=False):
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 256, [height, width, 3], dtype=np.uint8)
    return np.repeat(pixels[..., :1], 3, -1) if gray else pixels
