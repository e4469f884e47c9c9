"""The page of results: everything inside, nothing from outside, any name harmless."""

import base64
import hashlib
import html.parser
import io
import re

import numpy as np
import pytest
from PIL import Image

from ugatit_tf.images import report

NASTY = "\"><script>alert('1')</script> & 猫 é.png"


class Page(html.parser.HTMLParser):
    """What a browser would find: tags with their attributes, and the text."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.words, self.source = [], [], path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def row(name="a.png", direction="A to B", shape=(20, 30, 3), **options):
    image = np.full(shape, 90, np.uint8)
    return report.Row(name, direction, {"Input": image, "Output": image}, **options)


def page(tmp_path, rows, title="Results", facts=None):
    report.write_report(tmp_path / "new" / "a.html", rows, title=title, facts=facts or {})
    return Page(tmp_path / "new" / "a.html")


def test_every_row_and_fact_is_on_the_page(tmp_path):
    rows = [row("a.png", link="A2B/a b.png"), row("b.png", "B to A")]
    parsed = page(tmp_path, rows, "My run", {"Step": 7, "KID": "1.5"})
    articles = [(a["data-name"], a["data-direction"]) for a in parsed.all("article")]
    assert articles == [("a.png", "A to B"), ("b.png", "B to A")]
    assert [a["href"] for a in parsed.all("a")] == ["./A2B/a%20b.png"]
    for words in ("My run", "Step", "7", "KID", "1.5", "Input", "Output", "2 results"):
        assert words in parsed.words


def test_the_number_of_rows_is_returned(tmp_path):
    count = report.write_report(tmp_path / "a.html", [row()] * 3, title="", facts={})
    assert count == 3


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((20, 30, 3), (30, 20)),
        ((20, 30, 1), (30, 20)),
        ((20, 30), (30, 20)),
        ((300, 600, 3), (256, 128)),
    ],
)
def test_images_are_inside_and_at_most_256_pixels(tmp_path, shape, size):
    for image in page(tmp_path, [row(shape=shape)]).all("img")[:2]:
        data = image["src"].split("data:image/jpeg;base64,")[1]
        with Image.open(io.BytesIO(base64.b64decode(data))) as decoded:
            assert decoded.size == size
            assert abs(int(np.mean(np.asarray(decoded))) - 90) <= 1
        assert (int(image["width"]), int(image["height"])) == size
        assert image["loading"] == "lazy"


@pytest.mark.parametrize(
    ("shape", "size"), [((300, 600, 3), (64, 32)), ((600, 300), (32, 64)), ((20, 30, 1), (30, 20))]
)
def test_the_size_of_thumbnails_can_be_chosen(tmp_path, shape, size):
    report.write_report(tmp_path / "a.html", [row(shape=shape)], title="", facts={}, thumbnail=64)
    for image in Page(tmp_path / "a.html").all("img")[:2]:
        assert (int(image["width"]), int(image["height"])) == size


def test_a_thumbnail_without_pixels_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="`thumbnail` must be at least 1 pixel. Received: 0"):
        report.write_report(tmp_path / "a.html", [row()], title="", facts={}, thumbnail=0)
    assert list(tmp_path.iterdir()) == []


def test_images_are_described_in_words(tmp_path):
    images = page(tmp_path, [row()]).all("img")
    assert [image["alt"] for image in images[:2]] == [
        "Input, a.png, A to B",
        "Output, a.png, A to B",
    ]


def test_no_name_can_leave_its_place(tmp_path):
    rows = [
        report.Row(NASTY, NASTY, {NASTY: np.zeros([2, 2, 3], np.uint8)}, "javascript:x//" + NASTY)
    ]
    parsed = page(tmp_path, rows, NASTY, {NASTY: NASTY})
    assert parsed.all("article") == [{"data-name": NASTY, "data-direction": NASTY}]
    assert len(parsed.all("script")) == 1
    assert parsed.all("a")[0]["href"].startswith("./javascript%3Ax")
    assert parsed.all("img")[0]["alt"] == f"{NASTY}, {NASTY}, {NASTY}"


def test_a_name_that_is_not_unicode_can_be_shown(tmp_path):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")  # as os.listdir gives it
    parsed = page(tmp_path, [row(name, link=name)])
    assert parsed.all("article")[0]["data-name"] == "caf?.png"
    assert parsed.all("a")[0]["href"] == "./caf%E9.png"


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    parsed = page(tmp_path, [row()])
    assert "http:" not in parsed.source
    assert "https:" not in parsed.source
    assert "url(" not in parsed.source
    assert not [a for _, a in parsed.tags if any(name.startswith("on") for name in a)]
    assert not [a for _, a in parsed.tags if "style" in a]  # the policy would refuse it


def test_the_policy_allows_this_style_and_script_only(tmp_path):
    parsed = page(tmp_path, [row()])
    policy = next(a["content"] for a in parsed.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        text = re.search(f"<{tag}>(.*?)</{tag}>", parsed.source, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_controls_are_hidden_until_the_script_runs(tmp_path):
    assert "hidden" in page(tmp_path, []).all("nav")[0]


def test_the_slider_of_a_comparison_has_a_name_and_the_dialog_can_be_closed(tmp_path):
    parsed = page(tmp_path, [row()])
    ranges = [a for a in parsed.all("input") if a["type"] == "range"]
    assert [a["aria-label"] for a in ranges] == ["Before and after"]
    dialog = parsed.source[parsed.source.index("<dialog>") : parsed.source.index("</dialog>")]
    assert dialog.count("<img") == 2
    assert '<button type="button">Close</button>' in dialog


def test_without_the_script_there_is_nothing_to_compare(tmp_path):
    parsed = page(tmp_path, [row()])
    rows = parsed.source[parsed.source.index("<main>") : parsed.source.index("</main>")]
    assert "<article" in rows
    assert "<button" not in rows


def test_rows_are_written_as_they_come(tmp_path):
    sizes = []

    def rows():
        for i in range(30):
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
            yield row(f"{i}.png", shape=(128, 128, 3))

    report.write_report(tmp_path / "a.html", rows(), title="", facts={})
    assert sizes[-1] > sizes[0] + 20_000  # a buffer at most is in memory


def test_an_interrupted_report_leaves_the_old_one(tmp_path):
    (tmp_path / "a.html").write_text("old")

    def rows():
        yield row()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        report.write_report(tmp_path / "a.html", rows(), title="", facts={})
    assert (tmp_path / "a.html").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.html"]
