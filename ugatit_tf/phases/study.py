"""`--phase study`: a page that asks people which translation they prefer."""

import dataclasses
import os

from ugatit_tf.errors import Failure, counted
from ugatit_tf.options import ConfigError, Options, option
from ugatit_tf.phases.phase import Phase


@dataclasses.dataclass(frozen=True)
class StudyOptions(Options):
    """What people compare."""

    sources: str = option("", "folder of the images that were translated", needed=True)
    methods: str = option(
        "",
        "NAME=FOLDER,NAME=FOLDER: the results of each method, under the sources' names",
        needed=True,
    )
    page: str = option("study.html", "the page that is written")
    question: str = option("Which image below is the best translation?", "what people are asked")

    def check_pairs(self) -> None:
        if self.methods:
            self.folders()

    def folders(self) -> dict:
        """name -> folder of the results of each method."""
        pairs = [pair.partition("=") for pair in self.methods.split(",")]
        folders = {name.strip(): folder for name, _, folder in pairs}
        if not all(name.strip() and folder for name, _, folder in pairs) or len(folders) < 2:
            raise ConfigError(
                f"--methods must be NAME=FOLDER,NAME=FOLDER with at least two names. "
                f"Received: {self.methods!r}"
            )
        return folders


def check(named: dict, options: StudyOptions) -> None:
    if os.path.lexists(options.page):
        raise Failure(f"{options.page} already exists. Use another --page.")
    for folder in (options.sources, *options.folders().values()):
        if not os.path.isdir(folder):
            raise Failure(f"No folder {folder}. Expected images.")


def run(named: dict, options: StudyOptions) -> None:
    from ugatit_tf.evaluation import votes
    from ugatit_tf.images.study import write_study

    questions = votes.questions(options.sources, options.folders())
    count = write_study(options.page, questions, question=options.question)
    print(f"{counted(count, 'question')}: {options.page}")


STUDY = Phase(
    "study",
    "write a page that asks people which translation they prefer",
    check,
    run,
    StudyOptions,
    has_run=lambda options: False,
    uses=lambda options: (),
)
