"""JSON that people may have edited: its content, or an error in one line."""

from __future__ import annotations

import json
import os
from typing import Any

KINDS = {dict: "an object, {...}", list: "a list, [...]", str: "a string"}


class JSONFileError(ValueError):
    """The JSON is not as expected. The message is one line and names the source."""


def read_json(path: str | os.PathLike, kind: type | tuple[type, ...] = dict) -> Any:
    """Reads a JSON file: UTF-8, with or without a byte order mark.

    Args:
        path: str or path-like.
        kind: type, or tuple of types, that the content must have. `object` accepts any.

    Raises:
        JSONFileError: not UTF-8, not JSON, nested too deeply, or of another type.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    return parse_json(content, os.fspath(path), kind)


def parse_json(content: bytes | str, source: str, kind: type | tuple[type, ...] = dict) -> Any:
    """Parses JSON in bytes or text, as `read_json` does.

    Args:
        source: str. Where the content comes from, for the message.
        kind: as in `read_json`.

    Raises:
        JSONFileError: as in `read_json`.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        value = json.loads(text)
    except UnicodeDecodeError as error:
        raise JSONFileError(
            f"{source} is not UTF-8 text: byte {error.start} is not valid. Save it as UTF-8."
        ) from None
    except RecursionError:  # the parser calls itself for each level
        raise JSONFileError(f"{source} is not usable JSON: it is nested too deeply.") from None
    except ValueError as error:
        raise JSONFileError(f"{source} is not valid JSON: {error}") from None
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(KINDS.get(each, each.__name__) for each in kinds)
        raise JSONFileError(
            f"{source} holds JSON of another kind. Expected {expected}. "
            f"Received: {type(value).__name__}"
        )
    return value
