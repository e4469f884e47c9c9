"""What `--phase` can do: a file for each phase, and a row in this table."""

from ugatit_tf.phases.ablate import ABLATE
from ugatit_tf.phases.doctor import DOCTOR
from ugatit_tf.phases.evaluate import EVALUATE
from ugatit_tf.phases.export import EXPORT
from ugatit_tf.phases.fetch import FETCH
from ugatit_tf.phases.import_official import IMPORT
from ugatit_tf.phases.pack import PACK
from ugatit_tf.phases.prepare import PREPARE
from ugatit_tf.phases.report import REPORT
from ugatit_tf.phases.serve import SERVE
from ugatit_tf.phases.study import STUDY
from ugatit_tf.phases.test import TEST
from ugatit_tf.phases.train import TRAIN
from ugatit_tf.phases.translate import TRANSLATE

PHASES = {
    phase.name: phase
    for phase in (
        TRAIN,
        REPORT,
        TEST,
        TRANSLATE,
        EVALUATE,
        ABLATE,
        STUDY,
        EXPORT,
        SERVE,
        IMPORT,
        FETCH,
        PREPARE,
        DOCTOR,
        PACK,
    )
}
