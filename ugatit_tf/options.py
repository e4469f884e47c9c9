"""Options, each declared in one line: its default, its meaning, what it may be, and its kind.

    class Config(Options):
        lr: float = option(1e-4, "learning rate", kind="training", above=0)

Flags, `--help`, the checks, config.json and docs/options.md all come from this declaration.
"""

import dataclasses
import math
import reprlib
import sys
from typing import Any, NamedTuple, Optional

from ugatit_tf.errors import OptionNames

LARGEST_COUNT = 10**9  # beyond every use; keeps a strange file of options from asking for days
TYPES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}


class ConfigError(OptionNames, ValueError):
    """An option, or a pair of options, that cannot work. The message says what would."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is declared of an option besides its name, type and default.

    Attributes:
        help: what `--help` says.
        kind: "architecture" (what a checkpoint holds), "training", "execution" (how it is
            computed), "logging", "evaluation" or "location"; empty for options of a phase.
        choices: the only values, if there are any.
        at_least, at_most, above, below: bounds of a number.
        multiple_of: of which a whole number must be a multiple.
        zero: whether 0 is allowed whatever the bounds are.
        words: texts that are allowed in place of a number.
        needed: whether the command line must name it.
        recorded: whether config.json keeps it; what differs from start to start is not kept.
        common: whether the help of a phase shows it among the first.
    """

    help: str
    kind: str = ""
    choices: tuple = ()
    at_least: Optional[float] = None
    at_most: Optional[float] = None
    above: Optional[float] = None
    below: Optional[float] = None
    multiple_of: int = 1
    zero: bool = False
    words: tuple = ()
    needed: bool = False
    recorded: bool = True
    common: bool = False

    @property
    def expected(self) -> str:
        """The allowed values, for people; "" where all are."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices if choice != "")
        bounds = {
            "at least": self.at_least,
            "above": self.above,
            "at most": self.at_most,
            "below": self.below,
        }
        words = [f"{name} {bound}" for name, bound in bounds.items() if bound is not None]
        parts = [*self.words, *["0"] * self.zero, " and ".join(words)]
        return " or ".join(filter(None, parts))

    def check(self, name: str, value: Any) -> None:
        """Raises ConfigError where the option `name` cannot have this value."""
        received = f"Received: {reprlib.repr(value)}"
        if self.choices and value not in self.choices:
            raise ConfigError(f"--{name} must be {self.expected}. {received}")
        if isinstance(value, (bool, str)) or (self.zero and value == 0):
            return
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"--{name} must be {self.expected} and finite. {received}")
        if not self._is_within(value):
            raise ConfigError(f"--{name} must be {self.expected}. {received}")
        if self.multiple_of > 1 and value % self.multiple_of:
            nearest = max(self.at_least, round(value / self.multiple_of) * self.multiple_of)
            raise ConfigError(
                f"--{name} must be a multiple of {self.multiple_of}. {received}. "
                f"The nearest that works: {nearest}"
            )

    def _is_within(self, value):
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )


def option(default: Any, help: str, **rule: Any) -> Any:
    """A field of an `Options` dataclass. Args: rule: of `Rule`."""
    return dataclasses.field(default=default, metadata={"rule": Rule(help, **rule)})


@dataclasses.dataclass(frozen=True)
class Options:
    """Base of dataclasses whose fields are options.

    Raises:
        ConfigError: a value has the wrong type or range, or two options contradict each other.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue  # for `check_pairs`, which knows the other options
            value = _typed(field, value)
            object.__setattr__(self, field.name, value)
            rule_of(field).check(field.name, value)
        self.check_pairs()

    def check_pairs(self) -> None:
        """Raises ConfigError where options contradict each other, and sets those that are None.

        For subclasses.
        """


def rule_of(field: dataclasses.Field) -> Rule:
    return field.metadata["rule"]


def names_of(options: type, *kinds: str) -> tuple:
    """The names of the options of these kinds, in the order of their declaration."""
    return tuple(f.name for f in dataclasses.fields(options) if rule_of(f).kind in kinds)


def types_of(field: dataclasses.Field) -> tuple:
    """The types that a value may have: several for a number that may be a word."""
    return getattr(field.type, "__args__", (field.type,))


class Row(NamedTuple):
    """An option in words, for `--help` and docs/options.md."""

    name: str
    text: str  # its meaning, its values, its default
    values: tuple  # all that can be typed, as texts; empty where these are too many
    rule: Rule


def described(options: type) -> list:
    """The `Row` of each option, in the order of their declaration."""
    rows = []
    for field in dataclasses.fields(options):
        rule = rule_of(field)
        values = f"; {rule.expected}" if rule.choices else ""
        default = f" (default {field.default})" if field.default not in ("", None) else ""
        choices = ("True", "False") if bool in types_of(field) else rule.choices or rule.words
        typed = tuple(str(choice) for choice in choices if choice != "")
        rows.append(Row(field.name, f"{rule.help}{values}{default}", typed, rule))
    return rows


def _typed(field, value):
    """`value` in the type of its field. An int is a float too; nothing else is converted."""
    types = types_of(field)
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if float in types and is_int:
        return float(value) if abs(value) <= sys.float_info.max else math.inf
    if not any(isinstance(value, kind) and (kind is not int or is_int) for kind in types):
        raise ConfigError(
            f"--{field.name} must be {TYPES[types[0]]}. Received: {reprlib.repr(value)}"
        )
    words = rule_of(field).words
    if isinstance(value, str) and words and value not in words:
        raise ConfigError(
            f"--{field.name} must be {' or '.join(words)} or {TYPES[types[0]]}. Received: {value!r}"
        )
    return value
