"""`python -m ugatit_tf`: the same program as the command `ugatit` and as main.py."""

import sys

from ugatit_tf.program import main

if __name__ == "__main__":
    sys.exit(main())
