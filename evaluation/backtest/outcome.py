"""What a backtest came to: all that the report, the figures and the JSON say is read off this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from evaluation.episode import Episode
from evaluation.statistics.figures_of_merit import Metrics

if TYPE_CHECKING:
    from evaluation.statistics.verdict import Verdict


@dataclass(frozen=True, eq=False)
class Outcome:
    """One backtest over one range. The agent is the first of `episodes`; the tables keep their order.

    Args:
        title: such as "BTC/USD, test range 2019-02-07 to 2019-07-04".
        candles: float64 `open high low close volume` of the range's own bars, by UTC open time.
        ends: the UTC time at which each of these bars closes.
        episodes: by strategy, all over these bars; one that ended in debt is shorter.
        figures: by strategy, as `metrics` gives them.
        intervals: by strategy, then by figure, its 95 % interval, None where it has none; empty without the bootstrap.
        seeds: those of `episodes` that are one seed of the agent each; empty for an agent of one seed.
        over_seeds: by figure, (interquartile mean over the seeds, low, high of its interval); empty for one seed.
        costs: total return, a row a strategy, a column a multiple of the fee: 0.0, 1.0, 2.0, 4.0.
        monthly: return, a row a calendar month (UTC, "2019-02"), a column a strategy.
        learning: by seed, its validations: dicts of `step`, `log_growth`, `standard_error`, `best`; empty where unknown.
        windows: a row a test window: `first` and `last` bar, then log growths.
        verdict: what may be concluded.
        notes: lines below the table, such as the costs, the source of the data, the run.
        optimistic: orders filled at a price known when they were decided; nobody can trade so.
        unable: by strategy that could not trade, why every order of it was refused.
        money: what the prices are in, such as `USD`.
        validated: what the validations of `learning` were made on, such as "BTC/USD, validation range 2018-09-14 to 2019-02-06".
    """

    title: str
    candles: pd.DataFrame
    ends: pd.DatetimeIndex
    episodes: dict[str, Episode]
    figures: dict[str, Metrics]
    intervals: dict[str, dict[str, tuple[float, float] | None]]
    seeds: tuple[str, ...]
    over_seeds: dict[str, tuple[float, float, float]]
    costs: pd.DataFrame
    monthly: pd.DataFrame
    learning: dict[str, list[dict[str, Any]]]
    windows: pd.DataFrame
    verdict: "Verdict"
    notes: tuple[str, ...]
    optimistic: bool
    unable: Mapping[str, str] = field(default_factory=dict)
    money: str = "USD"
    validated: str = ""

    def shown(self, name: str) -> str:
        """The name of a strategy, with a word beside it if it could not trade."""
        return f"{name} (could not trade)" if name in self.unable else name
