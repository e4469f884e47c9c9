"""The files that `--phase export` writes: a module and a row of this table for each format."""

from ugatit_tf.interchange.formats import (
    keras_file,
    litert,
    npz,
    onnx_file,
    pytorch,
    saved_model,
    web,
)

FORMATS = {
    row.name: row
    for row in (
        saved_model.SAVED_MODEL,
        npz.NPZ,
        onnx_file.ONNX,
        litert.LITERT,
        keras_file.KERAS,
        pytorch.PYTORCH,
        web.WEB,
    )
}
