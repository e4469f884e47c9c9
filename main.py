"""python main.py --dataset NAME --phase PHASE [--option value ...]; see --help.

Exit codes: 0 done, 1 could not be done, 2 the command line cannot be understood, 130 interrupted
with Ctrl-C, 143 ended by SIGTERM, 129 by SIGHUP.
"""

import contextlib
import dataclasses
import json
import logging
import os
import sys
import tempfile

from ugatit_tf import flags, signals, streams
from ugatit_tf.config import ConfigError, resolve
from ugatit_tf.lazy import tf

SETTINGS = {  # of the process, before TensorFlow is imported
    "KERAS_BACKEND": "tensorflow",  # whatever keras.json says
    "TF_USE_LEGACY_KERAS": "0",
}


def main(argv) -> int:
    with streams.usable():
        try:
            return _main(argv)
        except BrokenPipeError:  # as with `| head`
            return 1


def _main(argv):
    if flags.wants_help(argv):
        print(flags.usage(streams.columns(sys.stdout) or 100))
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
    except BrokenPipeError:
        raise
    except OSError as error:  # a config.json or a --config that cannot be opened
        return refuse(error, 1)
    except KeyboardInterrupt:
        return refuse("interrupted", 130)
    except signals.Ended as error:
        return refuse(error, error.code)


def has_no_run(command) -> bool:
    """Whether the options of no run folder are needed."""
    asked = command.request
    alone = getattr(asked, "model", "") or getattr(asked, "votes", "")
    return command.phase in ("import", "study") or bool(alone)


def run(command, config) -> int:
    from ugatit_tf import preflight
    from ugatit_tf.errors import Failure, reason
    from ugatit_tf.images.errors import UnreadableImage

    handler = logging.StreamHandler()
    handler.addFilter(Once())
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[handler])
    try:
        preflight.check(command, config)
        start(command, config)
    except (Failure, OSError, UnreadableImage) as error:
        return refuse(error, 1)
    except ConfigError:
        raise
    except tf.errors.OpError as error:  # e.g. an image that was removed while training
        return refuse(reason(error), 1)
    return 0


def start(command, config):
    """Imports TensorFlow and runs the phase."""
    with quiet_start():
        from ugatit_tf import phases

    programs = {
        "train": lambda: phases.train(config),
        "test": lambda: phases.test(config, command.which),
        "translate": lambda: phases.translate_images(config, command.request, command.which),
        "evaluate": lambda: phases.measure(config, command.request, command.which),
        "ablate": lambda: phases.ablate(config),
        "study": lambda: phases.study(command.request),
        "export": lambda: phases.export(config, command.which),
        "doctor": lambda: phases.examine(config),
        "pack": lambda: phases.pack(config, command.request),
        "import": lambda: phases.import_official(command.given, command.official_checkpoint),
    }
    with signals.ending_raises():
        programs[command.phase]()


class Once(logging.Filter):
    """Lets each message through once: the same folder is looked at for several reasons."""

    def __init__(self):
        super().__init__()
        self.messages = set()

    def filter(self, record):
        message = record.getMessage()
        new = message not in self.messages
        self.messages.add(message)
        return new


def refuse(error, code) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


@contextlib.contextmanager
def quiet_start():
    """Holds back what TensorFlow's libraries tell while loading; shows it if loading fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # exceptions say what matters
    os.environ.update(SETTINGS)
    streams.flush(sys.stderr)
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
