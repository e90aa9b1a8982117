"""Writes `srcnn` and `srcnn_x3` in half precision and with 8-bit weights, from the FP32 models that `srcnn.py` trained.

Prints for each of the three how far it is above bicubic on the held-out pictures, and its speed beside FP32: CPU time on
one core, 224x224 pixels, taking turns. Both save room, not time, on a processor.

    pip install numpy onnx onnxruntime pillow scikit-image scikit-learn
    python examples/training/srcnn_variants.py
"""

import argparse
import logging
import time
from pathlib import Path
from statistics import mean, median

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from srcnn import MODELS, as_graph, lessons
from srcnn_pictures import EXAMPLES, measured

PIECE, PIECES_EACH = 96, 2


class Pieces(CalibrationDataReader):
    """Parts of the pictures that were learned from, never of the held-out ones."""

    def __init__(self, scale):
        random = np.random.default_rng(scale)
        self.pieces = []
        for blurred, _ in lessons(scale):
            for _ in range(PIECES_EACH):
                top, left = (random.integers(max(1, side - PIECE + 1)) for side in blurred.shape)
                self.pieces.append(blurred[None, None, top : top + PIECE, left : left + PIECE])

    def get_next(self):
        return {"input": self.pieces.pop()} if self.pieces else None


def write_half(trained, path):
    model = onnx.load(trained)
    kernels = {kernel.name: numpy_helper.to_array(kernel) for kernel in model.graph.initializer}
    onnx.save(as_graph(model.graph.name, kernels, np.float16), path)


def write_eight_bit(trained, path, scale):
    """Static, as QDQ: what a picture is computed with depends on nothing but the picture."""
    quantize_static(
        trained,
        path,
        Pieces(scale),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv"],
        calibrate_method=CalibrationMethod.Percentile,
        extra_options={"CalibPercentile": 99.99},
    )


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def slowdown(run, beside, rounds=25):
    image = np.random.default_rng(0).random((1, 1, 224, 224), np.float32)
    taken = ([], [])
    for _ in range(rounds):
        for which, one in enumerate((run, beside)):
            began = time.process_time()
            one(image)
            taken[which].append(time.process_time() - began)
    return median(taken[0]) / median(taken[1])


def report(path, trained, scale):
    run, beside = (lambda image, of=session(file): of.run(None, {"input": image})[0] for file in (path, trained))
    gains = {picture: mended - bicubic for picture, bicubic, mended in measured(run, scale)}
    each = " | ".join(f"{gain:+.3f}" for gain in gains.values())
    speed = 1 if path == trained else 1 / slowdown(run, beside)
    size = f"{path.stat().st_size / 1000:.1f}"
    print(f"| `{path.parent.parent.name}/1/{path.name}` | {size} | {each} | {mean(gains.values()):+.3f} | ×{speed:.2f} |")


def main():
    parser = argparse.ArgumentParser(description="Writes the smaller variants of `srcnn` and `srcnn_x3`.")
    parser.add_argument("--models", type=Path, default=EXAMPLES / "models", help="the folder of models")
    args = parser.parse_args()
    onnxruntime.set_default_logger_severity(3)
    logging.getLogger().setLevel(logging.ERROR)
    rows = []
    for scale, name in MODELS.items():
        trained, half, eight_bit = (
            args.models / name / "1" / file for file in ("model.onnx", "model.fp16.onnx", "model.int8.onnx")
        )
        write_half(trained, half)
        write_eight_bit(trained, eight_bit, scale)
        rows += [(path, trained, scale) for path in (trained, half, eight_bit)]
    print("| file | kB | astronaut, dB | china, dB | mean, dB | speed |\n|---|---|---|---|---|---|")
    for row in rows:
        report(*row)


if __name__ == "__main__":
    main()
