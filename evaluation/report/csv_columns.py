"""Columns of `net_worth.csv` and `trades.csv`, and a CSV writer on pyarrow's, which is several times as fast as pandas'."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as pyarrow_csv

from common import atomic_file
from envs import COSTS
from evaluation.backtest.names import AGENT
from evaluation.backtest.outcome import Outcome
from evaluation.episode import Episode
from evaluation.statistics.average_cost import trade_list

Columns = Mapping[str, np.ndarray]
PLAIN = pyarrow_csv.WriteOptions(include_header=False, quoting_style="none")


def net_worth_columns(outcome: Outcome) -> dict[str, np.ndarray]:
    """A row a bar: `time` (its open, UTC), `close_time`, `price` (its close), then four columns of each strategy.

    Those of the agent have plain names, those of another strategy end in its name, as in `return: buy and hold`:
    `position` (value of the coin / net worth) and `net_worth` (money) at the close, `return` (of the net worth since the row
    before; 0 in the first row, where all begin in cash), `costs` (money paid in the bar: fees, slippage, interest, funding).
    The rows after a debt has ended an episode are NaN.
    """
    columns = {
        "time": iso_times(pd.DatetimeIndex(outcome.candles.index)),
        "close_time": iso_times(outcome.ends),
        "price": outcome.candles["close"].to_numpy(),
    }
    for strategy, episode in outcome.episodes.items():
        for name, values in _bar_by_bar(episode).items():
            missing = np.full(len(outcome.candles) - len(values), np.nan)
            columns[name if strategy == AGENT else f"{name}: {strategy}"] = np.concatenate((values, missing))
    return columns


def trade_columns(episode: Episode) -> dict[str, np.ndarray]:
    """Those of `trade_list`."""
    trades = trade_list(episode)
    times = iso_times(pd.DatetimeIndex(trades["time"]))
    return {str(name): times if name == "time" else trades[name].to_numpy() for name in trades}


def iso_times(times: pd.DatetimeIndex) -> np.ndarray:
    """str (T,), UTC and ISO 8601 to the second: `2019-02-07T14:00:00Z`."""
    return np.char.add(np.datetime_as_string(times.tz_convert(None).to_numpy(), unit="s"), "Z")


def write_csv(path: Path, columns: Columns) -> None:
    """Write columns of one length, with every digit of a float64; NaN is an empty cell. No text may hold a comma or a quote."""
    names = io.StringIO()
    csv.writer(names, lineterminator="\n").writerow(columns)
    with atomic_file(path) as file:
        file.write(names.getvalue().encode())
        table = pa.table([pa.array(values, from_pandas=True) for values in columns.values()], list(columns))
        pyarrow_csv.write_csv(table, file, PLAIN)


def _bar_by_bar(episode: Episode) -> dict[str, np.ndarray]:
    worth = episode.table["net_worth"].to_numpy()
    return {
        "position": episode.table["position"].to_numpy(),
        "net_worth": worth,
        "return": np.concatenate(([0.0], worth[1:] / worth[:-1] - 1)),
        "costs": np.diff(episode.paid(*COSTS), prepend=0.0),
    }
