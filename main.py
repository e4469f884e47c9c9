"""python main.py --dataset NAME --phase PHASE [--option value ...]; see --help.

Exit codes: 0 done, 1 could not be done, 2 the command line cannot be understood, 130 interrupted
with Ctrl-C, 143 ended by SIGTERM, 129 by SIGHUP.
"""

import sys

from ugatit_tf.program import main

if __name__ == "__main__":
    sys.exit(main())
