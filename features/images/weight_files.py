"""Reads the pretrained weights of VGG16 from the files that torchvision and Keras publish. No code of a file is run."""

import hashlib
import io
import pickle
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import InputError, Tensors, needed_for, one_line
from features.images.pixel_scale import PixelScale
from features.images.vgg16 import convolution_names, convolutions, keras_names

TORCHVISION, KERAS = "vgg16-397923af.pth", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
WHERE = f"{TORCHVISION}, which torchvision publishes, or {KERAS}, which Keras publishes"
LARGEST = 2_000_000_000
"""bytes of a weight file; torchvision's has 553 million"""
HDF5 = b"\x89HDF\r\n\x1a\n"
"""with which a file of Keras' begins"""
KERAS_TOP = ("fc1", "fc2", "predictions")
"""its layers above the convolutions"""
LETTERS = {"weight": "W", "bias": "b"}
"""of its names"""
RGB_MEAN, RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""of pixels from 0 to 1, torchvision's for all its networks"""
BGR_MEAN = (103.939, 116.779, 123.68)
"""of bytes, blue first, as VGG16 was first trained in Caffe; Keras' `preprocess_input`"""


@dataclass(frozen=True, eq=False)
class PretrainedWeights:
    """The convolutions of VGG16.

    Args:
        tensors: float32, by torchvision's names `features.0.weight` to `features.28.bias`.
        scale: how pixels were prepared when they were trained.
        sha256: of the file.
        notes: what of the file is not used, as sentences for people.
    """

    tensors: Tensors
    scale: PixelScale
    sha256: str
    notes: tuple[str, ...] = ()


def load_vgg16_weights(path: Path, filters: int = 64) -> PretrainedWeights:
    """Read a `.pth` file of torchvision's or a `.h5` file of Keras', told by its first bytes. Nothing is downloaded.

    Args:
        path: of the file; `classifier` entries of torchvision's and dense layers of Keras' are not used, which a note says.
        filters: of the first convolution; 64 in both published files.

    Raises:
        InputError: no such file, a damaged one, one that holds code, or one that does not fit, with the first name or shape that
            differs.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise InputError(f"cannot read the weights {path}: {error.strerror}; give {WHERE}") from None
    try:
        if not content:
            raise InputError(f"it has {size:,} bytes, but weights have 1 to {LARGEST:,}")
        tensors, scale, notes = (_of_keras if content.startswith(HDF5) else _of_torchvision)(content, filters)
        for name, tensor in tensors.items():
            if not torch.isfinite(tensor).all():
                raise InputError(f"its {name} holds a number that is not finite")
    except Exception as error:  # whatever is wrong in a damaged file, the user needs its name and one line
        raise InputError(f"cannot read {path} as weights of VGG16: {one_line(error)}; give {WHERE}") from error
    return PretrainedWeights(tensors, scale, hashlib.sha256(content).hexdigest(), notes)


def _of_torchvision(content: bytes, filters: int) -> tuple[Tensors, PixelScale, tuple[str, ...]]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of torch, about the versions of files
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError("it holds something else than tensors by name, which was not run, or is damaged") from None
    if not isinstance(found, dict):
        raise InputError(f"it holds a {type(found).__name__} instead of tensors by name")
    tops = [name for name in found if str(name).startswith("classifier.")]
    shapes = {f"{name}.{kind}": shape for name, kind, shape in _layout(filters)}
    _require_names(shapes, [name for name in found if name not in tops])
    tensors = {}
    for name, shape in shapes.items():
        tensor = found[name]
        if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided or tensor.is_quantized:
            raise InputError(f"its {name} is no plain tensor")
        _require_shape(name, (tensor.dtype, tuple(tensor.shape)), (torch.float32, shape))
        tensors[name] = tensor.detach().clone(memory_format=torch.contiguous_format)
    mean, std = torch.tensor(RGB_MEAN) * 255, torch.tensor(RGB_STD) * 255
    return tensors, PixelScale(torch.arange(3), mean, std), _unused(tops)


def _of_keras(content: bytes, filters: int) -> tuple[Tensors, PixelScale, tuple[str, ...]]:
    with needed_for("a weight file of Keras'"):
        import h5py
    with h5py.File(io.BytesIO(content), "r") as file:
        found = {name: _plain(file, name, h5py.Group) for name in file}
        inner = [f"{group}/{name}" for group in found for name in found[group]]
        tops = [name for name in inner if name.split("/")[0] in KERAS_TOP]
        layout = {f"{keras}/{keras}_{LETTERS[kind]}_1:0": (name, kind, shape) for (name, kind, shape), keras in _beside(filters)}
        _require_names(layout, [name for name in inner if name not in tops])
        tensors = {}
        for name, (ours, kind, shape) in layout.items():
            group, own = name.split("/")
            dataset = _plain(found[group], own, h5py.Dataset)
            if dataset.is_virtual or dataset.external:
                raise InputError(f"its {name} lies in another file")
            # (height, width, in, out) -> (out, in, height, width)
            turned = (*shape[2:], shape[1], shape[0]) if kind == "weight" else shape
            _require_shape(name, (dataset.dtype, dataset.shape), (np.dtype(np.float32), turned))
            values = torch.from_numpy(np.asarray(dataset[()]))
            tensors[f"{ours}.{kind}"] = values.permute(3, 2, 0, 1).contiguous() if kind == "weight" else values
    scale = PixelScale(torch.tensor([2, 1, 0]), torch.tensor(BGR_MEAN), torch.ones(3))
    return tensors, scale, _unused(tops)


def _plain(group: Any, name: str, kind: Callable[..., Any]) -> Any:
    """The entry of a group, which a link may not take from elsewhere."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise InputError(f"its {name} is a link")
    entry = group[name]
    if not isinstance(entry, kind):  # type: ignore[arg-type]
        raise InputError(f"its {name} is a {type(entry).__name__.lower()}")
    return entry


def _layout(filters: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """torchvision's name, kind and shape of each tensor, in order."""
    with torch.device("meta"):
        layers = [layer for layer in convolutions(filters) if isinstance(layer, torch.nn.Conv2d)]
    return [
        (name, kind, tuple(weight.shape))
        for name, layer in zip(convolution_names(), layers, strict=True)
        for kind, weight in layer.named_parameters()
    ]


def _beside(filters: int) -> Iterable[tuple[tuple[str, str, tuple[int, ...]], str]]:
    """The same with the name of Keras' group."""
    return zip(_layout(filters), [name for name in keras_names() for _ in LETTERS], strict=True)


def _require_names(expected: Iterable[str], found: Iterable[str]) -> None:
    known, there = list(expected), set(found)
    for name in known:
        if name not in there:
            raise InputError(f"it has no {name}")
    for name in found:
        if name not in known:
            raise InputError(f"it has {name}, which VGG16 has not")


def _require_shape(name: str, found: tuple[Any, tuple[int, ...]], expected: tuple[Any, tuple[int, ...]]) -> None:
    if found != expected:
        raise InputError(f"its {name} is {found[0]} {found[1]}, but VGG16 has {expected[0]} {expected[1]}")


def _unused(tops: list[str]) -> tuple[str, ...]:
    return (f"the layers above the convolutions are not used: {', '.join(tops)}",) if tops else ()
