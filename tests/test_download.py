"""A download arrives whole, continues where it was cut, and tells why it cannot."""

import collections
import os
import shutil
import socket
import time

import numpy as np
import pytest

from tests import loopback
from tests.loopback import sha256
from ugatit_tf import atomic
from ugatit_tf.data import download
from ugatit_tf.errors import Failure

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
ETAG, TIME = '"2"', "Fri, 02 Jan 2026 00:00:00 GMT"


@pytest.fixture
def server(monkeypatch):
    with loopback.serving(monkeypatch) as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "downloads" / "x.zip")


@pytest.fixture
def cut_off(server, path):
    """A download of which 100,000 bytes arrived, and no more in any further try."""
    url = server.put("/x.zip", CONTENT, cuts=[100_000, *[0] * download.TRIES])
    with pytest.raises(download.Unreachable, match="connection was cut after 100000 of 300000"):
        download.download([url], path)
    assert os.path.getsize(f"{path}.part") == 100_000 and not os.path.exists(path)
    server.requests.clear()
    return url


def is_whole(path, content=CONTENT):
    """Whether a file has arrived and nothing else is left."""
    folder = os.path.dirname(path)
    with open(path, "rb") as file:
        return file.read() == content and os.listdir(folder) == [os.path.basename(path)]


def closed_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/x.zip"


def test_a_file_arrives(server, path):
    url = server.put("/x.zip", CONTENT)
    download.download([url], path, num_bytes=len(CONTENT), sha256=sha256(CONTENT))
    assert is_whole(path) and server.starts == [0]


def test_a_wrong_sum_is_refused_and_the_file_removed(server, path):
    url = server.put("/x.zip", OTHER)
    with pytest.raises(download.Unreachable) as caught:
        download.download([url], path, sha256=sha256(CONTENT))
    assert sha256(OTHER) in str(caught.value) and sha256(CONTENT) in str(caught.value)
    assert os.listdir(os.path.dirname(path)) == []


def test_a_connection_that_is_cut_is_continued_at_once(server, path):
    url = server.put("/x.zip", CONTENT, cuts=[100_000, 50_000])
    download.download([url], path)
    assert is_whole(path) and server.starts == [0, 100_000, 150_000]
    assert server.requests[1][1]["If-Range"] == '"1"'


def test_as_many_cuts_as_may_be_do_not_matter_where_each_try_brings_something(server, path):
    url = server.put("/x.zip", CONTENT, cuts=[20_000] * 3 * download.TRIES)
    download.download([url], path)
    assert is_whole(path) and server.starts[-1] == 240_000


def test_the_next_start_continues(server, path, cut_off):
    server.files["/x.zip"].cuts.clear()
    download.download([cut_off], path, sha256=sha256(CONTENT))
    assert is_whole(path) and server.starts == [100_000]


def test_a_download_that_ended_before_its_check_needs_no_server(server, path, cut_off):
    server.files["/x.zip"].cuts[:] = [len(CONTENT)]
    with pytest.raises(MemoryError), pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "_check_sum", lambda *_: (_ for _ in ()).throw(MemoryError))
        download.download([cut_off], path)
    server.requests.clear()
    download.download([cut_off], path, sha256=sha256(CONTENT))
    assert is_whole(path) and server.requests == []


@pytest.mark.parametrize(
    "facts",
    [
        {"etag": ETAG, "modified": TIME},
        {"etag": ETAG, "modified": TIME, "checks": False},
        {"etag": None, "modified": TIME, "checks": False},
        {"etag": "", "modified": "", "content": OTHER[:-1], "checks": False},
        {"etag": ETAG, "modified": "", "content": OTHER[:50_000], "checks": False},
    ],
    ids=str,
)
def test_a_file_that_was_changed_in_between_is_downloaded_anew(server, path, cut_off, facts):
    content = facts.pop("content", OTHER)
    server.put("/x.zip", content, **facts)
    download.download([cut_off], path)
    assert is_whole(path, content) and server.starts[0] == 100_000


def test_a_server_that_cannot_continue_sends_all_again(server, path, cut_off, caplog):
    server.put("/x.zip", CONTENT, ranges=False)
    download.download([cut_off], path)
    assert is_whole(path) and "it is downloaded from its start" in caplog.text


def test_a_part_of_which_nothing_is_known_is_not_continued(server, path, cut_off):
    os.unlink(f"{path}.part.json")
    server.files["/x.zip"].cuts.clear()
    download.download([cut_off], path)
    assert is_whole(path) and server.starts == [0]


@pytest.mark.parametrize("modified", ["Thu, 01 Jan 2026 00:00:00 GMT", TIME])
def test_another_address_continues_the_same_file_alone(server, path, cut_off, modified):
    mirror = server.put("/mirror.zip", CONTENT, etag='"other"', modified=modified)
    download.download([closed_address(), mirror], path, sha256=sha256(CONTENT))
    assert is_whole(path) and server.starts == [100_000]
    is_same = server.requests[0][1]["If-Range"] == modified
    assert is_same == (modified != TIME)


def test_addresses_are_tried_in_turn_and_each_says_why_it_failed(server, path):
    urls = [closed_address(), f"{server.address}/none.zip", server.put("/x.zip", CONTENT)]
    download.download(urls, path)
    assert is_whole(path) and [where for where, _ in server.requests] == ["/none.zip", "/x.zip"]
    with pytest.raises(download.Unreachable) as caught:
        download.download(urls[:2], path + "2")
    lines = str(caught.value).splitlines()
    assert lines[0] == "x.zip2 could not be downloaded:"
    assert lines[1:] == [
        f"  {urls[0]}: Connection refused", f"  {urls[1]}: the server answers 404 Not Found"
    ]  # fmt: skip


def test_a_redirect_is_followed_also_where_a_download_continues(server, path, cut_off):
    server.put("/moved.zip", CONTENT)
    server.put("/x.zip", location="/moved.zip")
    download.download([cut_off], path)
    assert is_whole(path) and server.starts == [100_000, 100_000]


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x.zip", "/x.zip"])
def test_a_redirect_out_of_the_web_or_without_end_is_refused(server, path, location):
    url = server.put("/x.zip", location=location)
    with pytest.raises(download.Unreachable, match="302|unknown url type"):
        download.download([url], path)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "x.zip"])
def test_an_address_out_of_the_web_is_refused(server, path, url):
    with pytest.raises(download.Unreachable, match="unknown url type"):
        download.download([url], path)


def test_a_server_that_is_silent_for_too_long_is_given_up(server, path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    monkeypatch.setattr(download, "TRIES", 2)
    url = server.put("/x.zip", CONTENT, seconds=1.0)
    with pytest.raises(download.Unreachable, match="timed out"):
        download.download([url], path)
    last = time.monotonic() + 10  # a busy server may take a request after the client has gone
    while len(server.requests) < 2 and time.monotonic() < last:
        time.sleep(0.01)
    assert len(server.requests) == 2


def test_a_server_that_is_busy_is_asked_again(server, path):
    url = server.put("/x.zip", CONTENT, status=503)
    with pytest.raises(download.Unreachable, match="503 Service Unavailable"):
        download.download([url], path)
    assert len(server.requests) == download.TRIES


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"kind": "text/html; charset=utf-8"}, "a web page, not the file"),
        ({"content": CONTENT[1:]}, "has 299999 bytes there, expected 300000"),
    ],
)
def test_what_cannot_be_the_file_is_not_downloaded(server, path, facts, told):
    url = server.put("/x.zip", **{"content": CONTENT, **facts})
    with pytest.raises(download.Unreachable, match=told):
        download.download([url], path, num_bytes=len(CONTENT))
    assert os.listdir(os.path.dirname(path)) == []


def test_a_full_disk_is_told_before_the_download(server, path, monkeypatch):
    usage = collections.namedtuple("Usage", "free")(500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    url = server.put("/x.zip", CONTENT)
    with pytest.raises(Failure, match="has 0 MB left, and 1 MB are needed"):
        download.download([url], path)
    assert os.listdir(os.path.dirname(path)) == []


def test_a_file_is_downloaded_by_one_process_at_a_time(server, path, tmp_path):
    os.makedirs(os.path.dirname(path))
    with open(f"{path}.part.lock", "ab") as other:
        assert atomic.lock(other.fileno())
        with pytest.raises(Failure, match="Another process is downloading"):
            download.download([server.put("/x.zip", CONTENT)], path)
    download.download([server.put("/x.zip", CONTENT)], path)
    assert is_whole(path)


def test_a_proxy_of_the_environment_is_used(server, path, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", server.address)
    server.put("http://data.invalid/x.zip", CONTENT)
    download.download(["http://data.invalid/x.zip"], path)
    assert is_whole(path)
