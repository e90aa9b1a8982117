"""Writes the `srcnn` model with random weights: the network of 9-1-5 layers that sharpens an enlarged image.

The weights are only scaled sanely, not trained: the file shows what serving a convolution costs.

    pip install onnx
    python examples/training/srcnn_random.py --model examples/models/srcnn/1/model.onnx
"""

import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Kernel size, channels in, channels out.
LAYERS = [(9, 1, 64), (1, 64, 32), (5, 32, 1)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--model", required=True, help="where the ONNX file goes")
    asked = arguments.parse_args()

    random = np.random.default_rng(0)
    nodes, constants, flow = [], [], "input"
    for number, (kernel, before, after) in enumerate(LAYERS, start=1):
        scale = np.sqrt(2 / (kernel * kernel * before))
        weights = random.normal(0, scale, (after, before, kernel, kernel)).astype(np.float32)
        constants += [
            numpy_helper.from_array(weights, f"w{number}"),
            numpy_helper.from_array(np.zeros(after, np.float32), f"b{number}"),
        ]
        last = number == len(LAYERS)
        name = "output" if last else f"map{number}"
        edge = kernel // 2
        nodes.append(helper.make_node("Conv", [flow, f"w{number}", f"b{number}"], [name], pads=[edge] * 4))
        if not last:
            nodes.append(helper.make_node("Relu", [name], [f"active{number}"]))
        flow = f"active{number}"
    sizes = ["N", 1, "H", "W"]
    graph = helper.make_graph(
        nodes,
        "srcnn",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, sizes)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, asked.model)


if __name__ == "__main__":
    main()
