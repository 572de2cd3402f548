"""How near the simulated `bitcoin` market, without its planted edge, comes to real candles: a picture and a table.

    python -m benchmarks.calibration --file data/coinbase-btcusd-1h.csv

Simulated figures are medians over the seeds, as long as the file; the bands in the picture hold the middle 80 % of them.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from rich.console import Console
from rich.table import Table
from scipy.stats import kurtosis

from common import write_png
from market import Candles, read_candles, simulate

REAL, SIMULATED = "#222222", "#1769aa"
LAGS = np.unique(np.geomspace(1, 500, 40).astype(int))
SIZES = np.linspace(0, 9, 37)  # in standard deviations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, required=True, help="hourly candles to compare with")
    parser.add_argument("--out", type=Path, default=Path("docs/bitcoin-calibration.png"), help="the picture")
    parser.add_argument("--seeds", type=int, default=20, help="number of simulated markets")
    options = parser.parse_args()
    real = read_candles(options.file)
    simulated = [simulate("bitcoin", len(real), seed=seed, edge=0.0) for seed in range(options.seeds)]
    Console(width=100).print(table(real, simulated))
    draw(real, simulated, options.out)
    print(f"saved {options.out}")


def returns_of(candles: Candles) -> np.ndarray:
    """(T - 1,) log returns."""
    return np.diff(np.log(candles.column("close")))


def acf_of_size(candles: Candles, lags: np.ndarray) -> np.ndarray:
    """Autocorrelation of the absolute returns at each lag."""
    size = np.abs(returns_of(candles))
    size -= size.mean()
    return np.array([(size[lag:] * size[:-lag]).mean() for lag in lags]) / size.var()


def acf_of_size_at(lag: int, candles: Candles) -> float:
    return float(acf_of_size(candles, np.array([lag]))[0])


def volume_by_hour(candles: Candles) -> np.ndarray:
    """(24,) mean volume of each hour of the day in UTC, relative to the mean of all."""
    volume = candles.frame["volume"]
    return (volume.groupby(candles.index.hour).mean() / volume.mean()).to_numpy()


def tail(candles: Candles) -> np.ndarray:
    """Share of the bars that move by more than each of `SIZES`."""
    size = np.abs(returns_of(candles))
    return (size[:, None] > SIZES * returns_of(candles).std()).mean(axis=0)


FIGURES: dict[str, Callable[[Candles], float]] = {
    "standard deviation of hourly log returns": lambda candles: returns_of(candles).std(),
    "excess kurtosis": lambda candles: float(kurtosis(returns_of(candles))),
    "autocorrelation of returns, 1 bar": lambda candles: np.corrcoef(returns_of(candles)[1:], returns_of(candles)[:-1])[0, 1],
    **{f"autocorrelation of |returns|, {lag} bars": partial(acf_of_size_at, lag) for lag in (1, 6, 24, 72, 168)},
    "median |return| / standard deviation": lambda c: np.median(np.abs(returns_of(c))) / returns_of(c).std(),
    "99.9 % of |return| / standard deviation": lambda c: np.quantile(np.abs(returns_of(c)), 0.999) / returns_of(c).std(),
    "volume of the busiest hour / mean": lambda candles: volume_by_hour(candles).max(),
    "volume of the quietest hour / mean": lambda candles: volume_by_hour(candles).min(),
}


def table(real: Candles, simulated: Sequence[Candles]) -> Table:
    """Each figure: the real one, the median of the simulated ones and their range."""
    rows = Table(title=f"{len(real):,} hourly bars, {len(simulated)} seeds", title_justify="left")
    rows.add_column("figure")
    for heading in ("real", "simulated", "lowest", "highest"):
        rows.add_column(heading, justify="right")
    for name, figure in FIGURES.items():
        values = [figure(candles) for candles in simulated]
        numbers = (figure(real), np.median(values), min(values), max(values))
        rows.add_row(name, *(f"{number:.3g}" if abs(number) >= 1 else f"{number:.4f}" for number in numbers))
    return rows


def draw(real: Candles, simulated: Sequence[Candles], path: Path) -> None:
    """Four panels: returns, memory of their size, volume by hour, price."""
    figure = Figure(figsize=(11, 7.4), dpi=85, layout="constrained")
    figure.suptitle("The simulated bitcoin market (edge 0) beside real hourly candles", x=0.01, ha="left", fontsize=13)
    panels = figure.subplots(2, 2)
    compare(panels[0, 0], SIZES, tail(real), [tail(candles) for candles in simulated])
    panels[0, 0].set(yscale="log", ylim=(1e-4, 1.5), xlabel="standard deviations", title="share of bars that move by more than")
    panels[0, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    panels[0, 0].yaxis.set_minor_locator(NullLocator())
    panels[0, 0].legend(frameon=False, loc="upper right", fontsize=9)

    compare(panels[0, 1], LAGS, acf_of_size(real, LAGS), [acf_of_size(candles, LAGS) for candles in simulated])
    panels[0, 1].axhline(0, color="#bbbbbb", linewidth=0.8)
    panels[0, 1].set(xscale="log", xlabel="lag, hours", title="autocorrelation of absolute returns")
    panels[0, 1].set_xticks([1, 6, 24, 72, 168, 500], ["1", "6", "24", "72", "168", "500"])
    panels[0, 1].xaxis.set_minor_locator(NullLocator())

    compare(panels[1, 0], np.arange(24), volume_by_hour(real), [volume_by_hour(candles) for candles in simulated])
    panels[1, 0].set(xlabel="hour of the day, UTC", title="volume, relative to its mean", ylim=(0, None))
    panels[1, 0].set_xticks(range(0, 24, 3))
    sample_paths(panels[1, 1], real, simulated[:3])
    for axes in panels.flat:
        axes.title.set(fontsize=11, ha="left")
        axes.title.set_position((0, 1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#ececec", linewidth=0.6)
        axes.set_axisbelow(True)
    write_png(figure, path)


def compare(axes: Axes, x: np.ndarray, real: np.ndarray, simulated: list[np.ndarray]) -> None:
    """The real curve over the simulated ones' median and the band that holds their middle 80 %."""
    low, middle, high = np.quantile(simulated, [0.1, 0.5, 0.9], axis=0)
    axes.fill_between(x, low, high, color=SIMULATED, alpha=0.18, linewidth=0, label="middle 80 % of the seeds")
    axes.plot(x, middle, color=SIMULATED, linewidth=1.6, label="simulated, median of the seeds")
    axes.plot(x, real, color=REAL, linewidth=1.2, marker="o", markersize=2.6, label="real")


def sample_paths(axes: Axes, real: Candles, simulated: Sequence[Candles]) -> None:
    """Closes relative to the first, every 24th bar."""
    days = np.arange(0, len(real), 24) / 24
    for number, candles in enumerate(simulated):
        close = candles.column("close")[::24]
        axes.plot(days, close / close[0], color=SIMULATED, linewidth=0.8, alpha=1 - 0.28 * number, label=f"seed {number}")
    close = real.column("close")[::24]
    axes.plot(days, close / close[0], color=REAL, linewidth=1.0, label="real")
    axes.set(yscale="log", xlabel="days", title="price, relative to the first")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=False, loc="upper right", ncols=2, fontsize=9)
    axes.margins(y=0.22)


if __name__ == "__main__":
    main()
