"""Reads config.json, and resolves a run: named options, then recorded ones, then defaults.

A new run that starts from trained weights has their architecture in place of recorded options.
"""

import dataclasses
import os
import shlex
from collections.abc import Collection
from typing import Callable, Optional

from ugatit_tf import invocation
from ugatit_tf.config import ABOUT, CONFIG_FILE, NOT_RECORDED, Config
from ugatit_tf.jsonfile import JSONFileError, read_json
from ugatit_tf.options import ConfigError, names_of


def read_options(path: str) -> dict:
    """Reads the options in a config.json, without the name of the run.

    Raises:
        ConfigError: not JSON, or an option that this version does not know.
    """
    options = _read(path)
    for name in (ABOUT, "run"):
        options.pop(name, None)
    unknown = sorted(set(options) - {field.name for field in dataclasses.fields(Config)})
    if unknown:
        raise ConfigError(f"{path} holds options that do not exist: {', '.join(unknown)}")
    return options


def read_template(path: str, named: dict) -> dict:
    """Reads the options in the file of --config: how a run trains, never which run, or where.

    Args:
        named: the options on the command line.

    Raises:
        ConfigError: as `read_options`, or the file has a location that is not among `named`.
    """
    options = read_options(path)
    for name in names_of(Config, "location"):
        value = options.pop(name, None)
        if name not in named and value not in (None, getattr(Config, name)):
            raise ConfigError(
                f"{path} says --{name} {value}, which --config takes from no file: it belongs to "
                f"one run. Add --{name} {shlex.quote(str(value))}, or what is right for this run."
            )
    return options


def read_about(run_folder: str) -> tuple:
    """(options, what else is known) of the run in `run_folder`; both empty if there is none."""
    path = os.path.join(run_folder, CONFIG_FILE)
    if not os.path.exists(path):
        return {}, {}
    about = _read(path).get(ABOUT, {})
    if not isinstance(about, dict):
        raise ConfigError(f"{path}: {ABOUT!r} must be an object, {{...}}. Received: {about!r:.80}")
    return read_options(path), about


def read_recorded(run_folder: str) -> dict:
    """The options of the run in `run_folder`; empty if there is none."""
    path = os.path.join(run_folder, CONFIG_FILE)
    return read_options(path) if os.path.exists(path) else {}


def _read(path):
    try:
        return read_json(path)
    except JSONFileError as error:
        raise ConfigError(str(error)) from None


def resolve(named: dict, taken: Optional[Callable[[str, dict], dict]] = None) -> Config:
    """The configuration of a run: what was `named`, else what its folder says, else the default.

    Which run it is, `named` alone says: a folder that was copied or renamed is a run of its own.

    Args:
        taken: function (the source that `init_from` names, `named`). Returns the options of the
            weights there; raises ConfigError where `named` contradicts them.

    Raises:
        ConfigError: an architecture option was named that differs from the run's own, or weights
            for a run that has begun with others.
    """
    run = Config(**{k: named[k] for k in ("dataset", "run", "checkpoint_dir") if k in named})
    recorded = read_recorded(run.run_folder)
    if not recorded:
        source = named.get("init_from")
        options = taken(source, named) if taken and source else {}
        return Config(**{**options, **named})
    _check_start(named, recorded, run.run_folder)
    if named.get("eval_freq") == 0 and recorded.get("best_by", "").startswith("eval/"):
        recorded.pop("best_by")  # nothing is measured any more
    check_architecture(named, Config(**recorded).architecture(), run.run_folder)
    config = Config(**{**recorded, **named})
    if config.run_name != run.run_name:  # named as the default dataset, and of another
        config = dataclasses.replace(config, run=run.run_name)
    return config


def _check_start(named, recorded, run_folder):
    """Refuses weights for a run that has begun with others, or with none."""
    wanted, old = named.get("init_from"), recorded.get("init_from", "")
    if wanted is None or wanted == old:
        return
    began = f"that began from {old}" if old else "that began without --init_from"
    raise ConfigError(
        f"{run_folder} is a run {began}, so --init_from {wanted} has no effect on it. Leave it "
        f"out, or start another run with --run NAME."
    )


def check_architecture(named: dict, recorded: dict, source: str) -> None:
    """Raises ConfigError, with a list, if `named` options differ from those `recorded`."""
    differing = [
        f"--{name} is {value} there, {named[name]} on the command line"
        for name, value in recorded.items()
        if named.get(name, value) != value
    ]
    if differing:
        raise ConfigError(
            f"{source} is of another architecture: {'; '.join(differing)}. "
            f"Leave these options out, or start another run with --run NAME."
        )


def command(phase: str, config: Config, *words: str, uses: Collection = NOT_RECORDED) -> str:
    """The command of a phase on this run; what it does not name is in the run folder.

    Args:
        words: further words of it.
        uses: the options that have an effect on the phase.
    """
    default = Config()
    names = (n for n in NOT_RECORDED if n in uses and vars(config)[n] != vars(default)[n])
    run = [word for name in ("dataset", *names) for word in (f"--{name}", vars(config)[name])]
    return invocation.command(phase, *run, *words)
