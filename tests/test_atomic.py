"""Files and folders appear whole or not at all, and abandoned ones are removed."""

import errno
import os
import subprocess
import sys
import time

import pytest

from ugatit_tf import atomic

HIDDEN = f".{'0' * 32}.unfinished"


@pytest.fixture
def calls(monkeypatch):
    """(name of a function, path) of each operation on the disk, in order."""
    calls = []

    def recorded(name, real, path_of):
        def call(*args):
            calls.append((name, path_of(args[-1])))
            return real(*args)

        monkeypatch.setattr(atomic.os, name, call)

    recorded("fsync", os.fsync, lambda opened: os.readlink(f"/proc/self/fd/{opened}"))
    recorded("replace", os.replace, str)
    recorded("rename", os.rename, str)
    return calls


def names_below(folder):
    return sorted(os.listdir(folder))


linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="asks /proc for paths")


@linux
def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_it_returns(tmp_path, calls):
    path = str(tmp_path / "config.json")
    with atomic.replacing(path) as file:
        file.write(b"{}")
        unfinished = file.name
    assert calls == [("fsync", unfinished), ("replace", path), ("fsync", str(tmp_path))]
    assert names_below(tmp_path) == ["config.json"]


@linux
def test_without_syncing_only_the_rename_is_left(tmp_path, calls):
    with atomic.replacing(tmp_path / "1.png", synced=False) as file:
        file.write(b"image")
    assert calls == [("replace", str(tmp_path / "1.png"))]
    assert (tmp_path / "1.png").read_bytes() == b"image"


@linux
def test_all_files_and_folders_of_a_folder_are_on_the_disk_before_its_name(tmp_path, calls):
    with atomic.folder(tmp_path / "a" / "export") as unfinished:
        os.makedirs(os.path.join(unfinished, "variables"))
        for name in ("model", os.path.join("variables", "data")):
            with open(os.path.join(unfinished, name), "w") as file:
                file.write(name)
    synced = {path for name, path in calls[:-2] if name == "fsync"}
    names = ("", "model", "variables", os.path.join("variables", "data"))
    assert synced == {os.path.join(unfinished, name).rstrip("/") for name in names}
    assert calls[-2:] == [
        ("rename", str(tmp_path / "a" / "export")),
        ("fsync", str(tmp_path / "a")),
    ]
    assert names_below(tmp_path / "a") == ["export"]
    assert names_below(tmp_path / "a" / "export") == ["model", "variables"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(error), atomic.replacing(tmp_path / "old") as file:
        file.write(b"new")
        raise error
    with pytest.raises(error), atomic.folder(tmp_path / "new") as unfinished:
        open(os.path.join(unfinished, "half"), "w").close()
        raise error
    assert names_below(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


def test_others_may_write_to_the_path_of_the_unfinished_file(tmp_path):
    with atomic.replacing(tmp_path / "video.mp4") as file, open(file.name, "wb") as other:
        other.write(b"frames")
    assert (tmp_path / "video.mp4").read_bytes() == b"frames"


def test_a_folder_that_is_removed_loses_its_name_first(tmp_path, monkeypatch):
    (tmp_path / "step").mkdir()
    (tmp_path / "step" / "metric.json").write_text("{}")
    removed = []
    monkeypatch.setattr(atomic.shutil, "rmtree", lambda path, **_: removed.append(path))
    atomic.remove(str(tmp_path / "step"))
    (left,) = names_below(tmp_path)
    assert atomic.UNFINISHED.fullmatch(left)
    assert removed == [str(tmp_path / left)]
    monkeypatch.undo()
    atomic.remove_abandoned(tmp_path)
    assert names_below(tmp_path) == []


def test_what_somebody_is_writing_stays_and_what_nobody_writes_goes(tmp_path):
    with atomic.replacing(tmp_path / "a") as file, atomic.folder(tmp_path / "b") as unfinished:
        os.utime(file.name, (1, 1))  # slowly
        (tmp_path / HIDDEN).mkdir()
        (tmp_path / HIDDEN / "half").write_text("")
        (tmp_path / ".step_0000009.unfinished").mkdir()
        (tmp_path / ".mine.unfinished").write_text("of a person")
        atomic.remove_abandoned(tmp_path, tmp_path / "nowhere", tmp_path / "a")
        left = {".mine.unfinished", os.path.basename(file.name), os.path.basename(unfinished)}
        assert set(names_below(tmp_path)) == left
    assert names_below(tmp_path) == [".mine.unfinished", "a", "b"]


def test_without_locks_the_age_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "fcntl", None)
    with atomic.replacing(tmp_path / "new") as file:
        file.write(b"x")
        (tmp_path / HIDDEN).write_text("")
        past = time.time() - atomic.ABANDONED - 1
        os.utime(tmp_path / HIDDEN, (past, past))
        atomic.remove_abandoned(tmp_path)
        assert names_below(tmp_path) == [os.path.basename(file.name)]
    assert names_below(tmp_path) == ["new"]


def test_a_file_that_is_taken_for_abandoned_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    lock, removed = atomic.lock, []

    def slow(opened):
        if not removed:  # another process comes in between
            removed.extend(names_below(tmp_path))
            atomic.remove_abandoned(tmp_path)
        lock(opened)

    monkeypatch.setattr(atomic, "lock", slow)
    with atomic.replacing(tmp_path / "a") as file:
        file.write(b"whole")
    assert len(removed) == 1
    assert (tmp_path / "a").read_bytes() == b"whole"


WRITE = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from ugatit_tf import atomic
with atomic.replacing(sys.argv[1] + "/file") as file, atomic.folder(sys.argv[1] + "/folder"):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_was_writing_is_removed_at_once(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.abspath(atomic.__file__)))
    done = subprocess.run([sys.executable, "-c", WRITE, str(tmp_path), root], check=False)
    assert done.returncode == -9
    assert len(names_below(tmp_path)) == 2
    atomic.remove_abandoned(tmp_path)
    assert names_below(tmp_path) == []


@linux
def test_a_folder_that_cannot_be_synced_is_no_error_but_a_failing_disk_is(tmp_path, monkeypatch):
    def refuse(number):
        def fsync(opened):
            if os.path.isdir(f"/proc/self/fd/{opened}"):
                raise OSError(number, "fsync")

        return fsync

    monkeypatch.setattr(atomic.os, "fsync", refuse(errno.EINVAL))
    with atomic.replacing(tmp_path / "a"):
        pass
    monkeypatch.setattr(atomic.os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="fsync"), atomic.replacing(tmp_path / "b"):
        pass
