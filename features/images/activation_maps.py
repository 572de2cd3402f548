"""Where a network looks: its feature maps, and the pixels that speak for a class."""

import numpy as np
import torch
from torch.nn import functional

from common import InputError
from features.images.fitted_pictures import FittedPictures
from features.torch_tools import torch_threads


def grad_cam(fitted: FittedPictures, picture: np.ndarray, label: int) -> np.ndarray:
    """How much each place of a picture speaks for a class: gradient-weighted class activation map.

    The maps of the last convolution, after batch norm and activation, are each weighted by the mean gradient of the class's
    logit, summed, cut off below 0, enlarged to the picture bilinearly, and divided by their largest value. Where nothing speaks
    for the class all is 0.

    Source: Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2.

    Args:
        fitted: the model.
        picture: uint8 (C, H, W).
        label: number of the class.

    Returns:
        float32 (H, W), 0 to 1.

    Raises:
        InputError: a picture of another size, or a class that the model does not know.
    """
    if not 0 <= label < len(fitted.classes):
        raise InputError(f"classes of {fitted.name} are 0 to {len(fitted.classes) - 1}, but got {label}; give one of them")
    with torch_threads(fitted.settings.threads):
        with torch.inference_mode():
            seen = fitted.network.see(_pixels(fitted, picture))
        maps = seen.clone().requires_grad_()
        logit = fitted.network.decide(fitted.network.gather(maps))[0, label]
        (gradient,) = torch.autograd.grad(logit, maps)
        weighted = functional.relu((gradient.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True)).detach()
        large = functional.interpolate(weighted, tuple(fitted.shape[1:]), mode="bilinear", align_corners=False)[0, 0]
        highest = float(large.max())
        return (large / highest if highest > 0 else large).numpy()


def feature_maps(fitted: FittedPictures, picture: np.ndarray) -> dict[str, np.ndarray]:
    """What each convolution gives for a picture, after batch norm and activation: float32 (f, h, w) by the layer's name.

    Args:
        fitted: the model.
        picture: uint8 (C, H, W).

    Raises:
        InputError: a picture of another size.
    """
    with torch_threads(fitted.settings.threads), torch.inference_mode():
        return {name: maps[0].contiguous().numpy() for name, maps in fitted.network.stages(_pixels(fitted, picture))}


def _pixels(fitted: FittedPictures, picture: np.ndarray) -> torch.Tensor:
    if picture.dtype != np.uint8 or picture.shape != tuple(fitted.shape):
        raise InputError(
            f"a picture for {fitted.name} must be uint8 {tuple(fitted.shape)}, but got {picture.dtype} {picture.shape}; "
            "convert it"
        )
    return fitted.scale.pixels(picture[None])
