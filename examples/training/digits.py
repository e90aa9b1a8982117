"""Trains the sample model `digits`: a small network that reads 8x8 images of handwritten digits.

The images are scikit-learn's `load_digits` (1,797 of the UCI set "Optical Recognition of Handwritten Digits", CC BY
4.0). A fifth of them, drawn evenly from each digit, is never trained on and goes into `examples/data/digits-test.json`.

    pip install numpy onnx scikit-learn
    python examples/training/digits.py
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

EXAMPLES = Path(__file__).resolve().parent.parent
BRIGHTEST = 16  # a pixel is a whole number from 0 to this
SIDE = 8
PIXEL_SIGNS = "0123456789abcdefg"


def shifted(images, right, down):
    """The images moved by a pixel, with empty paper coming in at the edge."""
    square = images.reshape(-1, SIDE, SIDE)
    framed = np.pad(square, ((0, 0), (1, 1), (1, 1)))
    top, left = 1 - down, 1 - right
    return framed[:, top : top + SIDE, left : left + SIDE].reshape(len(images), -1)


def train(images, labels, hidden, seed):
    """A digit that is a pixel off is the same digit: it is learned in five places."""
    places = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    network = MLPClassifier((hidden,), alpha=1e-2, max_iter=150, random_state=seed)
    many = np.concatenate([shifted(images, *place) for place in places]) / BRIGHTEST
    return network.fit(many, np.tile(labels, len(places)))


def to_onnx(network):
    """The network as a graph that takes pixels as they are: the scaling to 0..1 is folded into the first layer."""
    first, second = network.coefs_
    weights = {
        "hidden_weight": first / BRIGHTEST,
        "hidden_bias": network.intercepts_[0],
        "digit_weight": second,
        "digit_bias": network.intercepts_[1],
    }
    nodes = [
        helper.make_node("Flatten", ["input"], ["pixels"], axis=1),
        helper.make_node("Gemm", ["pixels", "hidden_weight", "hidden_bias"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "digit_weight", "digit_bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=-1),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=-1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
        ],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def write_held_out(path, images, labels):
    about = (
        "Held-out images for the sample model `digits`: 8 rows of 8 pixels each, one sign a pixel from 0 (paper) to "
        "g (16, ink); the n-th sign of labels is the digit that the n-th image shows. From the UCI set Optical "
        "Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak), CC BY 4.0."
    )
    signs = ["".join(PIXEL_SIGNS[int(pixel)] for pixel in image) for image in images]
    content = {"about": about, "labels": "".join(str(label) for label in labels), "images": signs}
    path.write_text(json.dumps(content, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description="Trains the sample model `digits`.")
    parser.add_argument("--model", type=Path, default=EXAMPLES / "models/digits/1/model.onnx")
    parser.add_argument("--held-out", type=Path, default=EXAMPLES / "data/digits-test.json")
    parser.add_argument("--hidden", type=int, default=100, help="neurons of the hidden layer")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of the training")
    args = parser.parse_args()

    digits = load_digits()
    images, held_images, labels, held_labels = train_test_split(
        digits.data, digits.target, test_size=0.2, random_state=args.seed, stratify=digits.target
    )
    network = train(images, labels, args.hidden, args.seed)
    right = network.score(held_images / BRIGHTEST, held_labels)
    for path in (args.model, args.held_out):
        path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(network), args.model)
    write_held_out(args.held_out, held_images, held_labels)
    print(f"{args.model}: {args.model.stat().st_size} bytes, {right:.1%} of {len(held_labels)} held-out images right")


if __name__ == "__main__":
    main()
