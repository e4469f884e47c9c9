"""python main.py --dataset NAME --phase {train,test,export,import}; see --help.

Exit codes: 0 done, 1 could not be done, 2 the command line cannot be understood.
"""

import logging
import os
import sys

from ugatit_tf import flags
from ugatit_tf.config import ConfigError, resolve


def main(argv) -> int:
    if flags.wants_help(argv):
        print(flags.usage())
        return 0
    try:
        command = flags.parse(argv)
        if command.phase == "import":
            return run(command, None)
        return run(command, resolve(command.given))
    except (flags.UsageError, ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(command, config) -> int:
    logging.basicConfig(format="%(levelname)s: %(message)s")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes hide our messages
    from ugatit_tf import phases
    from ugatit_tf.runtime import Failure

    try:
        if command.phase == "import":
            phases.import_official(command.given, command.official_checkpoint)
        else:
            {"train": phases.train, "test": phases.test, "export": phases.export}[command.phase](
                config
            )
    except (Failure, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
