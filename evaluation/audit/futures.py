"""Other futures for the same past, and the bars after which a leak audit puts them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from common import InputError
from market import Candles

LEVELS = {"another market": 1.0, "a thousandfold": 1e3, "a thousandth": 1e-3}
"""random candles at the level of the last known close, far above and far below it: what clipping hides at one shows at another"""
REMOVED = "removed"
KINDS = (*LEVELS, REMOVED)
PRICES = ["open", "high", "low", "close"]
CALENDAR_CYCLE = pd.Timedelta(days=28 * 365 + 7)
EARLY_BARS = 40
"""cuts right behind the first row, where a filled-in warm-up shows"""
BUSY_CUTS = 24
"""for each of the `cuts`, so many neighbouring bars of the busiest stretch are cuts, too: seven days of hours at seven"""


class Cut(NamedTuple):
    """Candles after bar `bar` of candles `start` to `stop` are to be replaced."""

    start: int
    stop: int
    bar: int
    kind: str


def another_future(candles: Candles, bar: int, kind: str, seed: int) -> Candles:
    """The same bars up to and with `bar`; after it random ones of that level, or none. Plain candles, whatever came in.

    The random bars gap, have wicks, and now and then no volume, so that no two columns tell the same.

    Args:
        bar: the last bar that stays, from 0.
        kind: one of `KINDS`.
    """
    known = candles.frame.iloc[: bar + 1]
    if kind == REMOVED:
        return like(candles, known, bar + 1)
    rng = np.random.default_rng([seed, bar, KINDS.index(kind)])
    drawn = _random_bars(known, len(candles) - bar - 1, LEVELS[kind], rng)
    whole = pd.concat([known, drawn.set_index(candles.index[bar + 1 :])]).rename_axis("time")
    return like(candles, whole, bar + 1, rng)


def plain(candles: Candles) -> Candles:
    """The bars alone: simulated candles also carry the truth behind them."""
    return like(candles, candles.frame, len(candles))


def years_later(candles: Candles) -> Candles:
    """The same bars 28 years later, when the same dates fall on the same weekdays."""
    frame = candles.frame.set_axis(candles.index + CALENDAR_CYCLE).rename_axis("time")
    return like(candles, frame, len(candles))


def whole_cuts(candles: Candles, first: int, train_bars: int, count: int, seed: int) -> list[Cut]:
    """`count` cuts of the whole series in each kind: the end of train, the last bars, the busiest bar, then random ones.

    Args:
        first: the first bar that has a row of features.
    """
    total = len(candles)
    rng = np.random.default_rng([seed, total])
    wanted = [train_bars - 1, total - 2, busiest_bar(candles, first) - 1, (train_bars + total) // 2]
    wanted += rng.integers(first, total - 1, 4 * count).tolist()
    bars = list(dict.fromkeys(bar for bar in wanted if first <= bar < total - 1))[:count]
    return [Cut(0, total, bar, kind) for bar in bars for kind in KINDS]


def dense_cuts(candles: Candles, first: int, count: int) -> list[Cut]:
    """Every bar in turn, on short stretches: the first rows of all, and `BUSY_CUTS * count` bars around the busiest one.

    A leak that comes and goes with the hour, or with what the market does, lies between a few cuts of the whole series; these
    leave no bar between them.
    """
    total = len(candles)
    head = min(total, first + 2 * EARLY_BARS)
    cuts = [Cut(0, head, first + k, _in_turn(k)) for k in range(min(EARLY_BARS, head - first - 1))]
    width = min(BUSY_CUTS * count, total - first - 2)
    last = min(busiest_bar(candles, first) + width // 2, total - 2)  # of the cuts
    begin = max(last - width + 1, first)
    cuts += [Cut(begin - first, last + 2, bar, _in_turn(bar)) for bar in range(begin, last + 1)]
    return cuts


def busiest_bar(candles: Candles, first: int) -> int:
    """The bar of the largest move of the close, after `first`."""
    moves = np.abs(np.diff(np.log(candles.column("close"))))
    return first + 1 + int(np.argmax(moves[first:]))


def require_room(candles: Candles, train_bars: int, cuts: int, seed: int) -> None:
    """Raise `InputError` if the audit cannot be made on these candles, with that many cuts, from that seed."""
    if cuts < 1:
        raise InputError(f"an audit needs 1 cut or more, but got {cuts}; raise it")
    if seed < 0:
        raise InputError(f"an audit needs `seed >= 0`, but got {seed}; take another number")
    if not 50 <= train_bars <= len(candles) - 50:
        raise InputError(
            f"an audit needs 50 bars of train and 50 after it, but train is {train_bars} of {len(candles)} bars; "
            "give more candles"
        )


def _in_turn(bar: int) -> str:
    """Replaced and removed by turns, and the other way round the next day."""
    return ("another market", REMOVED)[(bar + bar // 24) % 2]


def _random_bars(known: pd.DataFrame, bars: int, level: float, rng: np.random.Generator) -> pd.DataFrame:
    volatility = min(_volatility(known["close"]), 3 / np.sqrt(max(bars, 1)))  # a walk that stays in sight of its level
    moves = rng.normal(0, volatility, bars)
    gaps = rng.normal(0, volatility / 4, bars)
    close = level * known["close"].iloc[-1] * np.exp(np.cumsum(moves + gaps))
    opened = close * np.exp(-moves)
    volume = rng.choice(known["volume"].to_numpy()[-1000:], bars) * rng.lognormal(0, 0.5, bars) * level
    volume *= rng.random(bars) > 0.02
    columns = {
        "open": opened,
        "high": np.maximum(opened, close) * np.exp(rng.exponential(volatility / 2, bars)),
        "low": np.minimum(opened, close) * np.exp(-rng.exponential(volatility / 2, bars)),
        "close": close,
        "volume": volume,
        "quote_volume": volume * close * rng.uniform(0.99, 1.01, bars),
    }
    return pd.DataFrame(columns)


def _volatility(close: pd.Series) -> float:
    """Of the log returns of the last 1,000 bars; 1 % where nothing moves."""
    spread = float(np.std(np.diff(np.log(close.to_numpy()[-1000:])))) if len(close) > 2 else 0.0
    return spread or 0.01


def like(candles: Candles, frame: pd.DataFrame, known: int, rng: np.random.Generator | None = None) -> Candles:
    """Candles of the frame, whose first `known` bars are still those of the source; extra columns after them are drawn."""
    filled = candles.filled
    if filled is not None:
        filled = (filled & (np.arange(len(candles)) < known))[: len(frame)]
    extra = candles.extra if candles.extra is None else _extra(candles.extra.iloc[: len(frame)].set_axis(frame.index), known, rng)
    return Candles(frame, candles.bar, candles.symbol, candles.source, filled, extra)


def _extra(extra: pd.DataFrame, known: int, rng: np.random.Generator | None) -> pd.DataFrame:
    """The known rows, then rows of other bars, each value larger or smaller: nothing that follows is what it was."""
    if rng is None or known >= len(extra):
        return extra
    late = extra.iloc[rng.integers(0, len(extra), len(extra) - known)].to_numpy()
    drawn = late * rng.lognormal(0, 0.5, late.shape) + rng.normal(0, 1e-6, late.shape) * (late == 0)
    return pd.concat([extra.iloc[:known], pd.DataFrame(drawn, extra.index[known:], extra.columns)])
