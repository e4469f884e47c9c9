"""`--phase report`: a page of a run, to look at while it trains and to send to somebody."""

import dataclasses
import os

from ugatit_tf import config_file
from ugatit_tf.config import Config
from ugatit_tf.options import ConfigError, Options, option
from ugatit_tf.phases.phase import Phase

USED = ("dataset", "run", "checkpoint_dir", "sample_dir", "result_dir")
FILE = "report.html"


@dataclasses.dataclass(frozen=True)
class ReportOptions(Options):
    """Where the page is written."""

    output: str = option("", "the page, an .html file; without it report.html in --result_dir/NAME")

    def check_pairs(self) -> None:
        if self.output and not self.output.lower().endswith((".html", ".htm")):
            raise ConfigError(f"--output must be an .html file. Received: {self.output!r}")


def path_of(config: Config, options: ReportOptions) -> str:
    """The path of the page."""
    return options.output or os.path.join(config.result_dir, config.run_name, FILE)


def command(config: Config, options: ReportOptions) -> str:
    """The command that makes the page anew."""
    words = ["--output", options.output] if options.output else []
    return config_file.command("report", config, *words, uses=USED)


def check(config: Config, options: ReportOptions) -> None:
    from ugatit_tf.reporting import page, run

    run.read(config)
    page.refuse_other_file(path_of(config, options))


def run(config: Config, options: ReportOptions) -> None:
    from ugatit_tf.reporting import page

    path = path_of(config, options)
    page.write(config, path, command(config, options))
    print(f"Page: {path}")


REPORT = Phase(
    "report",
    "write a page of a run: progress, samples, curves",
    check,
    run,
    ReportOptions,
    uses=lambda options: USED,
    needs_tensorflow=False,
)
