"""Trains one model of pictures, epoch by epoch, to the bit from any checkpoint on."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from common import InputError, differences, read_sealed, write_sealed
from features.epochs import Watch
from features.images.augmentation import require_no_variation_of_charts, variation_of
from features.images.bottleneck import give_pretrained, vgg16_features
from features.images.fitted_pictures import FittedPictures
from features.images.inference import cross_entropies, resolved
from features.images.learned_state import below, learned_weights, load_state, make_optimizer, state_of
from features.images.networks import build_network
from features.images.picture_epochs import PictureEpoch
from features.images.picture_inputs import PictureInputs
from features.images.picture_network import PictureNetwork
from features.images.pictures import PictureData, PictureShape, require_labels
from features.images.pixel_scale import fit_scale, in_words
from features.images.settings import PictureSettings
from features.images.weight_files import WHERE, PretrainedWeights
from features.torch_tools import keep_freed_memory, torch_threads

KIND = "checkpoint of a model of pictures"
ORDER, DROPOUT = 1, 2
"""what an epoch draws, each by a generator of its own, so that it draws the same whichever epochs came before in this process"""


def fit_pictures(
    name: str,
    train: PictureData,
    validation: PictureData | None,
    settings: PictureSettings,
    watch: Watch | None = None,
    *,
    weights: PretrainedWeights | None = None,
    features_folder: Path | None = None,
) -> FittedPictures:
    """Train on `train`; the weights of the best epoch on `validation` are kept, or without one those of the last.

    Args:
        name: of `NAMES`.
        train: pictures that everything is estimated on.
        validation: pictures of the same size and classes, whose loss chooses the epoch and ends the training.
        settings: of the model and its training.
        watch: who looks on, and the checkpoint to go on from, and to write after each epoch.
        weights: of vgg16, see `load_vgg16_weights`; the other models need none.
        features_folder: where vgg16's features of each picture are kept, see `vgg16_features`; without one they are computed
            into memory. Those of pictures that are varied differ in each epoch, so each epoch computes them.

    Raises:
        InputError: an unknown name, pictures or labels that do not fit, charts to be varied, a loss that is not finite, or a
            checkpoint of another training.
        SealError: a damaged checkpoint.
    """
    keep_freed_memory()
    with torch_threads(settings.threads):
        return _Training(name, train, validation, resolved(settings), weights, features_folder).run(watch or Watch())


class _Training:
    """One training; arguments of `fit_pictures`."""

    def __init__(
        self,
        name: str,
        train: PictureData,
        validation: PictureData | None,
        settings: PictureSettings,
        weights: PretrainedWeights | None,
        folder: Path | None,
    ) -> None:
        _require_fit(train, validation)
        require_no_variation_of_charts(train, settings)
        self.name, self.train, self.validation, self.settings = name, train, validation, settings
        generator = torch.Generator().manual_seed(settings.seed)
        self.network = build_network(name, train.shape, len(train.classes), settings, generator)
        self.pretrained = _pretrained(name, self.network, weights)
        if self.pretrained is not None:
            give_pretrained(self.network, self.pretrained)
            self.scale = self.pretrained.scale.for_channels(train.shape.channels)
        else:
            self.scale = fit_scale(train)
        self.optimizer = make_optimizer(self.network, settings.rate_of(name), settings)
        self.train_inputs = self._inputs(train, folder, varied=settings.augments)
        self.validation_inputs = None if validation is None else self._inputs(validation, folder)
        self.history: list[PictureEpoch] = []
        self.best: dict[str, Tensor] = {}
        self.identity: dict[str, Any] = {
            "model": name,
            "settings": settings.model_dump(mode="json"),
            "data": [train.sha256, validation.sha256 if validation is not None else None],
            "weights": None if self.pretrained is None else self.pretrained.sha256,
        }

    def run(self, watch: Watch) -> FittedPictures:
        """Train to the end, from the watch's checkpoint on if there is one."""
        if watch.checkpoint and watch.checkpoint.exists():
            self._restore(watch.checkpoint)
        for epoch in self.history:
            watch.on_epoch(epoch)
        while not self._finished:
            self.history.append(self._epoch(watch))
            if watch.checkpoint:
                self._save(watch.checkpoint)
            watch.on_epoch(self.history[-1])
        weights = self.best if self.validation is not None else learned_weights(self.network)
        if self.pretrained is not None:
            weights = self.pretrained.tensors | weights
        arrays = {f"network/{name}": weight.numpy() for name, weight in weights.items()}
        arrays |= {f"pixels/{name}": value.numpy() for name, value in self.scale.tensors().items()}
        shape, classes, history = PictureShape(*self.train.shape), tuple(self.train.classes), tuple(self.history)
        return FittedPictures(self.name, self.settings, shape, classes, history, arrays, self.identity["weights"])

    @property
    def _finished(self) -> bool:
        if not self.history:
            return False
        best = max(epoch.number for epoch in self.history if epoch.best)
        return len(self.history) >= self.settings.epochs or len(self.history) - best >= self.settings.patience

    def _epoch(self, watch: Watch) -> PictureEpoch:
        began, number = time.perf_counter(), len(self.history) + 1
        loss, accuracy = self._learned(number, watch)
        seconds = time.perf_counter() - began
        validated = (loss, accuracy) if self.validation_inputs is None else self._validated(self.validation_inputs)
        if not np.isfinite(loss) or not np.isfinite(validated[0]):
            raise InputError(
                f"the loss of {self.name} must stay finite, but is {loss} after epoch {number} ({validated[0]} on validation); "
                "lower the learning rate"
            )
        best = self.validation is None or all(validated[0] < epoch.validation_loss for epoch in self.history)
        if best and self.validation is not None:
            self.best = learned_weights(self.network)
        return PictureEpoch(number, loss, validated[0], best, seconds, accuracy=accuracy, validation_accuracy=validated[1])

    def _learned(self, epoch: int, watch: Watch) -> tuple[float, float]:
        """Mean loss and accuracy of one pass over train."""
        self.network.train()
        order = np.random.default_rng((self.settings.seed, epoch, ORDER)).permutation(len(self.train))
        draw = torch.Generator().manual_seed(int(np.random.default_rng((self.settings.seed, epoch, DROPOUT)).integers(2**62)))
        batches = [order[first : first + self.settings.batch_size] for first in range(0, len(order), self.settings.batch_size)]
        vary, total, right = variation_of(self.settings, epoch, len(order)), 0.0, 0
        for done, (batch, given) in enumerate(zip(batches, self.train_inputs.ahead(batches, vary), strict=True), 1):
            labels = torch.tensor(self.train.labels[batch])
            logits = self.network.decide(self.train_inputs.features(given), draw)
            loss = functional.cross_entropy(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach()) * len(batch)
            right += int((logits.detach().argmax(1) == labels).sum())
            watch.on_part(done, len(batches))
        return total / len(order), right / len(order)

    def _validated(self, inputs: PictureInputs) -> tuple[float, float]:
        """Mean loss and accuracy."""
        self.network.eval()
        logits, labels = inputs.logits(), inputs.data.labels
        return float(cross_entropies(logits, labels).mean()), float((logits.argmax(axis=1) == labels).mean())

    def _inputs(self, data: PictureData, folder: Path | None, varied: bool = False) -> PictureInputs:
        kept = None
        if self.pretrained is not None and not varied:
            kept = vgg16_features(data, self.pretrained, self.settings, folder)
        return PictureInputs(data, self.network, self.scale, self.settings.precision, kept)

    def _save(self, path: Path) -> None:
        tensors = state_of(self.network, self.optimizer) | {f"best/{name}": weight for name, weight in self.best.items()}
        about = {"kind": KIND, "identity": self.identity, "history": [asdict(epoch) for epoch in self.history]}
        write_sealed(path, tensors, about)

    def _restore(self, path: Path) -> None:
        tensors, about = read_sealed(path, KIND)
        if changed := differences(about["identity"], self.identity):
            raise InputError(
                f"a training goes on with its own data and settings, but {path} differs: {'; '.join(changed)}; "
                "restore them, or begin a new run"
            )
        load_state(self.network, self.optimizer, tensors)
        self.best = below(tensors, "best/")
        self.history = [PictureEpoch(**epoch) for epoch in about["history"]]


def _pretrained(name: str, network: PictureNetwork, weights: PretrainedWeights | None) -> PretrainedWeights | None:
    if network.FROZEN and weights is None:
        raise InputError(f"{name} needs weights that it was pretrained with; give a file: {WHERE} (nothing is downloaded)")
    if not network.FROZEN and weights is not None:
        raise InputError(f"{name} is trained from its first weights on, but got those of a file; leave them out, or train vgg16")
    return weights


def _require_fit(train: PictureData, validation: PictureData | None) -> None:
    for part, data in (("training", train), ("validation", validation)):
        if data is None:
            continue
        if not len(data):
            raise InputError(f"the {part} data must have pictures, but have none; give some")
        require_labels(data.labels, data.classes)
    if validation is not None and (validation.shape, validation.classes) != (train.shape, train.classes):
        raise InputError(
            f"validation has pictures of {in_words(validation.shape)} of {', '.join(validation.classes)}, but train has "
            f"{in_words(train.shape)} of {', '.join(train.classes)}; give both the same size and classes"
        )
