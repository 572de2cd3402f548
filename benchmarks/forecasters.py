"""What larger batches are worth to the forecasters: seconds of an epoch, and seconds to the validation loss of batches of 8.

    python -m benchmarks.forecasters                      some minutes; --keep keeps the figures that the pages quote
    python -m benchmarks.forecasters --only gru --keep    one model, and leave the figures of the others

256 bars in, 16 out, on simulated Bitcoin, all settings but the batch as by default, on one thread of one core. An epoch on large
batches is quick, but makes fewer steps, so it learns less. Hence the second measure: the lowest validation loss that batches of 8
reach in 4 epochs is the goal, and each batch size has 20 epochs to reach it. Seconds are the processor's and hold the validation.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from features.forecasters import Epoch, ForecastSettings, Watch, fit_forecaster, training as training_module
from market import simulate

TRAIN_BARS, VALIDATION_BARS = 2_320, 680  # 2,049 and 409 windows
SMALL, BATCHES, MODELS = 8, (8, 32, 128, 256), ("cnn", "lstm", "gru")
SMALL_EPOCHS, EPOCHS, SEEDS = 4, 20, range(3)
CONSOLE = Console(width=120, highlight=False)
CANDLES = simulate("bitcoin", bars=TRAIN_BARS + VALIDATION_BARS, seed=0)


class Curve(NamedTuple):
    """Of one training, epoch by epoch: processor seconds since its start, and validation losses."""

    seconds: list[float]
    losses: list[float]

    @property
    def epochs(self) -> list[float]:
        """Seconds of each epoch but the first, which warms up."""
        return list(np.diff(self.seconds))

    def until(self, loss: float) -> float:
        """Seconds until the validation loss is as low; infinite if it never is."""
        return next((second for second, reached in zip(self.seconds, self.losses, strict=True) if reached <= loss), float("inf"))


class Reached(Exception):
    """The validation loss is low enough."""


def main() -> None:
    """Print the tables."""
    parser = parts.parser_of(__doc__, MODELS)
    parser.add_argument("--without", action="store_true", help="seconds of an epoch of the lstm where freed memory is given back")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.without:
        training_module.keep_freed_memory = lambda: None
        print(np.median(train("lstm", 128, 0, 0.0, epochs=4).epochs))
        return
    parts.run("forecasters", {model: partial(measured, model) for model in MODELS}, options)


def measured(model: str) -> dict[str, float]:
    """The rows of one model, printed and as figures by name."""
    train(model, SMALL, 0, 0.0, epochs=1)  # warms up
    curves: dict[int, list[Curve]] = {batch: [] for batch in BATCHES}
    goals = []
    for seed in SEEDS:
        curves[SMALL].append(train(model, SMALL, seed, 0.0, SMALL_EPOCHS))
        goals.append(min(curves[SMALL][-1].losses))
        for batch in BATCHES[1:]:
            curves[batch].append(train(model, batch, seed, goals[-1], EPOCHS))
    epoch = {batch: float(np.median([second for curve in curves[batch] for second in curve.epochs])) for batch in BATCHES}
    until = {batch: [curve.until(goal) for curve, goal in zip(curves[batch], goals, strict=True)] for batch in BATCHES}
    found = rows_of(model, epoch, until)
    if model == "lstm":
        command = [sys.executable, "-m", "benchmarks.forecasters", "--without"]
        without = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        times = found["lstm_given_back_times"] = without / epoch[128]
        words = f"{without:.2f} s an epoch, {times:.1f} times as long"
        CONSOLE.print(f"lstm, batches of 128, where freed memory is given back: {words}")
    return found


def rows_of(model: str, epoch: Mapping[int, float], until: Mapping[int, list[float]]) -> dict[str, float]:
    """Print the table of one model.

    Args:
        model: of `MODELS`.
        epoch: by batch size, seconds of an epoch.
        until: by batch size and seed, seconds to the loss of batches of 8.
    """
    found: dict[str, float] = {}
    title = f"{model}: processor seconds (times as fast as batches of {SMALL})"
    table = Table(title=title, title_justify="left")
    for heading in ("batch", "of an epoch", "to the same loss, median", "by seed"):
        table.add_column(heading, justify="right")
    for batch in BATCHES:
        median = float(np.median(until[batch]))
        own = {"epoch": epoch[batch], "epoch_times": epoch[SMALL] / epoch[batch], "loss": median}
        own["loss_times"] = float(np.median(until[SMALL])) / median
        reached = f"{median:.2f} ({own['loss_times']:.2f})" if np.isfinite(median) else f"not in {EPOCHS} epochs"
        by_seed = ", ".join(f"{second:.2f}" if np.isfinite(second) else "not" for second in until[batch])
        table.add_row(f"{batch}", f"{epoch[batch]:.2f} ({own['epoch_times']:.1f})", reached, by_seed)
        own = {name: value for name, value in own.items() if batch != SMALL or "times" not in name}
        found |= {f"{model}_{batch}_{name}": value for name, value in own.items() if np.isfinite(median) or "loss" not in name}
        found |= {f"{model}_{batch}_reached": sum(np.isfinite(until[batch]))} if batch != SMALL else {}
    CONSOLE.print(table)
    return found


def train(model: str, batch: int, seed: int, goal: float, epochs: int) -> Curve:
    """Train until the validation loss is as low as the goal, or for so many epochs.

    Args:
        model: of `MODELS`.
        batch: windows of an update.
        seed: of weights, order and dropout.
        goal: a validation loss; 0 is never reached.
        epochs: at most.
    """
    settings = ForecastSettings(batch_size=batch, threads=1, epochs=epochs, patience=epochs, seed=seed)
    curve, begin = Curve([], []), time.process_time()

    def watch(epoch: Epoch) -> None:
        curve.seconds.append(time.process_time() - begin)
        curve.losses.append(epoch.validation_loss)
        if epoch.validation_loss <= goal and epoch.number > 1:  # two epochs at least, so that one can be timed
            raise Reached

    with contextlib.suppress(Reached):
        fit_forecaster(model, CANDLES[:TRAIN_BARS], CANDLES[TRAIN_BARS:], settings, Watch(watch))
    return curve


if __name__ == "__main__":
    main()
