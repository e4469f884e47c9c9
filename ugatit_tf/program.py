"""The program: words in, work done, an exit code out. main.py lists the exit codes."""

import contextlib
import json
import logging
import os
import sys
import tempfile
from typing import Optional, Union

from ugatit_tf import command_line, completion, help_page, signals, streams
from ugatit_tf.errors import Failure, OptionNames, reason
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.lazy import tf
from ugatit_tf.options import ConfigError

DEFAULTS = {  # of the process, which the user's environment changes
    "TF_CPP_MIN_LOG_LEVEL": "3",  # exceptions say what matters
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # else the first tensor takes all memory of all GPUs
}
SETTINGS = {  # of the process, before TensorFlow is imported
    "KERAS_BACKEND": "tensorflow",  # whatever keras.json says
    "TF_USE_LEGACY_KERAS": "0",
}


def main(argv: Optional[list] = None) -> int:
    """Runs the program; returns the exit code.

    Args:
        argv: the words after its name; without it those of this process.
    """
    argv = sys.argv[1:] if argv is None else argv
    OptionNames.on_command_line = True
    with streams.usable():
        try:
            if command_line.wants_help(argv):
                print(help_page.page(argv, streams.columns(sys.stdout) or 80), flush=True)
            elif shell := command_line.wanted_completion(argv):
                print(completion.script(shell), end="", flush=True)
            else:
                run(command_line.parse(argv))
        except ConfigError as error:
            return refuse(error, 2)
        except BrokenPipeError:  # as with `| head`
            return 1
        except (Failure, OSError, UnreadableImage) as error:
            return refuse(error, 1)
        except KeyboardInterrupt:
            return refuse("interrupted", 130)
        except signals.Ended as error:
            return refuse(error, error.code)
        except Exception as error:
            if is_of_tensorflow(error):  # e.g. an image that was removed while training
                return refuse(reason(error), 1)
            raise
        return 0


def run(command: command_line.Command) -> None:
    """Runs the phase of a command, or prints its options."""
    if command.dry_run:
        command.refuse_unused()
        print(json.dumps(command.shown(), indent=2))
        return
    handler = logging.StreamHandler()
    handler.addFilter(Once())
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[handler])
    command.phase.check(command.config, command.options)
    command.refuse_unused()
    load_tensorflow()
    with signals.ending_raises():
        command.phase.run(command.config, command.options)


def is_of_tensorflow(error: Exception) -> bool:
    """Whether TensorFlow raised an error; it is not imported for that."""
    return "tensorflow" in sys.modules and isinstance(error, tf.errors.OpError)


class Once(logging.Filter):
    """Lets each message through once: several checks read the same folder."""

    def __init__(self) -> None:
        super().__init__()
        self.messages = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        is_new = message not in self.messages
        self.messages.add(message)
        return is_new


def refuse(error: Union[BaseException, str], code: int) -> int:
    """Prints one line on an error; returns `code`."""
    print(f"error: {error}", file=sys.stderr)
    return code


def load_tensorflow() -> None:
    """Imports TensorFlow without its messages; they are shown where it cannot be loaded."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.update(SETTINGS)
    streams.flush(sys.stderr)
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as messages, contextlib.ExitStack() as stack:
        stack.callback(os.close, terminal)
        stack.callback(os.dup2, terminal, 2)
        os.dup2(messages.fileno(), 2)
        try:
            import ugatit_tf.layers  # noqa: F401  checks Keras too
        except BaseException:
            messages.seek(0)
            os.write(terminal, messages.read())
            raise
