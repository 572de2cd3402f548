"""How far each figure of a backtest could have come out otherwise: intervals by the stationary bootstrap over its bars."""

import math

import numpy as np
from numba import njit

from common import cached
from evaluation.episode import Episode
from evaluation.statistics.average_cost import round_trips
from evaluation.statistics.bootstrap import block_length
from evaluation.statistics.figures_of_merit import FIGURES, metrics

Interval = tuple[float, float]

LEVEL = 0.95
N_FIGURES = len(FIGURES)
BARS = np.dtype(
    [
        ("change", np.float64),  # simple return of the net worth
        ("exposure", np.float64),  # size of the position at the close, as a share of the net worth
        ("traded", np.float64),  # value of the fills, as a share of the net worth before the bar
        ("fees", np.float64),  # the same of their fees
        ("fills", np.float64),
        ("closes", np.float64),  # round trips that ended
        ("wins", np.float64),  # those above 0
    ]
)
"""One bar: all that a figure is made of."""


def intervals(episode: Episode, draws: int = 2_000, seed: int = 0) -> dict[str, Interval | None]:
    """95 % percentile interval of each of `FIGURES`: what it would have come to on ranges made of the same stretches of bars.

    Returns, positions, fills, fees and round trips of a bar are drawn together, in blocks as long as the one among returns,
    their squares and positions with the longest memory needs (`block_length`). Draws in which a figure is undefined are left
    out. None where the episode's own figure is undefined, or hardly a draw has it.

    The interval is of luck in the order and the choice of the bars. That the next year may be another kind of year, or that the
    episode was picked among many, is not in it.
    """
    bars = _bars_of(episode)
    memory = max(block_length(series) for series in (bars["change"], bars["change"] ** 2, bars["exposure"]))
    start = float(episode.table["net_worth"].iloc[0])
    stays = math.log1p(-1 / memory) if memory > 1 else 0.0
    drawn = _resampled_figures(bars, stays, draws, episode.bars_per_year, start, np.random.default_rng(seed))
    own = metrics(episode)
    return {name: None if own[name] is None else _interval(drawn[:, column]) for column, name in enumerate(FIGURES)}


def _interval(values: np.ndarray) -> Interval | None:
    """Its middle 95 %, of the draws where it is defined."""
    defined = values[np.isfinite(values)]
    if len(defined) < len(values) / 2:
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _bars_of(episode: Episode) -> np.ndarray:
    """BARS (T,): row k is the k-th bar after the start."""
    worth, fees = episode.table["net_worth"].to_numpy(), episode.table["fees"].to_numpy()
    trips = round_trips(episode)
    won = trips["exit"][trips["return"] > 0]
    bars = np.zeros(len(worth) - 1, BARS)
    bars["change"] = worth[1:] / worth[:-1] - 1
    bars["exposure"] = episode.table["position"].abs().to_numpy()[1:]
    bars["traded"] = _at(episode, episode.trades["time"], episode.trades["value"].to_numpy(np.float64)) / worth[:-1]
    bars["fees"] = np.diff(fees) / worth[:-1]
    bars["fills"] = _at(episode, episode.trades["time"])
    bars["closes"], bars["wins"] = _at(episode, trips["exit"]), _at(episode, won)
    return bars


def _at(episode: Episode, times, amounts: np.ndarray | None = None) -> np.ndarray:  # type: ignore[no-untyped-def]
    """float64 (T,): how often, or how much, something happened in each bar after the start."""
    table = episode.table
    return np.bincount(table.index.searchsorted(times), amounts, len(table)).astype(np.float64)[1:]


@cached(njit)
def _resampled_figures(
    bars: np.ndarray, stays: float, draws: int, bars_per_year: float, start: float, rng: np.random.Generator
) -> np.ndarray:
    """float64 (draws, N_FIGURES), NaN or inf where a figure is undefined: each draw is a range as long as the episode.

    Args:
        stays: log of the chance that a block goes on for another bar; 0 stands for none, blocks of one bar.
    """
    rows = len(bars)
    out = np.empty((draws, N_FIGURES))
    path = np.empty(rows, np.int64)
    for draw in range(draws):
        row = 0
        while row < rows:
            place = int(rng.random() * rows)
            length = 1 + int(min(math.log(1.0 - rng.random()) / stays, rows)) if stays < 0.0 else 1  # geometric
            for step in range(min(length, rows - row)):
                path[row] = (place + step) % rows
                row += 1
        _figures(bars, path, bars_per_year, start, out[draw])
    return out


@cached(njit, error_model="numpy")
def _figures(bars: np.ndarray, path: np.ndarray, bars_per_year: float, start: float, out: np.ndarray) -> None:
    """The figures, in the order of `FIGURES`, of the bars in the order of `path`. A debt stays what it is, as an episode ends."""
    n = len(path)
    total = squares = downs = ups = losses = exposure = fills = closes = wins = 0.0
    worth, peak, lowest, deepest = start, start, start, 0.0
    worths, value, fees = start, 0.0, 0.0
    peak_at, longest = 0, 0
    for row in range(n):
        bar = bars[path[row]]
        change = bar.change
        total += change
        squares += change * change
        if change < 0.0:
            losses -= change
            downs += change * change
        else:
            ups += change
        exposure += bar.exposure
        fills += bar.fills
        closes += bar.closes
        wins += bar.wins
        if worth > 0.0:
            value += bar.traded * worth
            fees += bar.fees * worth
            worth *= 1.0 + change
        worths += worth
        if worth >= peak:
            longest = max(longest, row + 1 - peak_at) if row + 1 - peak_at > 1 else longest
            peak, peak_at = worth, row + 1
            lowest = worth
        elif worth < lowest:
            lowest = worth
            deepest = min(deepest, worth / peak - 1.0)
    mean = total / n
    variance = max(squares - n * mean * mean, 0.0) / (n - 1)
    spread = math.sqrt(variance) if variance > 1e-12 * squares / n else 0.0  # below lies rounding, not spread
    growth = worth / start
    annual = growth ** (bars_per_year / n) - 1.0 if growth > 0.0 else -1.0
    out[0] = growth - 1.0
    out[1] = annual
    out[2] = spread * math.sqrt(bars_per_year)
    out[3] = mean / spread * math.sqrt(bars_per_year)
    out[4] = mean / math.sqrt(downs / n) * math.sqrt(bars_per_year)
    out[5] = annual / -deepest if growth > 0.0 else math.nan
    out[6] = ups / losses
    out[7] = deepest
    out[8] = max(longest, n - peak_at)
    out[9] = exposure / n
    out[10] = value / (worths / (n + 1)) * bars_per_year / n
    out[11] = fills
    out[12] = wins / closes
    out[13] = fees
