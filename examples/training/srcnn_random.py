"""Writes the sample model `srcnn` with random weights: the shape and the cost of the real network, not its skill.

SRCNN sharpens an enlarged grey image: 64 filters of 9x9, 32 of 1x1, one of 5x5. Its answer is added to the image, so
that even random weights give back a picture much like the one that went in.

    pip install numpy onnx
    python examples/training/srcnn_random.py
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EXAMPLES = Path(__file__).resolve().parent.parent
# name, filters, channels, side of the kernel, gain: how loud a layer is beside one that keeps its input's variance.
LAYERS = [("extract", 64, 1, 9, 1.0), ("map", 32, 64, 1, 1.0), ("rebuild", 1, 32, 5, 0.02)]


def layer_weights(random, filters, channels, side, gain):
    spread = gain * np.sqrt(2 / (channels * side * side))
    return random.normal(0, spread, (filters, channels, side, side)).astype(np.float32)


def make_model(seed):
    random = np.random.default_rng(seed)
    nodes, weights = [], []
    before = "input"
    for name, filters, channels, side, gain in LAYERS:
        weights.append(numpy_helper.from_array(layer_weights(random, filters, channels, side, gain), f"{name}_weight"))
        weights.append(numpy_helper.from_array(np.zeros(filters, np.float32), f"{name}_bias"))
        edge = side // 2
        layer = [before, f"{name}_weight", f"{name}_bias"]
        nodes.append(helper.make_node("Conv", layer, [name], kernel_shape=[side, side], pads=[edge] * 4))
        before = name
        if name != LAYERS[-1][0]:
            before = f"{name}_active"
            nodes.append(helper.make_node("Relu", [name], [before]))
    nodes.append(helper.make_node("Add", ["input", before], ["output"]))
    size = ["N", 1, "H", "W"]
    graph = helper.make_graph(
        nodes,
        "srcnn",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, size)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    parser = argparse.ArgumentParser(description="Writes the sample model `srcnn` with random weights.")
    parser.add_argument("--model", type=Path, default=EXAMPLES / "models/srcnn/1/model.onnx")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.model.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(make_model(args.seed), args.model)
    print(f"{args.model}: {args.model.stat().st_size} bytes")


if __name__ == "__main__":
    main()
