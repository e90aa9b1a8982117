"""The pictures that `srcnn` learns from and is measured with, and the bicubic enlargement that it has to beat.

Only brightness is learned: BT.601 luminance in 8 bits, as decoders and the server compute it.
"""

from functools import cache
from math import log10
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

EXAMPLES = Path(__file__).resolve().parent.parent
SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets/images"
LEARNED = [
    *(SKIMAGE / name for name in ("camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")),
    SKLEARN / "flower.jpg",
]
HELD_OUT = [EXAMPLES / "images/astronaut.jpg", EXAMPLES / "images/china.jpg"]


def colours(path):
    return np.asarray(Image.open(path).convert("RGB"))


def luminance(path):
    return np.rint(colours(path) @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def keys(distance):
    """The cubic of R. Keys with a = -0.5, also known as Catmull-Rom."""
    near = np.abs(distance)
    inner = (1.5 * near - 2.5) * near**2 + 1
    outer = ((-0.5 * near + 2.5) * near - 4) * near + 2
    return np.where(near < 1, inner, np.where(near < 2, outer, 0))


@cache
def along(length, wanted):
    """What each of the wanted pixels takes from a line of pixels: centres aligned, the edge repeated.

    Where the line becomes shorter, the kernel is stretched, so that every pixel counts.
    """
    stretch = max(1, length / wanted)
    centre = (np.arange(wanted) + 0.5) * length / wanted - 0.5
    reach = int(np.ceil(2 * stretch)) + 1
    weights = np.zeros((wanted, length))
    for step in range(-reach, reach + 1):
        source = np.floor(centre).astype(int) + step
        weight = keys((source - centre) / stretch)
        np.add.at(weights, (np.arange(wanted), np.clip(source, 0, length - 1)), weight)
    return weights / weights.sum(axis=1, keepdims=True)


def resized(grey, height, width):
    exact = along(grey.shape[0], height) @ grey @ along(grey.shape[1], width).T
    return np.clip(np.rint(exact), 0, 255).astype(np.uint8)


def pair(grey, scale):
    """The picture cut to whole pixels of the small one, and that small one enlarged again: what there is to mend."""
    height, width = (side // scale for side in grey.shape)
    sharp = grey[: height * scale, : width * scale]
    return sharp, resized(resized(sharp, height, width), *sharp.shape)


def psnr(picture, truth, scale):
    """In dB, on 8-bit pixels, without a margin of `scale` pixels."""
    inside = slice(scale, -scale), slice(scale, -scale)
    apart = picture[inside].astype(float) - truth[inside]
    return 10 * log10(255**2 / np.mean(apart**2))


def measured(answer, scale):
    """For each held-out picture: its name, bicubic's PSNR, and that of what `answer` makes of the enlarged one."""
    for path in HELD_OUT:
        sharp, blurred = pair(luminance(path), scale)
        mended = answer(blurred[None, None].astype(np.float32) / 255)[0, 0]
        mended = np.clip(np.rint(mended.astype(np.float32) * 255), 0, 255)
        yield path.stem, psnr(blurred, sharp, scale), psnr(mended, sharp, scale)
