"""Seconds of an epoch of the forecasters, by batch size and threads, against the article's batches of 8 on one thread.

    python -m benchmarks.forecasters

256 bars in, 16 out, as by default. Rounds of all rows are interleaved, so that a slow phase of the machine hits all. Smaller
batches make more steps an epoch, so the seconds say what an epoch costs, not what it is worth.
"""

import subprocess
import sys

import torch
from rich.console import Console
from rich.table import Table

from features.forecasters import ForecastSettings, Watch, fit_forecaster, training as training_module
from market import simulate

TRAIN_BARS = 2_320  # 2,049 windows
ROUNDS = 2
ARTICLE = (8, 1)
TRIED = [ARTICLE, (32, 1), (128, 1), (256, 1), (8, 2), (32, 2), (128, 2), (256, 2)]
MODELS = ("cnn", "lstm", "gru")
CONSOLE = Console(soft_wrap=True, highlight=False)
CANDLES = simulate("bitcoin", bars=TRAIN_BARS + 300, seed=0)


def main() -> None:
    """Print the table."""
    if "--without" in sys.argv:
        training_module.keep_freed_memory = lambda: None
        print(seconds("lstm", 128, 1))
        return
    best: dict[tuple[str, int, int], float] = {}
    for _ in range(ROUNDS):
        for model in MODELS:
            for batch, threads in TRIED:
                key = model, batch, threads
                best[key] = min(best.get(key, float("inf")), seconds(model, batch, threads))
    table = Table(title=f"seconds of an epoch of {TRAIN_BARS - 271:,} windows (times as fast as batches of 8 on one thread)")
    for heading in ("batch", "threads", *MODELS):
        table.add_column(heading, justify="right")
    for batch, threads in TRIED:
        cells = [best[model, batch, threads] for model in MODELS]
        shown = [f"{cell:.2f} ({best[(model, *ARTICLE)] / cell:.1f})" for model, cell in zip(MODELS, cells, strict=True)]
        table.add_row(f"{batch}", f"{threads}", *shown)
    CONSOLE.print(table)
    command = [sys.executable, "-m", "benchmarks.forecasters", "--without"]
    without = min(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(ROUNDS))
    kept = best["lstm", 128, 1]
    CONSOLE.print(
        f"lstm, batches of 128 on one thread, where freed memory is given back: {without:.2f} s, {without / kept:.1f} times"
    )


def seconds(model: str, batch: int, threads: int) -> float:
    """The faster of two epochs; the first one warms up."""
    settings = ForecastSettings(batch_size=batch, threads=threads, epochs=2)
    found: list[float] = []
    fit_forecaster(model, CANDLES[:TRAIN_BARS], CANDLES[TRAIN_BARS:], settings, Watch(lambda epoch: found.append(epoch.seconds)))
    return min(found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
