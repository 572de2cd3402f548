"""Folders of small pictures for the tests."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def picture(number: int, bright: bool = False, side: int = 12) -> np.ndarray:
    """uint8 (side, side, 3): noise, in its left or its right half brighter."""
    draw = np.random.default_rng(number)
    pixels = draw.integers(0, 120, (side, side, 3))
    half = pixels[:, side // 2 :] if bright else pixels[:, : side // 2]
    half += 120
    return pixels.astype(np.uint8)


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    """As a file whose format is that of its ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_flat(folder: Path, each: int = 10, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """`cat.0.png`, `dog.0.png` and so on; odd classes are bright on the right."""
    for label, name in enumerate(classes):
        for number in range(each):
            save(folder / f"{name}.{number}.png", picture(1_000 * label + number, bool(label % 2)))
    return folder


def write_classes(folder: Path, each: int = 6, classes: tuple[str, ...] = ("cat", "dog"), first: int = 0) -> Path:
    """A folder for each class."""
    for label, name in enumerate(classes):
        for number in range(first, first + each):
            save(folder / name / f"{name}.{number}.png", picture(1_000 * label + number, bool(label % 2)))
    return folder
