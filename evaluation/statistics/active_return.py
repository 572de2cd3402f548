"""What an agent's timing made beyond the market at the same exposure, bar by bar, after its costs and before them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from common import InputError
from evaluation.episode import RUIN, Episode

ROUNDING = 1e-12
PRIOR = 0.1
"""of the range: what the middle of all exposures weighs. With 0.02, traders of 24 fills lose three points of power more"""


class ActiveReturn(NamedTuple):
    """Row k is the k-th bar after the start. A column for each way to match the exposure that luck could have had, too:

    0. its mean over the range, which is known only afterwards. A trader whose exposure goes against the price over weeks then
       seems to time it, since the mean knows where the price went; one that goes with it seems to mistime it. (It is the bias of
       a regression on a persistent regressor: Stambaugh 1999.)
    1. its mean so far, which is known at the time, so that nothing is expected of it without skill, if the price has no drift. A
       trader who comes in late into a rising price then seems to time it. The first position stands for the mean before it.
    2. the same, but before the first bar lies the middle of what the account may hold, and it counts as a tenth of the range. It
       sees more of a trader of few positions, and less of one who hardly ever bets.

    The mean of the range and the mean so far are each blind to what the other sees, so a claim must hold both ways.

    Args:
        active: float64 (T, 3), return of the net worth after costs, less the exposure times that of the market.
        growth: float64 (T, 3), the same of the log returns; sums to the log growth beyond the same exposure.
        gross: float64 (T, 3), what the decided positions would have made at the price they were decided at, without costs, less
            the exposure times the market's return. No turnover costs it anything, and no volatility drags on it.
        bets: float64 (T, 3), decided position less the exposure: how much was staked on the bar, and which way.
        costs: log growth lost between these prices and the net worth: fees, spread, slippage, interest, funding, and delay.
        exposure: mean of the decided positions, signed, as a share of the net worth.
        drift: mean return of the market over the range, of a bar.
    """

    active: np.ndarray
    growth: np.ndarray
    gross: np.ndarray
    bets: np.ndarray
    costs: float
    exposure: float
    drift: float


def active_return_of(agent: Episode, hold: Episode | None = None) -> ActiveReturn:
    """Split an episode against the market's own return less one purchase.

    The market is the price from close to close, and the purchase costs what it costs the agent. So the reference is fully
    invested even where buy and hold could not be: where a lot, a smallest order or a bar without volume kept it from buying. It
    pays or earns the agent's funding, for which no timing is needed.

    Args:
        hold: buy and hold's episode, to be sure that it has the same bars; it may go on beyond the end of an agent in debt.

    Raises:
        InputError: other bars, or fewer than two.
    """
    bars = len(agent.table)
    if bars < 2 or (hold is not None and not agent.table.index.equals(hold.table.index[:bars])):
        other = _span(agent if hold is None else hold)
        raise InputError(
            f"an agent is held against buy and hold over the same bars, two or more, but got {_span(agent)} and {other}; "
            "play both on one range"
        )
    market, net = _changes(agent.table["close"]), _changes(agent.table["net_worth"])
    decided = _decided_exposure(agent, market)
    paper = decided * market + _forced(agent)
    return split_return(net, market, decided, paper, agent.purchase, agent.middle, agent.funding)


def split_return(
    net: np.ndarray,
    market: np.ndarray,
    decided: np.ndarray,
    paper: np.ndarray,
    purchase: float = 1.0,
    middle: float = 0.5,
    funding: float = 0.0,
) -> ActiveReturn:
    """The same from plain series.

    Args:
        net, market: float64 (T,), simple returns of the net worth and of the price.
        decided: float64 (T,), the position held through each bar, as a share of the net worth before it.
        paper: float64 (T,), what the decided positions would have made without costs.
        purchase: what one purchase with all of the cash leaves of it, 0 to 1.
        middle: of the exposures that the account may have.
        funding: paid by a long position a bar, as a share of its value.
    """
    held = market - funding
    held[0] = (1 + held[0]) * purchase - 1
    whole = np.full(len(decided), decided.mean())
    so_far, with_prior = _mean_so_far(decided, decided[0], 0.0), _mean_so_far(decided, middle, PRIOR * len(decided))
    matched = np.column_stack([whole, so_far, with_prior])
    return ActiveReturn(
        active=_cleaned(net[:, None] - matched * held[:, None]),
        growth=_cleaned(_log(net)[:, None] - _log(matched * held[:, None])),
        gross=_cleaned(paper[:, None] - matched * market[:, None]),
        bets=_cleaned(decided[:, None] - matched),
        costs=float((_log(paper) - _log(net)).sum()),
        exposure=float(decided.mean()),
        drift=float(market.mean()),
    )


def _decided_exposure(agent: Episode, market: np.ndarray) -> np.ndarray:
    """float64 (T,): the position that each bar ends with, at the price it was decided at, the close before.

    A share p of the net worth at the close is what p / (1 + m (1 - p)) has grown into while the price moved by m.
    """
    position = agent.table["position"].to_numpy()[1:].copy()
    if agent.table["net_worth"].iloc[-1] <= 0:  # of a debt there is no share
        position[-1] = agent.table["position"].iloc[-2]
    return position / np.maximum(1 + market * (1 - position), RUIN)


def _forced(agent: Episode) -> np.ndarray:
    """float64 (T,): what forced fills (stops, liquidation) left of the bar's move, as a share of the net worth before it.

    Nobody decided them at the close before, so theirs is the price they filled at: the move up to it is the position's.
    """
    trades, table = agent.trades, agent.table
    forced = trades[trades["reason"] != "order"] if "reason" in trades else trades.iloc[:0]
    bar = table.index.searchsorted(forced["time"])
    before = table["close"].to_numpy()[bar - 1]
    held = np.where(forced["side"] == "sell", 1.0, -1.0) * forced["coin"].to_numpy(np.float64)
    moved = held * (forced["price"].to_numpy(np.float64) - before) / table["net_worth"].to_numpy()[bar - 1]
    return np.bincount(bar, moved, len(table))[1:]


def _mean_so_far(values: np.ndarray, first: float, weight: float) -> np.ndarray:
    """(T,): the mean of all values before each, and of `first` as often as `weight` says; before the first, `first` alone."""
    before = (np.cumsum(values[:-1]) + weight * first) / (np.arange(1, len(values)) + weight)
    return np.append(first, before)


def _changes(series: pd.Series) -> np.ndarray:
    """Simple returns, float64 (T,), no lower than what leaves `RUIN`."""
    values = series.to_numpy()
    return np.maximum(values[1:] / values[:-1] - 1, RUIN - 1)


def _log(returns: np.ndarray) -> np.ndarray:
    return np.log1p(np.maximum(returns, RUIN - 1))


def _cleaned(values: np.ndarray) -> np.ndarray:
    """Without what rounding left of a difference of equals."""
    return np.where(np.abs(values) <= ROUNDING, 0.0, values)


def _span(episode: Episode) -> str:
    index = episode.table.index
    return f"{len(index):,} bars from {index[0]} to {index[-1]}"
