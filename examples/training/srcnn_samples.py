"""Writes `examples/images`: the pictures that `srcnn` never learned from, one of them small, and what it makes of that.

`astronaut` comes with scikit-image, `china` with scikit-learn; examples/images/README.md tells whose they are.

    pip install numpy onnx onnxruntime pillow scikit-image scikit-learn
    python examples/training/srcnn_samples.py
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from PIL import Image
from srcnn_pictures import EXAMPLES, HELD_OUT, SKIMAGE, SKLEARN, colours, resized

ASTRONAUT, CHINA = HELD_OUT
SCALE = 2
TOP, LEFT, SIDE, ZOOM = 60, 150, 136, 2  # the part that is compared
CONTRAST = 6  # how much stronger the difference is shown
GAP = 6
VIEW, VIEW_TOP, VIEW_STEPS = 96, 24, range(40, 104, 8)  # what passes by in the animation
SHOWN_MS = 120


def each_colour(picture, height, width):
    return np.stack([resized(picture[..., colour], height, width) for colour in range(3)], axis=-1)


def mended(blurred, model):
    """The same step in red, green and blue is a step of brightness alone."""
    grey = (blurred @ np.array([0.299, 0.587, 0.114])).astype(np.float32) / 255
    answer = InferenceSession(model).run(None, {"input": grey[None, None]})[0][0, 0]
    return np.clip(np.rint(blurred + 255.0 * (answer - grey)[..., None]), 0, 255).astype(np.uint8)


def comparison(blurred, sharp):
    """Bicubic, ours, and the difference around grey, side by side."""
    apart = np.clip(128 + CONTRAST * (sharp.astype(int) - blurred), 0, 255).astype(np.uint8)
    shown = []
    for picture in (blurred, sharp, apart):
        part = picture[TOP : TOP + SIDE, LEFT : LEFT + SIDE]
        shown += [part.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1), np.full((SIDE * ZOOM, GAP, 3), 255, np.uint8)]
    return Image.fromarray(np.concatenate(shown[:-1], axis=1))


def passing(picture):
    """A window that moves along the picture."""
    return [
        Image.fromarray(picture[VIEW_TOP : VIEW_TOP + VIEW, left : left + VIEW]).quantize(64)
        for left in VIEW_STEPS
    ]


def main():
    parser = argparse.ArgumentParser(description="Writes the sample pictures and the comparison.")
    parser.add_argument("--model", type=Path, default=EXAMPLES / "models/srcnn/1/model.onnx")
    args = parser.parse_args()
    folder = ASTRONAUT.parent
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SKLEARN / "china.jpg", CHINA)
    Image.open(SKIMAGE / "astronaut.png").convert("RGB").save(ASTRONAUT, quality=92, optimize=True)

    whole = colours(ASTRONAUT)
    height, width = (side // SCALE for side in whole.shape[:2])
    small = each_colour(whole, height, width)
    Image.fromarray(small).save(folder / "astronaut-small.png", optimize=True)
    first, *others = passing(small)
    first.save(folder / "passing.gif", save_all=True, append_images=others, duration=SHOWN_MS, loop=0)
    blurred = each_colour(small, height * SCALE, width * SCALE)
    comparison(blurred, mended(blurred, args.model)).save(folder / "compare.png", optimize=True)


if __name__ == "__main__":
    main()
