"""What became of what was bought, or sold short: each fill that closes a position, against the average cost of the position."""

import numpy as np
import pandas as pd
from numba import njit

from common import cached
from evaluation.episode import Episode

DUST = 1e-12
"""what rounding leaves of a position that was closed, as a fraction of the fill"""
STILL_OPEN = "still open"
TRIP = np.dtype(
    [
        ("opened", np.int64),  # the fill that opened the position
        ("closed", np.int64),  # the fill that closed it or a part of it; the number of fills for what is open at the end
        ("coin", np.float64),  # closed; negative for a short
        ("cost", np.float64),  # what those coins cost, or brought, fee and slippage included
        ("profit", np.float64),  # after all costs
    ]
)
"""One round trip."""


def round_trips(episode: Episode) -> pd.DataFrame:
    """A row for each fill that closed a position, or a part of it.

    A position has one average cost, as the kernel's account and its stop-loss have it, not a queue of purchases; what is sold of
    it is held against that average. The interest and the funding of a position are shared out over its coins in the same way. A
    fill that turns the position closes the one and opens the other. What is open at the end is no round trip.

    Returns:
        `entry` (time of the fill that opened the position), `exit`, `coin` (closed; negative for a short), `profit` (money, after
        all costs), `return` (profit as a share of what the coins cost, or brought).
    """
    trips, _ = _trips_of(episode, last_price=np.nan)
    trips = trips[trips["closed"] < len(episode.trades)]
    times = pd.DatetimeIndex(episode.trades["time"])
    return pd.DataFrame(
        {
            "entry": times[trips["opened"]],
            "exit": times[trips["closed"]],
            "coin": trips["coin"],
            "profit": trips["profit"],
            "return": trips["profit"] / trips["cost"],
        }
    )


def trade_list(episode: Episode) -> pd.DataFrame:
    """The trade list with what each round trip made, beside the fill that ended it; the profits add up to that of the episode.

    What is open at the end has a row of its own behind the fills, marked at the last close: its `reason` is `STILL_OPEN`, its
    `side` is empty, and its `coin`, `value` and `fee` are 0, since nothing was filled.

    Returns:
        The columns of `Episode.trades`, then `holding` (number of the position, from flat to flat or to the other side, from 1; a
        fill that turns a position counts to the one that it closes), `profit` and `return` as `round_trips` gives them,
        `duration_bars` and `duration_hours` from the bar of the fill that opened the position; these four are NaN where nothing
        was closed. `net_worth` is that at the close of the row's bar.
    """
    table, trades, fills = episode.table, episode.trades, len(episode.trades)
    last_price = float(table["close"].iloc[-1])
    trips, holding = _trips_of(episode, last_price)
    if len(trips) and trips["closed"][-1] == fills:
        nothing = {"reason": STILL_OPEN, "side": "", "coin": 0.0, "price": last_price, "value": 0.0, "fee": 0.0}
        row = pd.DataFrame({"time": table.index[-1:].astype(trades["time"].dtype), **nothing})
        trades = pd.concat([trades, row], ignore_index=True)
    bars = table.index.searchsorted(trades["time"])
    hours = ((table.index - table.index[0]) / pd.Timedelta("1h")).to_numpy()
    opened, closed = bars[trips["opened"]], bars[trips["closed"]]
    made = {
        "profit": trips["profit"], "return": trips["profit"] / trips["cost"],
        "duration_bars": closed - opened, "duration_hours": hours[closed] - hours[opened],
    }  # fmt: skip
    beside = pd.DataFrame(np.nan, index=trades.index, columns=list(made))
    beside.iloc[trips["closed"]] = np.column_stack(list(made.values()))
    worth = table["net_worth"].to_numpy()[bars]
    return pd.concat([trades.assign(holding=holding[: len(trades)]), beside.assign(net_worth=worth)], axis=1)


def _trips_of(episode: Episode, last_price: float) -> tuple[np.ndarray, np.ndarray]:
    """TRIP (n,), the last of which may be open at the end; int64 (fills + 1,), the holding of each fill and of the end."""
    trades = episode.trades
    sign = np.where(trades["side"] == "buy", 1.0, -1.0)
    coins, values = sign * trades["coin"].to_numpy(np.float64), trades["value"].to_numpy(np.float64)
    return _close_positions(coins, values, trades["fee"].to_numpy(np.float64), _carry_between_fills(episode), last_price)


def _carry_between_fills(episode: Episode) -> np.ndarray:
    """float64 (fills + 1,): interest and funding that came due before each fill, since the one before; and after the last."""
    trades, so_far = episode.trades, episode.paid("borrow", "funding")
    if not so_far.any():
        return np.zeros(len(trades) + 1)
    bars = episode.table.index.searchsorted(trades["time"])
    late = (trades["reason"] == "order").to_numpy() & episode.carry_first
    return np.diff(so_far[np.where(late, bars, bars - 1)], prepend=0.0, append=so_far[-1])


@cached(njit)
def _close_positions(
    coins: np.ndarray, values: np.ndarray, fees: np.ndarray, carry: np.ndarray, last_price: float
) -> tuple[np.ndarray, np.ndarray]:
    """The fills of one account, in order.

    Args:
        coins: float64 (n,), bought above 0, sold below. values, fees: float64 (n,), money.
        carry: float64 (n + 1,), as `_carry_between_fills` gives it.
        last_price: what is open at the end is marked at.
    """
    n = len(coins)
    trips, holding = np.empty(n + 1, TRIP), np.empty(n + 1, np.int64)
    held, average, owed = 0.0, 0.0, 0.0  # `owed`: carry of the position that no round trip has borne yet
    since, number, count = 0, 0, 0
    for fill in range(n):
        owed += carry[fill]
        side = 1.0 if coins[fill] > 0.0 else -1.0
        each = (values[fill] + side * fees[fill]) / abs(coins[fill])  # what a coin cost, or brought, after the fee
        closing = min(abs(held), abs(coins[fill])) if held * coins[fill] < 0.0 else 0.0
        if closing > 0.0:
            borne = owed * (closing / abs(held))
            owed -= borne
            trip = trips[count]
            trip.opened, trip.closed, trip.coin, trip.cost = since, fill, -side * closing, average * closing
            trip.profit = side * (average - each) * closing - borne
            count += 1
        opening = abs(coins[fill]) - closing
        before = abs(held) if closing == 0.0 else 0.0
        number += 1 if held == 0.0 else 0
        holding[fill] = number
        held += coins[fill]
        if abs(held) <= DUST * abs(coins[fill]):
            held = 0.0
        elif opening > DUST * abs(coins[fill]):
            since = fill if before == 0.0 else since
            number += 1 if closing > 0.0 else 0
            average = (average * before + each * opening) / (before + opening)
    owed += carry[n]
    holding[n] = number
    if held != 0.0:
        trip = trips[count]
        trip.opened, trip.closed, trip.coin, trip.cost = since, n, held, average * abs(held)
        trip.profit = (last_price - average) * held - owed
        count += 1
    elif count > 0:
        trips[count - 1].profit -= owed  # interest on a debt that a liquidation left
    return trips[:count], holding
