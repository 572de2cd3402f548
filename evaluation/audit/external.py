"""External series beside the candles: what of them is known when a bar closes, and whether they knew the market too early."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from common import InputError
from evaluation.audit.futures import REMOVED
from evaluation.audit.report import Tally
from market import Candles

External = Mapping[str, pd.Series | pd.DataFrame]
FEWEST = 10
"""values of a series, and bars between them, that a correlation is judged on"""
FAINT = 0.15
"""a correlation with what the market does next that no honest series has"""
SIGMAS = {"its changes": 4.0, "its values": 6.0}
"""what chance does not give; a level that moves slowly correlates by chance with what follows, and more so in short series"""
SILENT, SILENT_SIGMAS = 1 / 3, 2.5
"""of that: less than this a series knows of what the market did before, if it is stamped early; or no more than by chance"""
PLAIN, WHITE = 0.5, 3.0
"""a correlation that a few wild bars do not make; of a smaller one, standard errors that allow for such bars"""
BUSY, BUSIER = 0.6, 0.2
"""the same of a series' changes with those of volume or volatility, and how much more that must be than with those before; both
come in waves, so an honest series knows half of the next one"""


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


def extra_series(candles: Candles, pipeline: Any) -> dict[str, pd.Series]:
    """The extra columns of the candles that the pipeline may use, by the time at which their bars close."""
    if candles.extra is None:
        return {}
    settings = getattr(pipeline, "settings", None)
    used = getattr(settings, "extra", candles.extra.columns) if settings is not None else candles.extra.columns
    names = {str(item).partition(":")[0] for item in used}
    return {str(name): values.set_axis(candles.ends).dropna() for name, values in candles.extra.items() if str(name) in names}


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
    for name, series in external.items():
        for column, values in series.items() if isinstance(series, pd.DataFrame) else [("", series)]:
            tally.cases += 1
            stamped_early(f"{name}.{column}".rstrip("."), values.astype(float), candles, tally)


def stamped_early(name: str, values: pd.Series, candles: Candles, tally: Tally) -> bool:
    """A finding if the series knows what price, volume or volatility do after its times; whether it is one."""
    closing = candles.ends
    values = values[(values.index >= closing[0]) & (values.index <= closing[-1])].dropna()
    if len(values) < FEWEST:
        tally.notes.append(f"{name} has {len(values)} values beside these candles, too few to judge when they were known")
        return False
    changes = np.diff(values.to_numpy())
    ahead = _between(np.log(candles.column("close")), closing, values.index)
    root = float(np.sqrt(len(ahead)))
    for form, moves in (("its changes", changes), ("its values", values.to_numpy()[1:])):
        after, before = _correlation(moves[:-1], ahead[1:]), _correlation(moves, ahead)
        knows = abs(after) > max(FAINT, SIGMAS[form] / root)
        silent = abs(before) < max(SILENT * abs(after), SILENT_SIGMAS / root)
        if knows and silent and not _by_chance(moves[:-1], ahead[1:]):
            tally.found(name, _in_words(form, after, "what the market does", before))
            return True
    for what, activity in _activities(candles).items():
        busy = np.diff(_between(np.cumsum(activity), closing, values.index))
        after, before = _correlation(_ranks(changes[1:-1]), _ranks(busy[1:])), _correlation(_ranks(changes[1:]), _ranks(busy))
        if abs(after) > max(BUSY, SIGMAS["its changes"] / root) and abs(after) > abs(before) + BUSIER:
            tally.found(name, _in_words("its changes", after, f"those of the {what}", before))
            return True
    return False


def _by_chance(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether a small correlation may come from a few bars at which both are wild (White's standard error)."""
    if abs(_correlation(one, two)) > PLAIN:
        return False
    products = (one - one.mean()) * (two - two.mean())
    return abs(products.sum()) < WHITE * np.sqrt((products**2).sum())


def _activities(candles: Candles) -> dict[str, np.ndarray]:
    """float64 (T,) each: what a bar adds."""
    moved = np.abs(np.log(candles.column("close") / candles.column("open")))
    return {"volume": candles.column("volume"), "volatility": moved}


def _between(path: np.ndarray, times: pd.DatetimeIndex, stamps: pd.Index) -> np.ndarray:
    """float64 (K - 1,): how far the path goes between neighbouring stamps."""
    return np.diff(pd.Series(path, index=times).reindex(stamps, method="ffill").to_numpy())


def _in_words(form: str, after: float, what: str, before: float) -> str:
    return (
        f"{form} have a correlation of {after:.2f} with {what} from their time to the next one ({before:.2f} before): "
        "they are stamped before they are known"
    )


def _ranks(values: np.ndarray) -> np.ndarray:
    return pd.Series(values).rank().to_numpy()


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])
