"""A computer with GPUs that are not there: what its driver, its files and TensorFlow would say."""

import tensorflow as tf

from ugatit_tf import gpu

RTX = "0, GPU-3090aaaa-1111, NVIDIA GeForce RTX 3090, 24576, 24100"  # as nvidia-smi lists it
A100 = [f"{i}, GPU-a100{i}aaa-2222, NVIDIA A100-SXM4-80GB, 81920, {81920 - i}" for i in range(4)]


class Computer:
    """A computer without GPUs; each method adds something that a real one has.

    Its processes find no nvidia-smi but the one that it has.
    """

    def __init__(self, folder, monkeypatch):
        self.root, self.programs, self.monkeypatch = folder / "root", folder / "bin", monkeypatch
        self.packages = folder / "packages"
        for path in (self.root, self.programs, self.packages):
            path.mkdir()
        monkeypatch.setattr(gpu, "ROOT", str(self.root))
        monkeypatch.setenv("PATH", str(self.programs))
        monkeypatch.delenv(gpu.VISIBLE, raising=False)
        gpu.cards.cache_clear()
        self.visible_devices = tf.config.get_visible_devices
        self.tensorflow([])

    def driver(self, *rows, script=""):
        """nvidia-smi: prints `rows`, or is any shell script. Its calls are in the file `asked`."""
        rows = "\n".join(rows)
        program = self.programs / "nvidia-smi"
        asked = f"echo \"$@\" >> '{self.programs / 'asked'}'"
        program.write_text(f"#!/bin/sh\n{asked}\n" + (script or f"echo '{rows}'") + "\n")
        program.chmod(0o755)
        gpu.cards.cache_clear()

    def file(self, path, text=""):
        """A file below the root."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def tensorflow(self, names, *, built_with_cuda=True, peaks=None):
        """The GPUs that TensorFlow uses: their names, and the peaks of memory on them."""
        config, patch = tf.config, self.monkeypatch.setattr
        devices = [tf.config.PhysicalDevice(f"/physical_device:GPU:{i}", "GPU") for i in range(9)]
        devices = devices[: len(names)]

        def listed(kind=None):
            return devices if kind == "GPU" else self.visible_devices(kind)

        peaks = {f"GPU:{i}": {"peak": peak} for i, peak in enumerate(peaks or [])}
        about = {device: {"device_name": name} for device, name in zip(devices, names)}
        patch(config, "get_visible_devices", listed)
        patch(config.experimental, "get_device_details", about.__getitem__)
        patch(config.experimental, "get_memory_info", peaks.__getitem__)
        patch(tf.test, "is_built_with_cuda", lambda: built_with_cuda)

    def log(self, *lines):
        """What TensorFlow logs in another process, which has a small module in its place."""
        text = "".join(f"{line}\n" for line in lines)
        (self.packages / "tensorflow.py").write_text(
            "import os, sys\n"
            "class config:\n"
            "    def list_physical_devices(kind):\n"
            "        if os.environ['TF_CPP_MIN_LOG_LEVEL'] == '0':\n"
            f"            sys.stderr.write({text!r})\n"
            f"        open({str(self.packages / 'searched')!r}, 'a').write(kind)\n"
        )
        self.monkeypatch.syspath_prepend(str(self.packages))

    @property
    def searches(self):
        """How many processes have searched for GPUs."""
        path = self.packages / "searched"
        return path.read_text().count("GPU") if path.exists() else 0

    @property
    def questions(self):
        """What nvidia-smi was asked, a line for each time."""
        path = self.programs / "asked"
        return path.read_text().splitlines() if path.exists() else []
