"""`--phase doctor`: what this computer has, and whether the dataset and the options fit it."""

from ugatit_tf.config import Config
from ugatit_tf.data.presence import TRAIN
from ugatit_tf.phases.phase import NoOptions, Phase, check_dataset, draw_built_in, refuse_errors


def check(config: Config, options: NoOptions) -> None:
    check_dataset(config, TRAIN)


def run(config: Config, options: NoOptions) -> None:
    from ugatit_tf import doctor, gpu, gpu_diagnosis, machine
    from ugatit_tf.phases import init_from

    gpu.cards()  # asks for their free memory before TensorFlow has any of it
    start = init_from.of_new_run(config)
    draw_built_in(config)
    report = doctor.check(config, thorough=True)
    print("\n".join([*machine.environment(), *gpu_diagnosis.diagnosis().lines(), *report.lines()]))
    if start:
        print(start)
    refuse_errors(report)


DOCTOR = Phase("doctor", "report on this computer, the dataset and the options", check, run)
