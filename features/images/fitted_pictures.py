"""A trained model of pictures: it forecasts, and is one file."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from common import InputError, SealError, one_line, read_sealed, write_sealed
from features.images.inference import block_of, gathered, in_blocks, softmax
from features.images.networks import blank_network
from features.images.picture_epochs import PictureEpoch
from features.images.picture_network import PictureNetwork
from features.images.pictures import PictureData, PictureShape
from features.images.pixel_scale import PixelScale, require_same_shape
from features.images.settings import PictureSettings
from features.torch_tools import torch_threads

KIND = "model of pictures"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class FittedPictures:
    """A trained model.

    Args:
        name: of `NAMES`.
        settings: what it was built and trained with; the precision is never `auto`.
        shape: of its pictures.
        classes: K names.
        history: its epochs; the weights are those of the best one on validation, or without validation of the last one.
        arrays: `network/...`, float32, by the names of the network's `state_dict`, and `pixels/order`, `mean` and `std`.
        pretrained: sha256 of the weight file that the convolutions come from, or None.
    """

    name: str
    settings: PictureSettings
    shape: PictureShape
    classes: tuple[str, ...]
    history: tuple[PictureEpoch, ...]
    arrays: dict[str, np.ndarray]
    pretrained: str | None = None

    def predict(self, data: PictureData) -> np.ndarray:
        """float64 (N, K): the probability of each class; a picture's do not depend on the other pictures.

        Raises:
            InputError: pictures of another size than in training, or a forecast that is not finite.
        """
        require_same_shape(self.name, data, self.shape)
        if not len(data):
            return np.zeros((0, len(self.classes)))
        with torch_threads(self.settings.threads):
            logits = in_blocks(
                self._logits, lambda numbers: self.scale.pixels(data.read(numbers)), len(data), block_of(self.network)
            )
        for picture in np.flatnonzero(~np.isfinite(logits).all(axis=1))[:1].tolist():
            raise InputError(f"a forecast must be finite, but that of {self.name} for picture {picture} is not; train it again")
        return softmax(logits)

    def save(self, path: Path) -> None:
        """Write one sealed file."""
        about = {
            "kind": KIND, "format": FORMAT, "name": self.name, "settings": self.settings.model_dump(mode="json"),
            "shape": list(self.shape), "classes": list(self.classes), "pretrained": self.pretrained,
            "history": [asdict(epoch) | {"seconds": 0.0} for epoch in self.history],  # the rest repeats to the byte
        }  # fmt: skip
        write_sealed(path, {name: torch.from_numpy(array) for name, array in self.arrays.items()}, about)

    @classmethod
    def load(cls, path: Path) -> "FittedPictures":
        """Read what `save` wrote; runs no code from the file.

        Raises:
            SealError: a missing or damaged file, or one of another version.
        """
        tensors, about = read_sealed(path, KIND)
        try:
            if about["format"] != FORMAT:
                raise InputError(f"this version reads format {FORMAT}, but it has {about['format']}")
            fitted = cls(
                about["name"], PictureSettings.model_validate(about["settings"]), PictureShape(*about["shape"]),
                tuple(about["classes"]), tuple(PictureEpoch(**epoch) for epoch in about["history"]),
                {name: tensor.numpy() for name, tensor in tensors.items()}, about["pretrained"],
            )  # fmt: skip
            assert fitted.network
            fitted.scale.require_channels(fitted.shape.channels)
        except Exception as error:  # sealed by hand, or by another version: the user needs its name and one line
            raise SealError(f"cannot read the model in {path}: {one_line(error)}; train it again") from error
        return fitted

    @cached_property
    def network(self) -> PictureNetwork:
        """With its weights, in evaluation; do not train it."""
        with torch.inference_mode(False):  # tensors that are made in inference have no gradients ever, as Grad-CAM needs them
            network = blank_network(self.name, self.shape, len(self.classes), self.settings)
            load_weights(network, self._below("network/"))
            return network.eval().requires_grad_(False)

    @cached_property
    def scale(self) -> PixelScale:
        """From bytes to what the network sees."""
        return PixelScale(**self._below("pixels/"))

    def _logits(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network.decide(gathered(self.network, pixels, self.settings.precision))

    def _below(self, prefix: str) -> dict[str, torch.Tensor]:
        return {
            name.removeprefix(prefix): torch.from_numpy(array) for name, array in self.arrays.items() if name.startswith(prefix)
        }


def load_weights(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Give a network these weights instead of its own, which may be blank.

    Raises:
        InputError: the first name, shape or type that differs.
    """
    for name, own in network.state_dict().items():
        if name not in weights:
            raise InputError(f"the network has {name}, but the weights do not")
        given = weights[name]
        if given.shape != own.shape or given.dtype != own.dtype:
            raise InputError(
                f"{name} of the network is {own.dtype} {tuple(own.shape)}, but that of the weights is {given.dtype} "
                f"{tuple(given.shape)}"
            )
    if more := sorted(weights.keys() - network.state_dict().keys()):
        raise InputError(f"the weights have {more[0]}, but the network does not")
    network.load_state_dict(weights, assign=True)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
