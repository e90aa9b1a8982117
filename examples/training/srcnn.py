"""Trains the sample models `srcnn` (x2) and `srcnn_x3`: SRCNN, which sharpens a grey picture that bicubic enlarged.

64 filters of 9x9, 32 of 1x1, one of 5x5 (Dong et al., 2014); the answer is added to the picture, so that only what
bicubic missed is learned. The network is small enough for gradients by hand: numpy is faster here than the frameworks.
Needs about five minutes a scale on one core; the same seed gives the same weights on the same kind of machine.

    pip install numpy onnx onnxruntime pillow scikit-image scikit-learn
    python examples/training/srcnn.py
    python examples/training/srcnn_variants.py
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from pathlib import Path

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from srcnn_pictures import EXAMPLES, LEARNED, luminance, measured, pair, resized

MODELS = {2: "srcnn", 3: "srcnn_x3"}
# name, filters, channels, side of the kernel
LAYERS = [("extract", 64, 1, 9), ("map", 32, 64, 1), ("rebuild", 1, 32, 5)]
PATCH, BATCH = 40, 8
MARGIN = 6  # pixels that the three kernels together reach beyond their own
RATE, LAST_LAYER_RATE, SOFT_START = 1e-3, 3e-4, 100


def first_weights(random):
    """The last layer begins almost silent: an untrained network gives back the picture."""
    weights = {}
    for name, filters, channels, side in LAYERS:
        spread = 1e-3 if name == "rebuild" else np.sqrt(2 / (channels * side * side))
        weights[f"{name}_weight"] = random.normal(0, spread, (channels * side * side, filters)).astype(np.float32)
        weights[f"{name}_bias"] = np.zeros(filters, np.float32)
    # The last kernel is applied pixel by pixel and its 25 answers are moved into place: 32 channels to 25 places.
    weights["rebuild_weight"] = weights["rebuild_weight"].reshape(32, 25)
    return weights


def moved(answers):
    """Views of the inner pixels, one for each place of the 5x5 kernel."""
    height, width = (side - 4 for side in answers.shape[1:3])
    return [answers[:, at // 5 : at // 5 + height, at % 5 : at % 5 + width, at] for at in range(25)]


def gradients(weights, blurred, sharp):
    """Of the mean squared error over the inner pixels, where no edge is seen."""
    batch, side = blurred.shape[0], blurred.shape[1] - 8
    seen = np.ascontiguousarray(sliding_window_view(blurred, (9, 9), axis=(1, 2))).reshape(-1, 81)
    extracted = np.maximum(seen @ weights["extract_weight"] + weights["extract_bias"], 0)
    mapped = np.maximum(extracted @ weights["map_weight"] + weights["map_bias"], 0)
    answers = (mapped @ weights["rebuild_weight"]).reshape(batch, side, side, 25)
    inner = slice(MARGIN, -MARGIN)
    error = sum(moved(answers), blurred[:, inner, inner] + weights["rebuild_bias"]) - sharp[:, inner, inner]
    error *= 2 / error.size

    spread = np.zeros_like(answers)
    for place in moved(spread):
        place[...] = error
    spread = spread.reshape(-1, 25)
    to_mapped = (spread @ weights["rebuild_weight"].T) * (mapped > 0)
    to_extracted = (to_mapped @ weights["map_weight"].T) * (extracted > 0)
    return {
        "extract_weight": seen.T @ to_extracted,
        "extract_bias": to_extracted.sum(axis=0),
        "map_weight": extracted.T @ to_mapped,
        "map_bias": to_mapped.sum(axis=0),
        "rebuild_weight": mapped.T @ spread,
        "rebuild_bias": error.sum(keepdims=True).reshape(1),
    }


def lessons(scale):
    """Each picture in three sizes, as fractions; what is too small for a patch is left out."""
    pairs = []
    for path in LEARNED:
        grey = luminance(path)
        for size in (1, 0.75, 0.5):
            sharp, blurred = pair(resized(grey, *(int(side * size) for side in grey.shape)), scale)
            if min(sharp.shape) > PATCH:
                pairs.append((blurred.astype(np.float32) / 255, sharp.astype(np.float32) / 255))
    return pairs


def drawn(random, pairs, odds):
    """A batch of patches: of three drawn, the one that bicubic got most wrong; turned and mirrored at will."""
    batch = np.empty((2, BATCH, PATCH, PATCH), np.float32)
    for at, picture in enumerate(random.choice(len(pairs), BATCH, p=odds)):
        both = pairs[picture]
        worst = -1
        for _ in range(3):
            top, left = (random.integers(side - PATCH + 1) for side in both[0].shape)
            cut = [image[top : top + PATCH, left : left + PATCH] for image in both]
            wrong = float(np.square(cut[0] - cut[1]).sum())
            if wrong > worst:
                worst, chosen = wrong, cut
        turns, mirror = random.integers(4), random.choice([1, -1])
        for kind in range(2):
            batch[kind, at] = np.rot90(chosen[kind], turns)[:, ::mirror]
    return batch


def train(scale, steps, seed):
    random = np.random.default_rng([seed, scale])
    pairs = lessons(scale)
    odds = np.sqrt([sharp.size for _, sharp in pairs])
    odds /= odds.sum()
    weights = first_weights(random)
    mean, power = ({name: np.zeros_like(value) for name, value in weights.items()} for _ in range(2))
    began = time.monotonic()
    for step in range(1, steps + 1):
        pace = min(1, step / SOFT_START) * (0.01 + 0.99 * (1 + np.cos(np.pi * step / steps)) / 2)
        for name, slope in gradients(weights, *drawn(random, pairs, odds)).items():
            mean[name] += 0.1 * (slope - mean[name])
            power[name] += 0.001 * (slope**2 - power[name])
            size = np.sqrt(power[name] / (1 - 0.999**step)) + 1e-8
            rate = pace * (LAST_LAYER_RATE if name.startswith("rebuild") else RATE)
            weights[name] -= (rate * mean[name] / (1 - 0.9**step) / size).astype(np.float32)
        if step % 1000 == 0:
            print(f"x{scale}: step {step} of {steps}, {time.monotonic() - began:.0f} s", flush=True)
    return weights


def as_kernels(weights):
    """The weights in the order that ONNX wants: filters, channels, rows, columns."""
    kernels = dict(weights)
    for name, filters, channels, side in LAYERS:
        weight = weights[f"{name}_weight"]
        kernels[f"{name}_weight"] = (weight if filters == 1 else weight.T).reshape(filters, channels, side, side)
    return kernels


def as_graph(name, kernels, datatype=np.float32):
    """Takes and gives FP32, whatever it computes in. Beyond its edge a picture goes on as it ended, as for bicubic."""
    half = datatype == np.float16
    picture, answer = ("input_half", "output_half") if half else ("input", "output")
    nodes = [helper.make_node("Cast", ["input"], [picture], to=TensorProto.FLOAT16)] if half else []
    nodes.append(helper.make_node("Pad", [picture, "margin"], ["framed"], mode="edge"))
    initializers = [numpy_helper.from_array(np.array([0, 0, MARGIN, MARGIN] * 2), "margin")]
    before = "framed"
    for layer, _, _, side in LAYERS:
        parts = [f"{layer}_weight", f"{layer}_bias"]
        initializers += [numpy_helper.from_array(kernels[part].astype(datatype), part) for part in parts]
        nodes.append(helper.make_node("Conv", [before, *parts], [layer], name=layer, kernel_shape=[side, side]))
        before = layer
        if layer != LAYERS[-1][0]:
            before = f"{layer}_active"
            nodes.append(helper.make_node("Relu", [layer], [before]))
    nodes.append(helper.make_node("Add", [picture, before], [answer]))
    if half:
        nodes.append(helper.make_node("Cast", [answer], ["output"], to=TensorProto.FLOAT))
    size = ["N", 1, "H", "W"]
    ports = [[helper.make_tensor_value_info(port, TensorProto.FLOAT, size)] for port in ("input", "output")]
    graph = helper.make_graph(nodes, name, *ports, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    parser = argparse.ArgumentParser(description="Trains the sample models `srcnn` (x2) and `srcnn_x3`.")
    parser.add_argument("--models", type=Path, default=EXAMPLES / "models", help="the folder of models to write into")
    parser.add_argument("--scale", type=int, choices=list(MODELS), help="only this one")
    parser.add_argument("--steps", type=int, default=15_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for scale in [args.scale] if args.scale else MODELS:
        path = args.models / MODELS[scale] / "1/model.onnx"
        model = as_graph(MODELS[scale], as_kernels(train(scale, args.steps, args.seed)))
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        print(f"{path}: {path.stat().st_size} bytes")
        run = InferenceSession(model.SerializeToString()).run
        for picture, bicubic, mended in measured(lambda image: run(None, {"input": image})[0], scale):
            print(f"x{scale} {picture}: {mended:.2f} dB, bicubic {bicubic:.2f} dB, gain {mended - bicubic:+.2f} dB")


if __name__ == "__main__":
    main()
