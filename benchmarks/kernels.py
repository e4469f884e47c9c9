"""How many kernels one training iteration launches, by kind: this program's beside the plain one.

    python -m benchmarks.kernels --img_size 256
    python -m benchmarks.kernels --img_size 256 --xla True

At batch 1 a GPU computes many small kernels faster than the processor can launch them. No GPU is
needed to count them. Without XLA they are the operations of the graph that TensorFlow's executor
runs, after all its rewriting and with all functions inlined. Left out is what launches nothing on
a GPU: constants, shapes, reshapes and other views, reading a variable, assigning a whole tensor
(which hands over its buffer), control flow, and arithmetic of int32, which TensorFlow does on the
processor. What is left is one kernel each; a few are two or, where there is nothing to do, none.
With XLA they are the instructions of the compiled program, which is the whole iteration, a fusion
being one; of ours alone, since XLA has no gradient for the plain form's upsampling. Graph and
program are those for the device at hand: a GPU's fusions are others.

Every option of main.py is an option here and goes to ours, as in `benchmarks.train_step`.
"""

import collections
import os
import re
import sys

import tensorflow as tf
from tensorflow.python.eager import context

from benchmarks import measure
from benchmarks.train_step import COMPETITORS, images_of
from ugatit_tf.config import Config
from ugatit_tf.layers import target
from ugatit_tf.training import rewriting

KINDS = {  # kind -> names of operations, of TensorFlow and of HLO; all others are element-wise
    "convolution": ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter", "convolution"),
    "matrix product": ("MatMul", "BatchMatMulV2", "Einsum", "dot"),
    "reduction": (
        "All", "BiasAddGrad", "L2Loss", "Max", "Mean", "Min", "Prod", "Sum", "UnsortedSegmentSum",
        "reduce", "reduce-window",
    ),
    "data movement": (
        "BroadcastTo", "ConcatV2", "DepthToSpace", "ExtractImagePatches", "GatherV2", "MirrorPad",
        "MirrorPadGrad", "Pack", "Pad", "ResizeNearestNeighbor", "ReverseV2", "Slice",
        "SpaceToDepth", "Split", "SplitV", "StridedSlice", "StridedSliceGrad", "Tile", "Transpose",
        "broadcast", "concatenate", "copy", "dynamic-slice", "dynamic-update-slice", "gather",
        "pad", "reverse", "scatter", "slice", "transpose",
    ),
    "update": ("ResourceApplyAdam", "AssignAddVariableOp", "AssignSubVariableOp"),
    "fusion": ("fusion", "call"),
}  # fmt: skip
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}
ORDER = (*list(KINDS)[:2], "element-wise", *list(KINDS)[2:])
NO_KERNEL = {
    "_Arg", "_DeviceArg", "_DeviceRetval", "_Recv", "_Retval", "_Send", "_XlaCompile", "_XlaMerge",
    "_XlaRun", "Assert", "AssignVariableOp", "BroadcastGradientArgs", "ConcatOffset", "Const",
    "ControlTrigger", "Enter", "Exit", "ExpandDims", "Identity", "IdentityN", "LoopCond", "Merge",
    "NextIteration", "NoOp", "PartitionedCall", "PreventGradient", "Rank", "ReadVariableOp",
    "Reshape", "Shape", "ShapeN", "Size", "Squeeze", "StatefulPartitionedCall",
    "StatelessRandomGetKeyCounter", "StatelessRandomGetAlg", "StopGradient", "Switch", "Unpack",
    "VarHandleOp", "VarIsInitializedOp", "XlaLaunch",
    "after-all", "bitcast", "constant", "get-tuple-element", "iota", "parameter", "partition-id",
    "replica-id", "tuple",
}  # fmt: skip
# `%name = type opcode(`, where a type may be a tuple of types with layouts in braces
INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?[\w.\-]+ = .*?[\])}] ([a-z][\w\-]*)\(", re.MULTILINE)


def kernels_of(name, given):
    """kind -> number of kernels of one iteration of a competitor."""
    config, trainer = Config(**given), COMPETITORS[name](given)
    batches = images_of(config)
    with target.traced_for(device="GPU"):
        launched = (compiled if config.xla else executed)(trainer, batches)
    counts = collections.Counter(map(kind_of, launched))
    del counts[None]
    return counts


def executed(trainer, batches) -> list:
    """The nodes of the graphs that TensorFlow executes for the first step."""
    context.enable_run_metadata()
    try:
        # TensorFlow has collected all graphs since the first time, whether disabled or not.
        context.export_run_metadata()
        trainer.step(*batches)
        functions = context.export_run_metadata().function_graphs
    finally:
        context.disable_run_metadata()
    return [node for f in functions for graph in f.partition_graphs for node in graph.node]


def compiled(trainer, batches) -> list:
    """The names of the instructions in the program that XLA made of a step."""
    # Machine code that nobody runs need not be fast, and so takes a fifth of the time.
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=0"
    hlo = trainer.lowered(*batches, "optimized_hlo")
    entry = hlo[hlo.index("\nENTRY ") :]
    return INSTRUCTION.findall(entry[: entry.index("\n}")])


def kind_of(node) -> str:
    """The kind of a node of a graph or of the name of an instruction; None where it has no kernel.

    >>> kind_of("fusion"), kind_of("exponential"), kind_of("bitcast")
    ('fusion', 'element-wise', None)
    """
    if not isinstance(node, str):
        if node.attr["T"].type == tf.int32.as_datatype_enum:
            return None
        # TensorFlow's names for its kernels with oneDNN, e.g. _MklNativeConv2DWithBias
        node = re.sub(r"^_(Mkl(Native)?|Fused)+|WithBias$", "", node.op)
    return None if node in NO_KERNEL else KIND_OF.get(node, "element-wise")


def main(argv) -> int:
    parser = measure.parser("benchmarks.kernels", "Kernels of one training iteration, by kind.")
    _, given = measure.read(parser, argv)
    config = Config(**given)
    if config.accumulate > 1:
        parser.error("--accumulate: an update is then many runs of one graph.")
    rewriting.leave_out_remapping()
    compiled = "compiled with XLA" if config.xla else "without XLA"
    print(f"{measure.described(config)}, ours in {config.precision}; {compiled}", flush=True)
    competitors = ["ours"] if config.xla else COMPETITORS
    counts = {name: kernels_of(name, given) for name in competitors}
    print(f"{'kernels of one iteration':26}" + "".join(f"{name:>8}" for name in counts))
    for kind in (kind for kind in ORDER if any(count[kind] for count in counts.values())):
        print(f"{kind:26}" + "".join(f"{count[kind]:8}" for count in counts.values()))
    print(f"{'all':26}" + "".join(f"{sum(count.values()):8}" for count in counts.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
