"""Labelled pictures of one size, wherever they lie."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from common import InputError


class PictureShape(NamedTuple):
    """Size of every picture of a set: 1 channel is grey, 3 are red, green and blue."""

    channels: int
    height: int
    width: int


class PictureData(Protocol):
    """N labelled pictures of one size. Reading them changes nothing; any thread may read, one at a time."""

    @property
    def shape(self) -> PictureShape:
        """Size of each picture."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes; label i is `classes[i]`."""
        ...

    @property
    def labels(self) -> np.ndarray:
        """int64 (N,), each 0 to K - 1; a model reads them in training alone."""
        ...

    @property
    def sha256(self) -> str:
        """Of pictures, labels and classes."""
        ...

    @property
    def is_chart(self) -> bool:
        """Whether these are charts, whose pixels have a place in time: they are never flipped, sheared or zoomed."""
        ...

    def __len__(self) -> int:
        """N."""
        ...

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 (n, C, H, W): the pictures of these numbers, int64 (n,), in their order."""
        ...


class PicturesInMemory:
    """`PictureData` of arrays, for tests and small data.

    Args:
        pictures: uint8 (N, C, H, W), C 1 or 3.
        labels: int64 (N,), each 0 to K - 1.
        classes: K names.
        is_chart: whether the pixels have a place in time.

    Raises:
        InputError: arrays that do not fit each other, or a label without a class.

    >>> PicturesInMemory(np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1]), ("cat", "dog")).shape
    PictureShape(channels=1, height=8, width=8)
    """

    def __init__(self, pictures: np.ndarray, labels: np.ndarray, classes: Sequence[str], is_chart: bool = False) -> None:
        self.pictures, self.labels, self.classes, self.is_chart = pictures, labels, tuple(classes), is_chart
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
            raise InputError(f"pictures must be uint8 (N, 1 or 3, H, W), but got {pictures.dtype} {pictures.shape}; convert them")
        if labels.dtype != np.int64 or labels.shape != pictures.shape[:1]:
            raise InputError(
                f"labels of {len(pictures)} pictures must be int64 ({len(pictures)},), but got {labels.dtype} {labels.shape}"
            )
        require_labels(labels, self.classes)

    @property
    def shape(self) -> PictureShape:
        return PictureShape(*self.pictures.shape[1:])

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256(repr((self.pictures.shape, self.classes, self.is_chart)).encode())
        digest.update(np.ascontiguousarray(self.labels).data)
        digest.update(np.ascontiguousarray(self.pictures).data)
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        return np.asarray(self.pictures[numbers])


def require_labels(labels: np.ndarray, classes: Sequence[str]) -> None:
    """Raise `InputError` if a label has no class."""
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    for picture in wrong[:1].tolist():
        raise InputError(
            f"labels must be 0 to {len(classes) - 1}, for there are {len(classes)} classes, but that of picture {picture} is "
            f"{labels[picture]}; give each picture one of {', '.join(classes)}"
        )
