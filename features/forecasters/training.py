"""Trains one network: Adam on the squared error, the weights of the best validation epoch, to the bit from any checkpoint on."""

import contextlib
import ctypes
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import InputError, differences, read_sealed, write_sealed
from features.epochs import Epoch as Epoch, Watch as Watch
from features.forecasters.networks import Network, build_network, initialise, penalty
from features.forecasters.scaling import Estimates, Scaling, fit_scaling, inputs, raw_targets, scaled_targets, windows_of
from features.forecasters.settings import ForecastSettings
from market import Candles

KIND = "forecaster checkpoint"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
OF_RISES = ("rise_bps", "fields", "field_bins", "interactions")
"""settings of those that forecast a rise, which decide nothing of the others"""
BLOCK = 256
"""windows that a network is given at once outside training, always: with one shape, a row's bits do not depend on the others'"""


class Samples:
    """The windows of one range.

    Attributes:
        targets: float32 (M, K), scaled.
    """

    def __init__(self, candles: Candles, settings: ForecastSettings, scaling: Scaling, sliding: bool) -> None:
        self._candles, self._settings, self._scaling = candles, settings, scaling
        self._windows = windows_of(candles, settings, sliding)
        targets = scaled_targets(raw_targets(candles, self._windows, settings), scaling)
        self.targets = torch.tensor(targets, dtype=torch.float32)

    def __len__(self) -> int:
        return len(self._windows)

    def rows(self, which: slice | np.ndarray) -> torch.Tensor:
        """float32 (m, N, C), in torch's own memory: the last bit of a product can depend on the alignment of its input."""
        return torch.tensor(inputs(self._candles, self._windows, which, self._settings, self._scaling))


class NetworkTraining:
    """One training, epoch by epoch.

    Args:
        name: of `NETWORKS`.
        train: the candles that everything is estimated on.
        validation: the candles whose loss chooses the epoch; they share no bar with train.
        settings: of the network and its training.
    """

    def __init__(self, name: str, train: Candles, validation: Candles, settings: ForecastSettings) -> None:
        self.name, self.settings = name, settings
        self.scaling = fit_scaling(train, settings)
        self.train = Samples(train, settings, self.scaling, settings.windows == "sliding")
        self.validation = Samples(validation, settings, self.scaling, sliding=True)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.network = build_network(name, settings)
        initialise(self.network, self.generator)
        self.network.low.copy_(torch.tensor(self.scaling.target_low))
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.learning_rate, fused=True)
        self.history: list[Epoch] = []
        self.best_weights: dict[str, torch.Tensor] = {}
        self.identity = {"forecaster": name, "settings": decisive(settings), "data": [_hash(train), _hash(validation)]}

    def run(self, watch: Watch) -> Estimates:
        """Train to the end, from the watch's checkpoint on if there is one; weights and scaling."""
        keep_freed_memory()
        if watch.checkpoint and watch.checkpoint.exists():
            self._restore(watch.checkpoint)
        for epoch in self.history:
            watch.on_epoch(epoch)
        while not self.finished:
            self.history.append(self._epoch())
            if watch.checkpoint:
                self._save(watch.checkpoint)
            watch.on_epoch(self.history[-1])
        weights = {f"weights/{name}": weight.numpy().copy() for name, weight in self.best_weights.items()}
        return weights | self.scaling.arrays

    @property
    def finished(self) -> bool:
        if not self.history:
            return False
        best = max(epoch.number for epoch in self.history if epoch.best)
        return len(self.history) >= self.settings.epochs or len(self.history) - best >= self.settings.patience

    def _epoch(self) -> Epoch:
        began, total = time.perf_counter(), 0.0
        order = torch.randperm(len(self.train), generator=self.generator)
        batches = order.split(self.settings.batch_size)
        for batch in batches:
            total += self._update(batch)
        loss = total / len(order)
        validation_loss = self._validation_loss()
        if not np.isfinite(loss) or not np.isfinite(validation_loss):
            raise InputError(
                f"the loss of {self.name} must stay finite, but is {loss} after {len(self.history) + 1} epochs "
                f"({validation_loss} on validation); lower the learning rate or the penalty"
            )
        best = all(validation_loss < epoch.validation_loss for epoch in self.history)
        if best:
            self.best_weights = {name: weight.detach().clone() for name, weight in self.network.state_dict().items()}
        return Epoch(len(self.history) + 1, loss, validation_loss, best, time.perf_counter() - began)

    def _update(self, batch: torch.Tensor) -> float:
        """One step of Adam; the batch's sum of losses."""
        outputs, hidden = self.network(self.train.rows(batch.numpy()), self.generator)
        loss = torch.nn.functional.mse_loss(outputs, self.train.targets[batch])
        self.optimizer.zero_grad()
        punished = loss + penalty(self.network, hidden) if self.settings.l1 or self.settings.l2 else loss
        punished.backward()
        self.optimizer.step()
        return float(loss.detach()) * len(batch)

    def _validation_loss(self) -> float:
        outputs = evaluate(self.network, self.validation.rows, len(self.validation))
        return float(np.mean((outputs.astype(np.float64) - self.validation.targets.numpy()) ** 2))

    def _save(self, path: Path) -> None:
        tensors = {f"network/{name}": weight for name, weight in self.network.state_dict().items()}
        tensors |= {f"best/{name}": weight for name, weight in self.best_weights.items()}
        for place, held in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{place}/{name}": value for name, value in held.items()}
        tensors["generator"] = self.generator.get_state()
        history = [asdict(epoch) for epoch in self.history]
        write_sealed(path, tensors, {"kind": KIND, "identity": self.identity, "history": history})

    def _restore(self, path: Path) -> None:
        tensors, about = read_sealed(path, KIND)
        if changed := differences(about["identity"], self.identity):
            raise InputError(
                f"a training goes on with its own data and settings, but {path} differs: {'; '.join(changed)}; "
                "restore them, or begin a new run"
            )
        self.network.load_state_dict(_below(tensors, "network/"))
        self.best_weights = _below(tensors, "best/")
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _below(tensors, "optimizer/").items():
            place, entry = name.split("/")
            state.setdefault(int(place), {})[entry] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.generator.set_state(tensors["generator"])
        self.history = [Epoch(**epoch) for epoch in about["history"]]


def evaluate(network: Network, rows: Callable[[slice], torch.Tensor], count: int) -> np.ndarray:
    """float32 (count, K): outputs without dropout, in blocks of one shape, the last one filled up with zeros."""
    outputs = np.empty((count, network.settings.future_bars), np.float32)
    with torch.inference_mode():
        for first in range(0, count, BLOCK):
            part = rows(slice(first, min(first + BLOCK, count)))
            block = torch.zeros((BLOCK, *part.shape[1:]))
            block[: len(part)] = part
            outputs[first : first + len(part)] = network(block)[0][: len(part)].numpy()
    return outputs


def keep_freed_memory() -> None:
    """Have the C library keep what is freed at hand for this process: large batches are otherwise mapped anew at each step.

    An epoch of an LSTM on batches of 64 or more takes 1.6 times as long without it. Only glibc has the switch; its values are
    those of malloc.h.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads of torch within, as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def decisive(settings: ForecastSettings) -> dict[str, Any]:
    """The settings that decide the weights of one network of prices, as JSON values."""
    return settings.model_dump(mode="json", exclude={"models", "first_fit_bars", "refit_bars", "ensemble", *OF_RISES})


def _hash(candles: Candles) -> str:
    """Of the prices, and of the bars that a repair filled in, from which no window is cut."""
    filled = b"" if candles.filled is None else np.packbits(candles.filled).tobytes()
    return hashlib.sha256(candles.sha256.encode() + filled).hexdigest()


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
