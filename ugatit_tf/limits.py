"""What the values of options may be: their types, bounds, and those that a run keeps.

The largest are beyond every use. They keep a file of options that somebody else made from deciding
over hours of work before anything is looked at.
"""

import math
import reprlib
import sys

LARGEST = sys.float_info.max
MOST_STEPS = 10**9
RANGES = {
    "ch": (1, 64 * 64),  # 64 times the paper's, as n_res
    "n_res": (1, 64 * 4),
    "img_size": (1, 32 * 256),
    "n_dis": (2, 12),  # the deepest whose smallest image is within that
    "seed": (0, 2**63 - 1),
    **dict.fromkeys(("epoch", "iteration", "batch_size", "n_critic"), (1, MOST_STEPS)),
    **dict.fromkeys(("print_freq", "save_freq", "summary_freq", "accumulate"), (1, MOST_STEPS)),
    **dict.fromkeys(("eval_freq", "decay_epoch"), (0, MOST_STEPS)),
    **dict.fromkeys(("GP_ld", "adv_weight", "cycle_weight"), (0, LARGEST)),
    **dict.fromkeys(("identity_weight", "cam_weight"), (0, LARGEST)),
}


class ConfigError(ValueError):
    """An option, or a pair of options, that cannot work. The message says what would."""


def typed(field, value):
    """`value` as the field's type; an int is a float too, nothing else is converted."""
    kind = {"str": str, "int": int, "bool": bool, "float": float}.get(field.type, field.type)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) <= sys.float_info.max else math.inf
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(
            f"--{field.name} must be a {kind.__name__}. Received: {reprlib.repr(value)}"
        )
    return value


def broken_bound(name, value) -> str:
    """The bound of an option that its value breaks, for people; "" where it breaks none.

    >>> broken_bound("ch", 0)
    'at least 1'
    """
    smallest, largest = RANGES[name]
    if value > largest:
        return f"at most {largest}"
    return "" if value >= smallest else f"at least {smallest}"  # NaN breaks the lower one


def smallest_image(n_dis) -> int:
    """The smallest side in pixels that a global discriminator of depth `n_dis` accepts.

    It halves the image n_dis - 1 times; then k4 s1 layers reflect 2 pixels, which takes 3.
    """
    return 3 * 2 ** (n_dis - 1)


def check_architecture(given, recorded, where):
    """Raises ConfigError, with a list, if `given` options differ from those `recorded`."""
    differing = [
        f"--{name} is {value} there, {given[name]} on the command line"
        for name, value in recorded.items()
        if given.get(name, value) != value
    ]
    if differing:
        raise ConfigError(
            f"{where} is of another architecture: {'; '.join(differing)}. "
            f"Leave these options out, or start another run with --run NAME."
        )
