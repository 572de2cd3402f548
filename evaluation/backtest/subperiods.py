"""A backtest cut into stretches of time: calendar months, and windows of one length."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from evaluation.backtest.names import AGENT, BUY_AND_HOLD
from evaluation.episode import RUIN, Episode


def monthly_returns(episodes: Mapping[str, Episode]) -> pd.DataFrame:
    """What each made in each calendar month, UTC.

    Returns:
        float64, a row a month such as "2019-02", a column a strategy; NaN in the months after one has ended in debt. The first
        and the last month may be parts of one.
    """
    return pd.DataFrame({name: _monthly(episode.table["net_worth"]) for name, episode in episodes.items()})


def windows(episodes: Mapping[str, Episode], n: int = 4) -> pd.DataFrame:
    """Does the outcome hold all over the range, or did one stretch make it?

    Returns:
        A row for each of n stretches of one length: `first` and `last` (open times of their bars), `agent` and `buy and hold`
        (log growth; a debt counts as a billionth of the start).
    """
    whole = episodes[BUY_AND_HOLD].table.index
    edges = np.linspace(0, len(whole) - 1, n + 1).astype(int)
    return growths({name: episodes[name] for name in (AGENT, BUY_AND_HOLD)}, edges)


def growths(episodes: Mapping[str, Episode], edges: np.ndarray) -> pd.DataFrame:
    """The same for windows that begin after the bars `edges[:-1]` and end with the bars `edges[1:]`, of the longest episode."""
    index = max((episode.table.index for episode in episodes.values()), key=len)
    columns: dict[str, object] = {"first": index[np.minimum(edges[:-1] + 1, edges[1:])], "last": index[edges[1:]]}
    for name, episode in episodes.items():
        worth = episode.table["net_worth"].reindex(index).ffill()
        logs = np.log(np.maximum(worth.to_numpy() / worth.iloc[0], RUIN))
        columns[name] = np.diff(logs[edges])
    return pd.DataFrame(columns)


def _monthly(worth: pd.Series) -> pd.Series:
    """A return belongs to the month that its bar opens in, so the start alone makes no month."""
    after = worth.iloc[1:]
    months = pd.DatetimeIndex(after.index).tz_convert(None).to_period("M")
    ends = after.groupby(months).last()
    starts = ends.shift(1, fill_value=worth.iloc[0])
    returns = ends / starts - 1
    returns.index = returns.index.astype(str)
    return returns
