"""Trains the `digits` model: 8x8 images of handwritten digits to ten probabilities.

The images are scikit-learn's (1,797, with their real labels). A fifth of them is held out and written beside the model
for the tests. Every training image is also shown shifted by one pixel in each direction.

    pip install scikit-learn onnx
    python examples/training/digits.py --model examples/models/digits/1/model.onnx --data examples/data/digits-test.json
"""

import argparse
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SHIFTS = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]


def shifted(images, down, right):
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    moved = np.roll(np.roll(padded, down, axis=1), right, axis=2)
    return moved[:, 1:9, 1:9].reshape(len(images), 64)


def graph_of(classifier):
    weights = [np.asarray(part, np.float32) for part in classifier.coefs_]
    biases = [np.asarray(part, np.float32) for part in classifier.intercepts_]
    nodes = [
        helper.make_node("Flatten", ["input"], ["pixels"], axis=1),
        # Pixels come as 0 to 16, as the data set has them.
        helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
        helper.make_node("Gemm", ["scaled", "w1", "b1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        helper.make_node("ArgMax", ["logits"], ["label"], axis=-1, keepdims=0),
    ]
    constants = {"scale": np.float32(1 / 16), "w1": weights[0], "b1": biases[0], "w2": weights[1], "b2": biases[1]}
    return helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--model", required=True, help="where the ONNX file goes")
    arguments.add_argument("--data", required=True, help="where the held-out images go")
    asked = arguments.parse_args()

    digits = load_digits()
    train, held, labels, truth = train_test_split(
        digits.data / 16, digits.target, test_size=0.2, random_state=0, stratify=digits.target
    )
    classifier = MLPClassifier((100,), alpha=1e-2, max_iter=150, random_state=0)
    classifier.fit(np.concatenate([shifted(train, *by) for by in SHIFTS]), np.tile(labels, len(SHIFTS)))
    print(f"accuracy on {len(truth)} held-out images: {classifier.score(held, truth):.4f}")

    model = helper.make_model(graph_of(classifier), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, asked.model)
    # One text of 64 base-17 digits an image keeps the file small.
    images = ["".join("0123456789abcdefg"[int(round(pixel * 16))] for pixel in image) for image in held]
    with open(asked.data, "w", encoding="utf8") as file:
        json.dump({"about": "8x8 pixels from 0 to g (16), row by row", "images": images, "labels": truth.tolist()}, file)


if __name__ == "__main__":
    main()
