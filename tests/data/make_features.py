"""`python tests/data/make_features.py` writes features.onnx; it needs the package onnx.

The network: images float32 [batch, 3, height, width] to the mean of each channel, [batch, 3].
"""

import pathlib

import onnx
from onnx import TensorProto, helper

pool = helper.make_node("GlobalAveragePool", ["images"], ["means"])
flatten = helper.make_node("Flatten", ["means"], ["features"])
images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])
features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3])
graph = helper.make_graph([pool, flatten], "means", [images], [features])
opset = helper.make_opsetid("", 13)
model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, pathlib.Path(__file__).parent / "features.onnx")
