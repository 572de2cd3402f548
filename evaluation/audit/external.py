"""External series beside the candles: what of them is known when a bar closes, and whether they knew the market too early."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from common import InputError
from evaluation.audit.futures import REMOVED
from evaluation.audit.report import Tally
from market import Candles

External = Mapping[str, pd.Series | pd.DataFrame]
FEWEST = 10
"""values of a series, and bars between them, that a correlation is judged on"""
PLAIN, SIGMAS = 0.3, 4.0
"""a correlation with what the market does next that no honest series has, and that chance does not give"""


def checked_external(external: External | None) -> dict[str, pd.Series | pd.DataFrame] | None:
    """The series with UTC times, sorted.

    Raises:
        InputError: a series without times, or with a time twice.
    """
    if external is None:
        return None
    checked = {}
    for name, series in external.items():
        index = getattr(series, "index", None)
        if not isinstance(index, pd.DatetimeIndex):
            raise InputError(
                f"`external` needs series by the time at which each value is known, but {name!r} has no DatetimeIndex"
            )
        if index.has_duplicates:
            raise InputError(
                f"`external` needs one value a time, but {name!r} has {index[index.duplicated()][0]} twice; leave one out"
            )
        series = series.tz_localize("UTC") if index.tz is None else series.tz_convert("UTC")
        checked[name] = series.sort_index()
    return checked


def known_until(external: External, time: pd.Timestamp) -> dict[str, pd.Series | pd.DataFrame]:
    """The values that are known at that time."""
    return {name: series[series.index <= time] for name, series in external.items()}


def another_external(external: External, time: pd.Timestamp, kind: str, seed: int) -> dict[str, pd.Series | pd.DataFrame]:
    """The same values up to that time; after it none, or those of other times, scaled and turned around."""
    if kind == REMOVED:
        return known_until(external, time)
    rng, others = np.random.default_rng([seed, abs(hash(str(time))) % 2**31]), {}
    for name, series in external.items():
        other, late = series.copy(), np.flatnonzero(series.index > time)
        drawn = series.iloc[rng.integers(0, len(series), len(late))].to_numpy()
        other.iloc[late] = drawn * rng.choice([-2.0, 3.0]) if np.issubdtype(drawn.dtype, np.number) else drawn
        others[name] = other
    return others


def known_in_time(external: External, candles: Candles, tally: Tally) -> None:
    """No series moves with what the market does between its time and the next one: that would be stamped too early."""
    closes = pd.Series(np.log(candles.column("close")), index=candles.index + candles.bar)
    for name, series in external.items():
        for column, values in series.items() if isinstance(series, pd.DataFrame) else [("", series)]:
            tally.cases += 1
            _judge(f"{name}.{column}".rstrip("."), values.astype(float), closes, tally)


def _judge(name: str, values: pd.Series, closes: pd.Series, tally: Tally) -> None:
    values = values[(values.index >= closes.index[0]) & (values.index <= closes.index[-1])].dropna()
    if len(values) < FEWEST:
        tally.notes.append(f"{name} has {len(values)} values beside these candles, too few to judge when they were known")
        return
    price = closes.reindex(values.index, method="ffill").to_numpy()
    ahead = np.diff(price)  # between the time of each value and that of the next one
    for form, moves in (("its changes", np.diff(values.to_numpy())), ("its values", values.to_numpy()[1:])):
        after, before = _correlation(moves[:-1], ahead[1:]), _correlation(moves, ahead)
        if abs(after) > max(PLAIN, SIGMAS / np.sqrt(len(ahead))) and abs(after) > abs(before):
            detail = (
                f"{form} have a correlation of {after:.2f} with what the market does from their time to the next one "
                f"({before:.2f} with what it did before): they are stamped before they are known"
            )
            tally.found(name, detail)


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])
