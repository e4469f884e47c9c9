"""The page of a study: blind, self-contained, and its answers come back."""

import re

import numpy as np

from ugatit_tf.images import html_page, study


def image(seed):
    return np.random.default_rng(seed).integers(0, 256, [20, 30, 3], dtype=np.uint8)


def page_of(tmp_path):
    questions = [
        ("a & b", image(0), {"ours": image(1), "<other>": image(2)}),
        ("c", image(3), {"ours": image(4), "<other>": image(5)}),
    ]
    path = tmp_path / "new" / "study.html"
    assert study.write_study(path, iter(questions), question="Which <one>?") == 2
    return path.read_text(encoding="utf-8")


def test_every_question_has_its_source_and_all_results(tmp_path):
    page = page_of(tmp_path)
    assert page.count("<img src=") == 2 * 3
    assert re.findall('data-image="([^"]+)"', page) == ["a &amp; b", "c"]
    assert re.findall('data-method="([^"]+)"', page) == ["ours", "&lt;other&gt;"] * 2
    assert "<h1>Which &lt;one&gt;?</h1>" in page


def test_answers_in_csv_are_what_votes_reads(tmp_path):
    """The methods as JSON in one cell: a name may hold any sign that could stand between them."""
    page = page_of(tmp_path)
    assert "v.choice, JSON.stringify(v.shown), v.seconds].map(quoted)" in page


def test_no_name_of_a_method_can_be_read(tmp_path):
    """In a text, a title or the alternative text; the page's source has them, for its answers."""
    page = page_of(tmp_path)
    visible = re.sub(r"<(script|style).*?</\1>|data-method=\"[^\"]*\"", "", page, flags=re.DOTALL)
    assert "ours" not in visible and "other" not in visible


def test_the_page_needs_nothing_but_itself(tmp_path):
    page = page_of(tmp_path)
    assert "http://" not in page and "https://" not in page
    for text in (study.STYLE, study.SCRIPT):
        assert html_page.policy_hash(text) in page and text in page
    assert " style=" not in page and " onclick=" not in page
