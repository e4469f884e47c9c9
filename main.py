"""python main.py --dataset NAME --phase PHASE [--option value ...]; see --help.

Exit codes: 0 done, 1 could not be done, 2 the command line cannot be understood.
"""

import contextlib
import dataclasses
import json
import logging
import os
import sys
import tempfile

from ugatit_tf import flags
from ugatit_tf.config import ConfigError, resolve


def main(argv) -> int:
    for stream in (sys.stdout, sys.stderr):  # names of files can hold what a terminal cannot
        stream.reconfigure(errors="backslashreplace")
    if flags.wants_help(argv):
        print(flags.usage())
        return 0
    try:
        command = flags.parse(argv)
        config = None if has_no_run(command) else resolve(command.given)
        if command.dry_run:
            shown = [dataclasses.asdict(part) for part in (config, command.request) if part]
            print(json.dumps({k: v for part in shown for k, v in part.items()}, indent=2))
            return 0
        return run(command, config)
    except (flags.UsageError, ConfigError) as error:
        return refuse(error, 2)
    except OSError as error:  # a config.json or a --config that cannot be opened
        return refuse(error, 1)
    except KeyboardInterrupt:
        return refuse("interrupted", 130)


def has_no_run(command) -> bool:
    """Whether the options of no run folder are needed."""
    asked = command.request
    alone = getattr(asked, "model", "") or getattr(asked, "votes", "")
    return command.phase in ("import", "study") or bool(alone)


def run(command, config) -> int:
    logging.basicConfig(format="%(levelname)s: %(message)s")
    with quiet_start():
        import tensorflow as tf

        from ugatit_tf import phases
        from ugatit_tf.pictures.files import UnreadablePicture
        from ugatit_tf.runtime import Failure, reason

    programs = {
        "train": lambda: phases.train(config),
        "test": lambda: phases.test(config, command.which),
        "translate": lambda: phases.translate_pictures(config, command.request, command.which),
        "evaluate": lambda: phases.measure(config, command.request, command.which),
        "ablate": lambda: phases.ablate(config),
        "study": lambda: phases.study(command.request),
        "export": lambda: phases.export(config, command.which),
        "doctor": lambda: phases.examine(config),
        "pack": lambda: phases.pack(config, command.request),
        "import": lambda: phases.import_official(command.given, command.official_checkpoint),
    }
    try:
        programs[command.phase]()
    except (Failure, OSError, UnreadablePicture) as error:
        return refuse(error, 1)
    except tf.errors.OpError as error:  # e.g. a picture that was removed while training
        return refuse(reason(error), 1)
    return 0


def refuse(error, code) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


@contextlib.contextmanager
def quiet_start():
    """Holds back what TensorFlow's libraries tell while loading; shows it if loading fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # exceptions say what matters
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as told:
        os.dup2(told.fileno(), 2)
        try:
            yield
        except BaseException:
            told.seek(0)
            os.write(terminal, told.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
