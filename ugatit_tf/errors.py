"""The error that a person can set right. No TensorFlow, so that it can come in a second."""


class Failure(RuntimeError):  # noqa: N818
    """Something that a person can set right. The message says what happened and what to do."""
