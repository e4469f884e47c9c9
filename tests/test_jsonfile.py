"""JSON files that people may have edited: read, or refused in one line."""

import pytest

from ugatit_tf import config_file
from ugatit_tf.jsonfile import JSONFileError, parse_json, read_json

DEEP = b"[" * 100_000 + b"]" * 100_000
BAD = {
    "not JSON": (b"{", "is not valid JSON"),
    "empty": (b"", "is not valid JSON"),
    "too deep": (DEEP, "nested too deeply"),
    "deep within an object": (b'{"ch": ' + DEEP + b"}", "nested too deeply"),
    "not UTF-8": ('{"run": "é"}'.encode("latin-1"), "is not UTF-8 text: byte 9"),
    "UTF-16": ("{}".encode("utf-16"), "is not UTF-8 text"),
    "a number too long": (b'{"ch": ' + b"9" * 5000 + b"}", "is not valid JSON"),
    "a list": (b"[1]", "Expected an object, {...}. Received: list"),
}


@pytest.mark.parametrize("content, reason", BAD.values(), ids=BAD)
def test_json_that_is_not_as_expected_is_refused_in_one_line(content, reason, tmp_path):
    path = tmp_path / "some.json"
    path.write_bytes(content)
    if reason == "is not valid JSON" and b"999" in content and not has_digit_limit():
        pytest.skip("this Python reads numbers of any length")
    with pytest.raises(JSONFileError) as caught:
        read_json(path)
    assert reason in str(caught.value) and str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def has_digit_limit():
    try:
        int("9" * 5000)
    except ValueError:
        return True
    return False


def test_a_byte_order_mark_is_accepted(tmp_path):
    path = tmp_path / "some.json"
    path.write_bytes(b"\xef\xbb\xbf" + '{"run": "é"}'.encode())
    assert read_json(path) == {"run": "é"}


def test_another_kind_is_read_where_it_is_expected(tmp_path):
    path = tmp_path / "some.json"
    path.write_text("[1]")
    assert read_json(path, kind=list) == read_json(path, kind=(dict, list)) == [1]
    assert read_json(path, kind=object) == [1]
    with pytest.raises(JSONFileError, match="TF_CONFIG holds .* Expected .* or a list"):
        parse_json('"word"', "TF_CONFIG", kind=(dict, list))


@pytest.mark.parametrize("content", [BAD["deep within an object"][0], BAD["not UTF-8"][0]])
def test_a_bad_config_file_is_an_error_of_options(content, tmp_path):
    (tmp_path / config_file.CONFIG_FILE).write_bytes(content)
    for read in (config_file.read_options, lambda path: config_file.read_about(tmp_path)):
        with pytest.raises(config_file.ConfigError, match="too deeply|not UTF-8"):
            read(tmp_path / config_file.CONFIG_FILE)


def test_what_is_known_of_a_run_must_be_an_object(tmp_path):
    (tmp_path / config_file.CONFIG_FILE).write_text('{"ch": 8, "about": [1]}')
    with pytest.raises(config_file.ConfigError, match="about.*must be an object"):
        config_file.read_about(tmp_path)
