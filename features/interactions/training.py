"""Trains one model of interactions, pass by pass over the blocks of its data, to the bit from any checkpoint on."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import InputError, SealError, differences, one_line, read_sealed, write_sealed
from features.epochs import Epoch, Watch
from features.fields.rows import FieldData
from features.interactions.field_pairs import PAIRWISE, pair_strengths
from features.interactions.learner import Learner, Shape
from features.interactions.losses import auc_of, losses_of, probabilities_of
from features.interactions.registry import make_learner
from features.interactions.settings import KERNELS, InteractionSettings

KIND, CHECKPOINT_KIND = "model of interactions", "checkpoint of a model of interactions"
FORMAT = 1
LARGE = 1e4
"""values beyond this make products of embeddings that no usual step size bears"""
NEARER = "train on values nearer to 1, such as those that `normalize_features` or `numeric` makes"
Weights = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class FittedInteractions:
    """A trained model.

    Args:
        name: one of `MODELS`.
        settings: what it was built and trained with.
        field_names: the F fields of its data.
        n_features: D.
        history: its epochs; the weights are those of the best one on validation, or without validation of the last one.
        arrays: its weights, and float64 (F, F) `field_pairs` of a model that has embeddings.
    """

    name: str
    settings: InteractionSettings
    field_names: tuple[str, ...]
    n_features: int
    history: tuple[Epoch, ...]
    arrays: Weights

    def margins(self, data: FieldData) -> np.ndarray:
        """float32 (N,): what the model gives before the sigmoid, in the order of the rows; memory grows with N alone.

        Raises:
            InputError: data with other fields, or with features that the model does not know, or a forecast that is not finite.
        """
        return np.concatenate([np.zeros(0, np.float32), *self._margins(data)])

    def predict(self, data: FieldData) -> np.ndarray:
        """float64 (N,): the probability of label 1, or with the squared loss the label that is expected. Errors of `margins`."""
        return np.concatenate([np.zeros(0), *self.forecasts(data)])

    def forecasts(self, data: FieldData) -> Iterator[np.ndarray]:
        """What `predict` gives, block by block, float64 (n,) each, so that memory does not grow. Errors of `margins`."""
        for margins in self._margins(data):
            yield margins.astype(np.float64) if self.settings.loss == "squared" else probabilities_of(margins)

    def field_pairs(self) -> np.ndarray:
        """float64 (F, F): how much each pair of fields moves the margin on the training rows, see `pair_strengths`.

        Raises:
            InputError: the model has no embeddings whose products say so.
        """
        if "field_pairs" not in self.arrays:
            raise InputError(f"{self.name} multiplies no pairs of fields; train {', '.join(PAIRWISE)} to see them")
        return self.arrays["field_pairs"]

    def save(self, path: Path) -> None:
        """Write one sealed file."""
        about = {
            "kind": KIND, "format": FORMAT, "name": self.name, "settings": self.settings.model_dump(mode="json"),
            "field_names": list(self.field_names), "n_features": self.n_features,
            "history": [asdict(epoch) | {"seconds": 0.0} for epoch in self.history],  # the rest repeats to the byte
        }  # fmt: skip
        write_sealed(path, {name: torch.from_numpy(np.array(array)) for name, array in self.arrays.items()}, about)

    @classmethod
    def load(cls, path: Path) -> "FittedInteractions":
        """Read what `save` wrote; runs no code from the file.

        Raises:
            SealError: a missing or damaged file, or one of another version.
        """
        tensors, about = read_sealed(path, KIND)
        try:
            if about["format"] != FORMAT:
                raise InputError(f"this version reads format {FORMAT}, but it has {about['format']}")
            fitted = cls(
                about["name"], InteractionSettings.model_validate(about["settings"]), tuple(about["field_names"]),
                int(about["n_features"]), tuple(Epoch(**epoch) for epoch in about["history"]),
                {name: tensor.numpy() for name, tensor in tensors.items()},
            )  # fmt: skip
            _require_room_for_weights(fitted)
            assert fitted._learner
        except Exception as error:  # sealed by hand, or by another version: the user needs its name and one line
            raise SealError(f"cannot read the model in {path}: {one_line(error)}; train it again") from error
        return fitted

    def _margins(self, data: FieldData) -> Iterator[np.ndarray]:
        self._require_same_fields(data)
        before = 0
        for number in range(data.n_blocks):
            rows = data.block(number)
            margins = self._learner.margins(rows)
            for row in np.flatnonzero(~np.isfinite(margins))[:1]:
                largest = np.abs(rows.values[rows.starts[row] : rows.starts[row + 1]]).max(initial=0.0)
                raise InputError(
                    f"a forecast must be finite, but that of {self.name} for row {before + row + 1:,}, whose largest value is "
                    f"{largest:.3g}, is {margins[row]}; {NEARER}"
                )
            yield margins
            before += len(rows)

    @cached_property
    def _learner(self) -> Learner:
        plain = self.settings.model_copy(update={"optimizer": "sgd"})  # which remembers nothing of each weight
        learner = make_learner(self.name, Shape(self.n_features, len(self.field_names)), plain)
        learner.load_weights({name: array for name, array in self.arrays.items() if name != "field_pairs"})
        return learner

    def _require_same_fields(self, data: FieldData) -> None:
        if tuple(data.field_names) != self.field_names or data.n_features != self.n_features:
            raise InputError(
                f"{self.name} was trained on {self.n_features:,} features in the fields {', '.join(self.field_names)}, but the "
                f"data have {data.n_features:,} in {', '.join(data.field_names)}; read them with the schema of the training file"
            )


def fit_interactions(
    name: str, train: FieldData, validation: FieldData | None, settings: InteractionSettings, watch: Watch | None = None
) -> FittedInteractions:
    """Train on `train`; the weights of the best epoch on `validation` are kept, or without one those of the last.

    Raises:
        InputError: an unknown model, no rows, labels that the loss cannot take, or a loss that is not finite.
    """
    return InteractionTraining(name, train, validation, settings).run(watch or Watch())


class InteractionTraining:
    """One training, epoch by epoch; arguments of `fit_interactions`."""

    def __init__(self, name: str, train: FieldData, validation: FieldData | None, settings: InteractionSettings) -> None:
        self.name, self.train, self.validation, self.settings = name, train, validation, settings
        for part, data in (("training", train), ("validation", validation)):
            if data is not None and data.n_rows == 0:
                raise InputError(f"the {part} data must have rows, but have none; give a file that has some")
        self.learner = make_learner(name, Shape(train.n_features, len(train.field_names)), settings)
        self.learner.start_from(base_margin(train, settings.loss))
        self.history: list[Epoch] = []
        self.best: Weights = {}
        self.identity: dict[str, Any] = {
            "model": name,
            "settings": settings.model_dump(mode="json"),
            "data": [train.sha256, validation.sha256 if validation is not None else None],
        }

    def run(self, watch: Watch) -> FittedInteractions:
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
        arrays = self.best if self.validation is not None else self.learner.weights()
        del self.learner  # a large table need not lie in memory twice
        if (strengths := pair_strengths(self.name, self.train, arrays, self.settings)) is not None:
            arrays["field_pairs"] = strengths
        names, features = tuple(self.train.field_names), self.train.n_features
        return FittedInteractions(self.name, self.settings, names, features, tuple(self.history), arrays)

    @property
    def _finished(self) -> bool:
        if not self.history:
            return False
        best = max(epoch.number for epoch in self.history if epoch.best)
        return len(self.history) >= self.settings.epochs or len(self.history) - best >= self.settings.patience

    def _epoch(self, watch: Watch) -> Epoch:
        began, number = time.perf_counter(), len(self.history) + 1
        draw = np.random.default_rng((self.settings.seed, number))  # of its own for each epoch, so a resumed one draws the same
        total, blocks = 0.0, draw.permutation(self.train.n_blocks)
        for done, block in enumerate(blocks.tolist(), 1):
            rows = self.train.block(block)
            total += self.learner.learn(rows, draw.permutation(len(rows)))
            watch.on_part(done, len(blocks))
        seconds = time.perf_counter() - began
        loss = total / self.train.n_rows
        validation_loss, score = (loss, None) if self.validation is None else self._validated(self.validation)
        if not np.isfinite(loss) or not np.isfinite(validation_loss):
            raise InputError(
                f"the loss of {self.name} must stay finite, but is {loss} after epoch {number} ({validation_loss} on "
                f"validation); {self._what_to_do()}"
            )
        to_beat = validation_loss if score is None else score
        # Without validation rows there is nothing to choose by: the last epoch is kept, whose weights the learner still has.
        best = self.validation is None or all(to_beat < epoch.to_beat for epoch in self.history)
        if best and self.validation is not None:
            self.best = self.learner.weights()
        return Epoch(number, loss, validation_loss, best, seconds, score)

    def _what_to_do(self) -> str:
        """About a loss that is not finite: the step size is at fault, or the values are."""
        parts = [data for data in (self.train, self.validation) if data is not None]
        blocks = (data.block(number).values for data in parts for number in range(data.n_blocks))
        largest = max(float(np.abs(values).max(initial=0.0)) for values in blocks)
        if largest > LARGE and not (self.name in KERNELS and self.settings.normalize_rows):
            return f"values reach {largest:.3g}: {NEARER}"
        return "lower the learning rate"

    def _validated(self, data: FieldData) -> tuple[float, float | None]:
        """The mean loss, and what the epochs are chosen by if that is something else: the AUC below 0, for less is better."""
        total, margins, labels = 0.0, [], []
        for number in range(data.n_blocks):
            rows = data.block(number)
            told = self.learner.margins(rows)
            total += float(losses_of(told, rows.labels, self.settings.loss).sum())
            if self.settings.stop_by == "auc":
                margins.append(told)
                labels.append(rows.labels.copy())
        score = -auc_of(np.concatenate(margins), np.concatenate(labels)) if margins else None
        return total / data.n_rows, score

    def _save(self, path: Path) -> None:
        held = {f"state/{name}": array for name, array in self.learner.state().items()}
        held |= {f"best/{name}": array for name, array in self.best.items()}
        about = {"kind": CHECKPOINT_KIND, "identity": self.identity, "history": [asdict(epoch) for epoch in self.history]}
        write_sealed(path, {name: torch.from_numpy(np.array(array)) for name, array in held.items()}, about)

    def _restore(self, path: Path) -> None:
        tensors, about = read_sealed(path, CHECKPOINT_KIND)
        if changed := differences(about["identity"], self.identity):
            raise InputError(
                f"a training goes on with its own data and settings, but {path} differs: {'; '.join(changed)}; "
                "restore them, or begin a new run"
            )
        self.learner.load_state(_below(tensors, "state/"))
        self.best = _below(tensors, "best/")
        self.history = [Epoch(**epoch) for epoch in about["history"]]


def base_margin(data: FieldData, loss: str) -> float:
    """What a model forecasts that knows the labels' mean alone: their log-odds, or with the squared loss the mean itself.

    To begin there leaves the first epochs to the fields. From 0 they go to the level, and an epoch that is chosen on validation
    data of another level would be the one that came by there.
    """
    mean = sum(float(data.block(number).labels.sum(dtype=np.float64)) for number in range(data.n_blocks)) / data.n_rows
    if loss == "squared":
        return mean
    rare = 0.5 / data.n_rows  # where all labels are alike, half a row is taken to be of the other kind
    return float(np.log(np.clip(mean, rare, 1 - rare) / np.clip(1 - mean, rare, 1 - rare)))


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> Weights:
    return {name.removeprefix(prefix): tensor.numpy() for name, tensor in tensors.items() if name.startswith(prefix)}


def _require_room_for_weights(fitted: FittedInteractions) -> None:
    """A description that is larger than its weights is refused before a model of its size is made."""
    held = max((array.size for array in fitted.arrays.values()), default=0)
    described = fitted.n_features * (1 if fitted.name == "lr" else fitted.settings.k_of(fitted.name))
    if described > held:
        raise InputError(f"it describes {described:,} weights, but its largest array has {held:,}")
