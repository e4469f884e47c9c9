"""JSON that other people wrote: its content, or one line that says what is wrong with it."""

import json
import os

KINDS = {dict: "an object, {...}", list: "a list, [...]", str: "a string"}


class JSONFileError(ValueError):
    """Not the JSON that was expected. The message is one line and names the source."""


def read_json(path, kind=dict):
    """Reads a JSON file: UTF-8, with or without a byte order mark.

    Args:
        path: str or path-like.
        kind: type, or tuple of types, of the whole content. `object` accepts any.

    Raises:
        JSONFileError: not UTF-8, not JSON, nested too deeply, or of another kind.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    return parse_json(content, os.fspath(path), kind)


def parse_json(content, source, kind=dict):
    """The same for bytes or text that is here already.

    Args:
        content: bytes or str.
        source: str. Where it comes from, for the message.
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
        expected = " or ".join(KINDS.get(one, one.__name__) for one in kinds)
        raise JSONFileError(
            f"{source} holds JSON of another kind. Expected {expected}. "
            f"Received: {type(value).__name__}"
        )
    return value
