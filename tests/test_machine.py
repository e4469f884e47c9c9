"""The computer's processor and memory."""

import subprocess
import sys
from pathlib import Path

from ugatit_tf import machine

ROOT = Path(__file__).resolve().parents[1]
# In a small process, without TensorFlow: this one has held so much that to hold more takes seconds.
HOLD = """
import numpy as np
from ugatit_tf import gpu, machine
gpu.peak_bytes = lambda: None  # no GPU
before = machine.peak_memory()
held = np.ones(before // 8 + 2**21)  # more than there was
assert machine.peak_memory() > before + held.nbytes / 2, (before, machine.peak_memory())
"""


def test_the_peak_of_memory_grows_with_what_is_held():
    command = [sys.executable, "-c", HOLD]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_available_memory_is_a_number_or_unknown():
    available = machine.available_bytes()
    assert available is None or available > 0


def write_system(root, **files_below):
    for name, text in files_below.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_container_s_limit_counts_where_it_leaves_less(tmp_path):
    assert machine.available_bytes(tmp_path) is None
    write_system(tmp_path, proc__meminfo="MemTotal: 9 kB\nMemAvailable:    8000 kB\n")
    assert machine.available_bytes(tmp_path) == 8000 * 1024
    group = {"memory.max": "5000000", "memory.current": "4000000"}
    write_system(tmp_path, **{f"sys__fs__cgroup__{name}": text for name, text in group.items()})
    write_system(tmp_path, **{"sys__fs__cgroup__memory.stat": "anon 1\ninactive_file 500000\n"})
    assert machine.available_bytes(tmp_path) == 1_500_000
    write_system(tmp_path, **{"sys__fs__cgroup__memory.max": "max"})
    assert machine.available_bytes(tmp_path) == 8000 * 1024
