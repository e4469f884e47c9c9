"""What is served, where, and to how many at a time: the options of `--phase serve`."""

import dataclasses

from ugatit_tf.checkpoint_options import model_option, which_option
from ugatit_tf.images.decoding import MAX_PIXELS
from ugatit_tf.options import ConfigError, Options, option

MEGABYTE = 2**20


@dataclasses.dataclass(frozen=True)
class ServeOptions(Options):
    """Which model is served, at which address, and what a request may ask for."""

    model: str = model_option()
    which: str = which_option()
    host: str = option(
        "127.0.0.1",
        "address of this computer to listen at; 127.0.0.1: only this computer can reach it; "
        "0.0.0.0: its whole network can, and there is no password",
    )
    port: int = option(
        8000, "port to listen at; 0: one that is free", common=True, at_least=0, at_most=65535
    )
    max_upload_mb: int = option(
        20, "uploads of more megabytes are refused", at_least=1, at_most=1024
    )
    max_pixels: int = option(
        32_000_000,
        "images with more pixels are refused before they are decoded",
        at_least=1,
        at_most=MAX_PIXELS,
    )
    concurrency: int = option(
        8,
        "requests that wait while another is translated; more are told to come back later",
        at_least=0,
        at_most=256,
    )

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mb * MEGABYTE

    def check_pairs(self) -> None:
        if not self.host.strip():
            raise ConfigError("--host must be an address of this computer, e.g. 127.0.0.1.")
