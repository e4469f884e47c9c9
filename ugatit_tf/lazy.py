"""TensorFlow, imported when it is first used: that takes seconds, a look at the disk does not.

Modules that preflight checks need use `from ugatit_tf.lazy import tf`; all others import
TensorFlow as usual.
"""


class _TensorFlow:
    """Stands for the module `tensorflow`."""

    def __getattr__(self, name):
        import tensorflow

        return getattr(tensorflow, name)


tf = _TensorFlow()
