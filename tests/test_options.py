"""Options: one declaration gives the type, the bounds, the words of a refusal."""

import dataclasses
from typing import Union

import pytest

from ugatit_tf.errors import Failure, OptionNames
from ugatit_tf.options import ConfigError, Options, described, names_of, option


@dataclasses.dataclass(frozen=True)
class Some(Options):
    rate: float = option(0.5, "a rate", kind="training", above=0, below=1)
    count: int = option(2, "a count", at_least=1, at_most=9)
    side: Union[int, str] = option(
        0, "a side", at_least=8, zero=True, multiple_of=4, words=("own",)
    )
    color: str = option("", "a color", choices=("", "red", "blue"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 1.0}, "--rate must be above 0 and below 1. Received: 1.0"),
        ({"rate": float("inf")}, "--rate must be .* and finite. Received: inf"),
        ({"rate": "fast"}, "--rate must be a number. Received: 'fast'"),
        ({"count": 10}, "--count must be at least 1 and at most 9. Received: 10"),
        ({"count": True}, "--count must be a whole number. Received: True"),
        ({"side": 4}, "--side must be own or 0 or at least 8. Received: 4"),
        ({"side": 10}, "--side must be a multiple of 4. Received: 10. The nearest .*: 8"),
        ({"side": "mine"}, "--side must be own or a whole number. Received: 'mine'"),
        ({"color": "green"}, "--color must be one of red, blue. Received: 'green'"),
    ],
)
def test_a_value_that_the_declaration_excludes_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Some(**values)


def test_what_the_declaration_allows_is_taken():
    some = Some(rate=0.25, count=9, side="own", color="red")
    assert dataclasses.astuple(some) == (0.25, 9, "own", "red")
    assert Some(side=0).side == 0 and Some(side=12).side == 12
    assert names_of(Some, "training") == ("rate",)
    assert [row.text for row in described(Some)][0] == "a rate (default 0.5)"
    assert [row.text for row in described(Some)][-1] == "a color; one of red, blue"
    assert [row.values for row in described(Some)][-1] == ("red", "blue")


@pytest.mark.parametrize("kind", [ConfigError, Failure])
def test_a_message_names_options_as_its_reader_knows_them(kind, monkeypatch):
    error = kind("--lr is 3. Use --img_size 96, or: python main.py --phase train, with --run NAME.")
    assert str(error).startswith("--lr is 3. Use --img_size 96")
    monkeypatch.setattr(OptionNames, "on_command_line", False)
    assert str(error) == (
        "`lr` is 3. Use `img_size` 96, or: python main.py --phase train, with `run` NAME."
    )
