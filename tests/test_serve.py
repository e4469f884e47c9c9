"""The page and the service of `--phase serve`.

What needs the web framework is skipped without it: `make test-serve` runs all.
"""

import base64
import contextlib
import http.client
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

import main
from tests import made, runs
from ugatit_tf.config import Config
from ugatit_tf.errors import Failure
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.networks.model import build_model
from ugatit_tf.options import ConfigError
from ugatit_tf.phases import PHASES
from ugatit_tf.serving import address, packages, page, translation
from ugatit_tf.serving.options import ServeOptions
from ugatit_tf.serving.worker import Abandoned, Busy, Stopped, Worker
from ugatit_tf.translation import loading

SIZE = 32
MODEL = {"ch": 4, "img_size": SIZE, "img_ch": 3}
TRANSLATE = "/api/translate"
MEGABYTE = 2**20
ROOT = os.path.dirname(os.path.abspath(main.__file__))
REQUESTS = int(os.environ.get("SERVE_REQUESTS", 100))  # of the slow test


def png(height=20, width=24, *, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, [height, width, 3], np.uint8)
    return saved(Image.fromarray(pixels))


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def hollow(width, height, *, data=b""):
    """A PNG whose header promises so many gray pixels, of which `data` is the compressed rest."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", data or zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


def opened(content):
    return Image.open(io.BytesIO(content))


@pytest.fixture(scope="module")
def translator():
    config = made.tiny_config(**MODEL)
    networks = build_model(config)
    made.fill(networks.weights())
    return loading.from_networks(networks, config)


def expected(translator, content, direction="a2b"):
    return np.asarray(translator.translate(opened(content), direction))


# Without the web framework


def test_missing_packages_are_named_in_one_line(tmp_path, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in packages.PACKAGES else find(name)
    )
    monkeypatch.chdir(tmp_path)
    assert main.main(["--phase", "serve", "--dataset", "x"]) == 1
    assert capsys.readouterr().err == (
        "error: --phase serve needs flask and waitress: pip install -r requirements-serve.txt\n"
    )


def test_each_package_has_an_exact_version():
    with open(os.path.join(ROOT, "requirements-serve.txt"), encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if not line.startswith("#")]
    assert [line.split("==")[0] for line in lines] == list(packages.PACKAGES)
    assert all(re.fullmatch(r"\w+==[\d.]+", line) for line in lines)


@pytest.fixture
def installed(monkeypatch):
    """As if the packages were there."""
    monkeypatch.setattr(packages, "PACKAGES", ())


def test_the_phase_refuses_what_it_cannot_serve(installed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Config(dataset="x")
    phase = PHASES["serve"]
    with pytest.raises(Failure, match="No checkpoint in checkpoint/x"):
        phase.check(config, ServeOptions())
    with pytest.raises(Failure, match="No model in none: it does not exist"):
        phase.check({}, ServeOptions(model="none"))
    open("a2b.npz", "w").close()
    with pytest.raises(ConfigError, match="--which chooses a checkpoint of a run"):
        phase.check({}, ServeOptions(model="a2b.npz", which="best"))
    with pytest.raises(ConfigError, match="--host must be an address"):
        ServeOptions(host=" ")


def test_a_port_in_use_is_named(installed, tmp_path):
    model = str(tmp_path / "a2b.npz")
    open(model, "w").close()
    check = PHASES["serve"].check
    with address.listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Failure, match=f"--port {port}: another program listens at 127.0.0.1"):
            check({}, ServeOptions(model=model, port=port))
    check({}, ServeOptions(model=model, port=port))  # now it is free, and stays so
    check({}, ServeOptions(model=model, port=port))


@pytest.mark.parametrize("host", ["no.such.name.invalid", "203.0.113.7", "a" * 300])
def test_an_address_of_another_computer_is_named(host):
    with pytest.raises(Failure, match=f"--host {host}: .*Expected"):
        address.listening(host, 0)


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1"), ("0.0.0.0", "http://127.0.0.1")]
)
def test_the_url_can_be_opened(host, url):
    with address.listening(host, 0) as listener:
        assert address.url_of(listener) == f"{url}:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    "header", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "10.0.0.7", "Here:80"]
)
def test_numbers_and_own_names_are_taken(header):
    assert address.is_own_name(header, "here")


@pytest.mark.parametrize(
    "header",
    [None, "", "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil"]
    + ["user@evil.example", "127.0.0.1@evil.example", "[::1", "evil.example/localhost", "\0"],
)
def test_other_names_are_refused(header):
    assert not address.is_own_name(header, "127.0.0.1")


def test_the_start_of_an_image_says_what_is_refused():
    translation.as_image(png(), 480)
    with pytest.raises(translation.TooLarge, match="24 x 20 pixels; at most 479 are read"):
        translation.as_image(png(), 479)
    for side in (30_000, 2**31 - 1):  # Pillow refuses the second by itself
        with pytest.raises(translation.TooLarge, match="pixels; at most"):
            translation.as_image(hollow(side, side), 10**6)
    with pytest.raises(UnreadableImage, match="65 x 1 pixels; at most 64 times as long as wide"):
        translation.as_image(png(1, 65), 10**6)
    for content in (b"", b"text", b"<html>", png()[:20]):
        with pytest.raises(UnreadableImage):
            translation.as_image(content, 10**6)


def test_a_side_is_scaled_down_where_an_image_is_long(translator, monkeypatch):
    asked = []
    translate = translator.translate
    monkeypatch.setattr(
        translator, "translate", lambda *args, **kw: asked.append(kw) or translate(*args, **kw)
    )
    image = translation.as_image(png(10, 10 * translation.THINNEST), 10**6)
    done = translation.translate(translator, image, "a2b", heatmap=True)
    assert asked == [{"max_side": 8 * SIZE}]
    assert (done.width, done.height) == (640, 10) == opened(done.heatmap).size


def waiting(worker):
    """How many jobs wait."""
    return worker._pool._work_queue.qsize()


@contextlib.contextmanager
def occupied(worker):
    """Within it the worker works; yields a function that lets it end."""
    gate, begun = threading.Event(), threading.Event()
    thread = threading.Thread(target=worker.do, args=[lambda: (begun.set(), gate.wait())])
    thread.start()
    begun.wait()
    try:
        yield gate.set
    finally:
        gate.set()
        thread.join()


def test_jobs_are_done_in_their_order_by_one_thread():
    worker, done, threads = Worker(8), [], []
    with occupied(worker):
        for number in range(5):
            job = (lambda n: lambda: done.append((n, threading.get_ident())))(number)
            threads.append(threading.Thread(target=worker.do, args=[job]))
            threads[-1].start()
            runs.wait_for(lambda count=number + 1: waiting(worker) == count)
    for thread in threads:
        thread.join()
    assert [number for number, _ in done] == list(range(5))
    assert len({ident for _, ident in done}) == 1
    assert worker.do(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        worker.do(lambda: 1 / 0)
    with pytest.raises(Abandoned):
        worker.do(lambda: pytest.fail("done"), lambda: False)
    assert worker.stop(1)
    with pytest.raises(Stopped):
        worker.do(lambda: 7)


def test_more_jobs_than_may_wait_are_refused():
    worker, results = Worker(1), []

    def wait():
        try:
            results.append(worker.do(lambda: "done"))
        except Stopped:
            results.append("stopped")

    with occupied(worker) as release:
        thread = threading.Thread(target=wait)
        thread.start()
        runs.wait_for(lambda: waiting(worker) == 1)
        with pytest.raises(Busy) as caught:
            worker.do(lambda: 7)
        assert caught.value.seconds == 1
        assert not worker.stop(0.1)  # one is in work, and the waiting one is sent away
        thread.join()
        release()
    assert results == ["stopped"]
    assert worker.stop(1)


# With it


@pytest.fixture
def options():
    return ServeOptions(max_upload_mb=1, max_pixels=10**6, concurrency=2)


@pytest.fixture
def worker(options):
    worker = Worker(options.concurrency)
    yield worker
    assert worker.stop(5)


@pytest.fixture
def app(translator, worker, options):
    pytest.importorskip("waitress")
    pytest.importorskip("flask")
    from ugatit_tf.serving import application

    return application.create(translator, worker, options)


@pytest.fixture
def client(app):
    client = app.test_client()
    client.environ_base["HTTP_HOST"] = "127.0.0.1:8000"
    return client


def post(client, content, query="", *, kind="image/png", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(
        f"{TRANSLATE}?{query}", data=content, headers={"Content-Type": kind, **names}
    )


def in_a_form(client, *contents, query="", name="image"):
    """As a browser or `curl -F` sends it. The client of werkzeug would make files."""
    head = f'Content-Disposition: form-data; name="{name}"; filename="../../x.png"'
    parts = [b"--limit\r\n" + head.encode() + b"\r\n\r\n" + one + b"\r\n" for one in contents]
    body = b"".join(parts) + b"--limit--\r\n"
    return post(client, body, query, kind="multipart/form-data; boundary=limit")


def error_of(response, code):
    assert response.status_code == code, response.text
    assert response.mimetype == "application/json"
    answer = response.get_json()
    assert list(answer) == ["error"]
    return answer["error"]


def test_the_page_and_its_files_are_served(client):
    assert client.get("/").mimetype == "text/html"
    for name in set(page.files()) - {page.INDEX, "config.json"}:
        response = client.get(f"/{name}")
        assert response.status_code == 200
        assert response.mimetype == page.type_of(name)
        assert response.content_length
    config = client.get("/config.json").get_json()
    assert config["backend"] == "server"
    assert f"{config['backend']}_backend.js" in page.files()
    assert config["directions"] == {"a2b": {"title": "A to B"}, "b2a": {"title": "B to A"}}


def test_the_model_is_described_without_the_folders_of_this_computer(client, translator):
    answer = client.get("/api/model").get_json()
    assert answer["size"] == SIZE
    assert answer["any_size"] and answer["heatmap"]
    assert answer["max_upload_bytes"] == MEGABYTE
    translator.generators.source, before = "/home/me/secret/run/step_1", translator.source
    try:
        assert page.description(translator, ServeOptions())["name"] == "run/step_1"
    finally:
        translator.generators.source = before


def test_it_says_that_it_lives(client):
    assert client.get("/healthz").get_json() == {"status": "ok"}


@pytest.mark.parametrize("direction", ["a2b", "b2a", ""])
def test_an_image_is_translated_as_by_the_translator(client, translator, direction):
    content = png()
    response = post(client, content, f"direction={direction}")
    assert response.mimetype == "image/png"
    result = np.asarray(opened(response.data))
    np.testing.assert_array_equal(result, expected(translator, content, direction or None))
    sent = in_a_form(client, content, query=f"direction={direction}")
    assert sent.data == response.data


def test_json_has_the_image_and_where_the_generator_looked(client, translator):
    content = png()
    response = post(client, content, "direction=b2a&heatmap=true", Accept="application/json")
    answer = response.get_json()
    image = opened(base64.b64decode(answer["image"]))
    heatmap = opened(base64.b64decode(answer["heatmap"]))
    _, looked_at = translator.translate(opened(content), "b2a", heatmap=True)
    np.testing.assert_array_equal(np.asarray(image), expected(translator, content, "b2a"))
    np.testing.assert_array_equal(np.asarray(heatmap), np.rint(looked_at * 255))
    assert (answer["width"], answer["height"]) == (24, 20) == heatmap.size
    assert answer["direction"] == "b2a" and answer["seconds"] > 0
    assert post(client, content, Accept="application/json").get_json()["heatmap"] is None


def test_images_are_read_as_people_see_them(client):
    exif = Image.Exif()
    exif[274] = 6
    turned = saved(Image.new("RGB", (30, 20), "red"), "JPEG", exif=exif)
    assert opened(post(client, turned, kind="image/jpeg").data).size == (20, 30)
    seen = Image.new("RGBA", (30, 20), (255, 0, 0, 99))
    assert opened(post(client, saved(seen)).data).getchannel("A").getextrema() == (99, 99)
    assert opened(post(client, saved(Image.new("L", (1, 1)))).data).size == (1, 1)
    wrong = post(client, saved(Image.new("RGB", (8, 8)), "WEBP"), kind="image/gif")
    assert opened(wrong.data).size == (8, 8)  # the content decides


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"", 400, "The file is empty."),
        (b"text", 400, "Not a JPEG, PNG"),
        (png()[:-200], 400, "The image is damaged or cut off"),
        (hollow(900, 900), 400, "The image is damaged or cut off"),
        (hollow(30_000, 30_000), 413, "Far too many pixels; at most 1 000 000 are read."),
        (hollow(2000, 1000), 413, "2000 x 1000 pixels; at most 1 million are read."),
        (hollow(2, 2, data=zlib.compress(bytes(2**26))), 200, ""),  # only its pixels are read
        (png(1, 900), 400, "900 x 1 pixels; at most 64 times as long as wide"),
        (bytes(MEGABYTE + 1), 413, "The image file has more than 1 megabytes."),
        (bytes(MEGABYTE + 2**17), 413, "The image file has more than 1 megabytes."),
    ],
    ids=["empty", "text", "cut", "hollow", "bomb", "huge", "long", "line", "large", "larger"],
)
def test_what_is_no_image_or_too_large_is_refused(client, content, code, told):
    for response in (post(client, content), in_a_form(client, content)):
        if code != 200:
            assert error_of(response, code).startswith(told)
        assert response.status_code == code


@pytest.mark.parametrize(
    ("query", "headers", "code", "told"),
    [
        ("direction=up", {}, 400, "direction must be a2b or b2a. Received: 'up'"),
        ("heatmap=2", {}, 400, "heatmap must be true or false. Received: '2'"),
        ("heatmap=true", {}, 400, "A PNG has no place for a heatmap"),
        ("size=3", {}, 400, "The address has the unknown parameter 'size'"),
        ("", {"Accept": "text/html"}, 406, "The answer can be image/png or application/json"),
        ("", {"Content-Type": "text/plain"}, 415, "Expected an image file as the body"),
        ("", {"Content-Type": ""}, 415, "Expected an image file as the body"),
        ("", {"Content-Type": "multipart/form-data"}, 400, "The form must have one file"),
        ("", {"Host": "evil.example"}, 403, "The header Host names another computer"),
        ("", {"Sec-Fetch-Site": "cross-site"}, 403, "Pages of other sites"),
        ("", {"Sec-Fetch-Site": "same-site"}, 403, "Pages of other sites"),
    ],
)
def test_what_cannot_be_asked_is_refused(client, query, headers, code, told):
    headers = {"Content-Type": "image/png", **headers}
    response = client.post(f"{TRANSLATE}?{query}", data=png(), headers=headers)
    assert error_of(response, code).startswith(told)


def test_a_form_has_one_image(client):
    assert "Received: 0" in error_of(in_a_form(client, png(), name="photo"), 400)
    assert "Received: 2" in error_of(in_a_form(client, png(), png()), 400)


def test_the_page_itself_may_ask(client):
    assert post(client, png(), Sec_Fetch_Site="same-origin").status_code == 200
    page_of_another = client.get("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert page_of_another.status_code == 200  # a link


@pytest.mark.parametrize(
    "path",
    ["/x", "/../main.py", "/..%2fmain.py", "/%2e%2e/main.py", "/web/index.html"]
    + [
        "/serving/page.py",
        "/index.html/",
        "/api/",
        "/.git/config",
        "/%00",
        "/C:/x",
        "/__init__.py",
    ],
)
def test_no_other_file_is_reachable(client, path):
    error_of(client.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", TRANSLATE), ("OPTIONS", TRANSLATE), ("PUT", TRANSLATE), ("POST", "/"), ("PATCH", "/")],
)
def test_other_methods_are_refused(client, method, path):
    response = client.open(path, method=method)
    error_of(response, 405)
    assert response.headers["Allow"]


def test_every_answer_has_the_headers_of_security(client):
    for response in (
        client.get("/"),
        client.get("/nothing"),
        client.get("/healthz"),
        post(client, png()),
        post(client, b"text"),
        post(client, png(), Host="evil.example"),
    ):
        headers = response.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["Cache-Control"] == "no-store"
        assert not [name for name, _ in headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("/home/me/secret"), 500),
        (Failure("/home/me/secret"), 500),
        (MemoryError("/home/me/secret"), 503),
    ],
    ids=["bug", "failure", "memory"],
)
def test_an_error_tells_nothing_of_this_computer(client, translator, monkeypatch, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(translator, "translate", fail)
    assert "secret" not in error_of(post(client, png()), code)


def test_a_model_without_heatmaps_says_so(client, translator, monkeypatch):
    monkeypatch.setattr(translator, "has_heatmap", False)
    response = post(client, png(), "heatmap=true", Accept="application/json")
    assert error_of(response, 400).startswith("This model has no heatmaps")


def test_who_comes_while_too_many_wait_is_told_when_to_come_back(app, client, worker, options):
    statuses = []

    def ask():
        statuses.append(post(app.test_client(), png(), Host="localhost").status_code)

    with occupied(worker) as release:
        threads = [threading.Thread(target=ask) for _ in range(options.concurrency)]
        for thread in threads:
            thread.start()
        runs.wait_for(lambda: waiting(worker) == options.concurrency)
        response = post(client, png())
        assert error_of(response, 503).startswith("Too many images wait")
        assert int(response.headers["Retry-After"]) >= 1
        assert client.get("/healthz").status_code == 200
        error_of(post(client, b"text"), 400)  # what is refused needs no turn
        release()
        for thread in threads:
            thread.join()
    assert statuses == [200] * options.concurrency


def test_uploads_stay_in_memory(client, monkeypatch):
    from werkzeug import formparser

    monkeypatch.setattr(formparser, "default_stream_factory", lambda *_, **__: pytest.fail("file"))
    content = png(500, 600)
    assert len(content) > 700_000  # above what werkzeug keeps in memory
    assert in_a_form(client, content).status_code == 200


# Through the server


@contextlib.contextmanager
def served(app, options):
    """Within it a server in threads of this process; yields (server, port)."""
    from ugatit_tf.serving.server import Server

    with address.listening("127.0.0.1", 0) as listener:
        server = Server(app, listener, options)
        server.start()
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.stop()


@pytest.fixture
def server_and_port(app, options):
    with served(app, options) as pair:
        yield pair


@pytest.fixture
def port(server_and_port):
    return server_and_port[1]


def sent(port, raw):
    """What is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(raw)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, json.loads(response.read())


def asked(port, content, query="", host="127.0.0.1"):
    """(status, content) of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    with contextlib.closing(connection):
        headers = {"Content-Type": "image/png", "Host": host}
        connection.request("POST", f"{TRANSLATE}?{query}", content, headers)
        response = connection.getresponse()
        return response.status, response.read()


def head_of(content):
    """What a request with this image begins with."""
    return (
        b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        b"Content-Length: %d\r\n\r\n" % len(content)
    )


def test_what_is_no_http_is_refused_in_words(port):
    assert sent(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 403
    for path in (b"//etc/passwd", b"/../main.py", b"/%2e%2e/%2e%2e/etc/passwd", b"file:///etc"):
        assert sent(port, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 404
    status, answer = sent(port, b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n")
    assert status == 400 and list(answer) == ["error"]
    assert sent(port, head_of(range(99_999_999))) == (
        413,
        {"error": "The image file has more than 1 megabytes."},
    )


def test_large_bodies_stay_in_memory_in_the_server_too(port, monkeypatch):
    from waitress import buffers

    monkeypatch.setattr(buffers.TempfileBasedBuffer, "__init__", lambda *_: pytest.fail("a file"))
    content = png(560, 600)
    status, answer = asked(port, content)
    assert len(content) > 2**19  # from where on waitress makes files by itself
    assert status == 200 and opened(answer).size == (600, 560)


def test_what_nobody_waits_for_is_not_translated(server_and_port, worker, translator, monkeypatch):
    server, port = server_and_port
    translated, content = [], png()
    monkeypatch.setattr(translator, "translate", lambda *_, **__: translated.append(1))
    with occupied(worker):
        for part, count in ((head_of(content), 0), (head_of(content) + content, 1)):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(part)
                runs.wait_for(lambda count=count: waiting(worker) == count)
        runs.wait_for(lambda: not server._server.active_channels)
    worker.do(lambda: None)  # comes after what waited
    assert not translated
    monkeypatch.undo()
    assert asked(port, content)[0] == 200


def test_each_request_gets_its_own_result(app, translator):
    contents = [png(8 + 4 * seed, 20, seed=seed) for seed in range(6)]
    results = [expected(translator, content) for content in contents]
    with served(app, ServeOptions(concurrency=100)) as (_, port):
        wrong = in_parallel(port, contents, results, rounds=1)
    assert set(wrong) <= {503}  # the app's worker lets two wait


def in_parallel(port, contents, results, rounds):
    """Asks for all translations at once; returns what went wrong."""
    found = []

    def ask(content, result):
        for _ in range(rounds):
            status, answer = asked(port, content)
            if status != 200:
                found.append(status)
            elif not np.array_equal(np.asarray(opened(answer)), result):
                found.append("another result")

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(contents, results)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def documented():
    """The curl commands of docs/deploying.md."""
    with open(os.path.join(ROOT, "docs", "deploying.md"), encoding="utf-8") as file:
        section = file.read().split("## A local page")[1].split("\n## ")[0]
    return re.findall(r"^curl .*", section, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_the_examples_of_the_documentation_work(port, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(saved(Image.new("RGB", (40, 30), "red"), "JPEG"))
    commands = documented()
    assert len(commands) == 5
    for command in commands:
        command = command.replace(":8000", f":{port}").replace("curl ", "curl -sS --fail ", 1)
        environ = {name: v for name, v in os.environ.items() if "proxy" not in name.lower()}
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, timeout=60, env=environ)
    for name in ("translated.png", "back.png"):
        assert opened((tmp_path / name).read_bytes()).size == (40, 30)
    assert json.loads((tmp_path / "both.json").read_bytes())["heatmap"]


# The program


@contextlib.contextmanager
def program(model, *words):
    """Within it the program serves; yields (process, port)."""
    command = [sys.executable, os.path.join(ROOT, "main.py"), "--phase", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--model", model, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with runs.killed_at_the_end(process):
        line = process.stdout.readline()
        port = re.search(r"at http://127\.0\.0\.1:(\d+) until Ctrl-C", line)
        assert port, line + process.stdout.read()
        assert process.stdout.readline().startswith("curl -F image=@photo.jpg 'http://127.0.0.1:")
        yield process, int(port[1])


def megabytes(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1]) / 1024


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    for name in packages.PACKAGES:
        pytest.importorskip(name)
    config = runs.config_in(tmp_path_factory.mktemp("served"), **MODEL)
    runs.make_run(config)
    return config.run_folder


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc")
def test_the_program_survives_its_clients_and_ends_when_it_is_told_to(run_folder):
    translator = loading.load(run_folder)
    contents = [png(20 + 4 * seed, 40, seed=seed) for seed in range(6)]
    results = [expected(translator, content) for content in contents]
    with program(run_folder) as (process, port):
        survive(port)
        assert in_parallel(port, contents, results, rounds=3) == []
        rounds = -(-REQUESTS // len(contents))
        in_parallel(port, contents, results, rounds=max(5, rounds // 5))  # buffers of all threads
        before = megabytes(process)
        start = time.monotonic()
        assert in_parallel(port, contents, results, rounds) == []
        seconds, after = time.monotonic() - start, megabytes(process)
        count = rounds * len(contents)
        print(f"{count} requests, {count / seconds:.0f} a second, {before:.0f} to {after:.0f} MB")
        assert after < before + 30
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read().strip() == "Stopping."


def survive(port):
    """Asks for what cannot be translated, and leaves in the middle."""
    hostile = [
        (png()[:-100], 400),
        (hollow(5000, 5000), 400),
        (hollow(5000, 5000, data=zlib.compress(bytes(25_005_000))), 200),  # 24 kB, 25 million
        (hollow(100_000, 100_000), 413),
        (hollow(2**31 - 1, 2**31 - 1), 413),
        (b"text", 400),
        (b"", 400),
        (png(1, 1), 200),
        (png(1, 2000), 400),
        (saved(Image.new("L", (1, 64))), 200),
    ]
    assert [asked(port, content)[0] for content, _ in hostile] == [code for _, code in hostile]
    whole = head_of(png()) + png()
    for part in (b"", b"\0" * 1000, whole[:50], whole[:-10], whole) * 5:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(part)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_the_middle_of_a_translation(run_folder, number):
    large = hollow(5000, 5000, data=zlib.compress(bytes(25_005_000)))
    with program(run_folder) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head_of(large) + large)
            time.sleep(1)
            process.send_signal(number)
            assert process.wait(20) == 0
        assert "Stopping." in process.stdout.read()


@pytest.mark.slow
def test_a_port_in_use_ends_the_program_before_tensorflow_is_loaded(run_folder):
    with address.listening("127.0.0.1", 0) as listener:
        words = ["--model", run_folder, "--port", str(listener.getsockname()[1])]
        command = [sys.executable, os.path.join(ROOT, "main.py"), "--phase", "serve", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert re.fullmatch(r"error: --port \d+: another program listens at .*\n", done.stderr)


@pytest.mark.parametrize(
    ("name", "title"),
    [("horses/step_0001000", "horses"), ("models/a2b.npz", "a2b"), ("a2b", "a2b")],
)
def test_the_title_of_the_page_is_the_run_or_the_file(name, title):
    assert page.config({"name": name, "any_size": True, "size": 8})["title"] == title
