"""`Replay`: one account through a whole range, for validation and backtest, without the price of an env."""

from typing import Any

import numpy as np
import pandas as pd
from gymnasium import spaces

from common import InputError
from envs import kernel
from envs.accounts import rules_of
from envs.actions import Actions
from envs.market_arrays import Ground, Rows, lay_out
from envs.settings import EnvSettings
from market import Candles

REFUSED = "refused: "
COSTS = ("fees", "slippage", "borrow", "funding")
"""what an account has paid so far, by kind; funding may be earned"""
SURPRISING = kernel.OUTCOMES[kernel.NO_MARGIN :]
REASONS = np.array(["order", *kernel.EVENTS[1:]], dtype=object)  # of a fill; the events that force one keep their numbers


class Replay:
    """What `BitcoinTradingEnv(..., evaluation=True)` does, to the bit, but for rewards and infos, which a backtest needs none of.

    The account stands at the first bar that has a row of features, all in cash.

    Args:
        candles, features, settings: as for `BitcoinTradingEnv`; one series.

    Raises:
        InputError: features that do not fit the candles.
    """

    def __init__(self, candles: Candles, features: Rows, settings: EnvSettings) -> None:
        self._begin(lay_out(candles, features, with_impact=settings.impact > 0), settings)

    def again(self, settings: EnvSettings) -> "Replay":
        """A new account on the same range, which is not checked and laid out once more, under other settings.

        Raises:
            InputError: settings with `impact` on a range that was laid out without it.
        """
        if settings.impact > 0 and not self.settings.impact > 0:
            raise InputError(
                f"a range that was laid out without impact cannot be played with one, but got {settings.impact=}; "
                "make a new `Replay`"
            )
        other = Replay.__new__(Replay)
        other._begin(self._ground, settings)
        return other

    def _begin(self, ground: Ground, settings: EnvSettings) -> None:
        self.candles = ground.datasets[0].candles
        self.settings = settings
        self._ground = ground
        self._meaning = Actions(settings)
        self._bars, self._features = ground.bars, ground.features
        self._rules = rules_of(settings, self.candles.bar)
        self._accounts = np.zeros(1, kernel.ACCOUNT)
        last = len(self._bars) - 1
        kernel.open_account(self._accounts, np.zeros((1, 1)), 0, self._rules, 0, last)
        self._actions, self._trace = np.zeros(last), np.zeros(last, kernel.TRACE)
        self._played = 0
        self._over = False

    @property
    def action_space(self) -> spaces.Space[Any]:
        return self._meaning.space

    @property
    def decisions(self) -> int:
        """How many the range has room for."""
        return len(self._actions)

    @property
    def over(self) -> bool:
        """True once the last bar is reached, or the account is ruined."""
        return self._over

    def observe(self) -> np.ndarray:
        """What is known now: a new float32 (F + 5,) array."""
        out = np.empty((1, self._features.shape[1] + len(kernel.ACCOUNT_COLUMNS)), np.float32)
        kernel.observe(self._bars, self._features, self._rules, self._accounts, out, 0, 1)
        return out[0]

    def step(self, action: Any) -> None:
        """One bar on."""
        self._require_more()
        k = self._played
        self._meaning.read_one(action, self._actions[k : k + 1])
        self._play(k + 1)

    def play(self, actions: np.ndarray) -> None:
        """All that is left, in one call of the kernel.

        Args:
            actions: of the action space, one for each decision that is left.
        """
        self._require_more()
        self._meaning.read(actions, self._actions[self._played :])
        self._play(len(self._actions))

    def table(self) -> pd.DataFrame:
        """Row 0 is the start, row k the close of the k-th bar after it.

        Returns:
            float64 columns `close`, `net_worth`, `position` (value of the coin / net worth) and, in money and so far, `fees`,
            `slippage` (half-spread and impact included), `borrow` (interest), `funding` (below 0 if earned), by open time.
        """
        played, n = self._trace[: self._played], self._played + 1
        close = self._bars["close"][:n].copy()
        worth = np.concatenate(([self.settings.initial_cash], played["net_worth"]))
        held = np.concatenate(([0.0], played["coin"])) * close
        columns = {
            "close": close,
            "net_worth": worth,
            "position": np.divide(held, worth, out=np.zeros(n), where=(held != 0.0) & (worth != 0.0)),
            **{name: np.concatenate(([0.0], played[name])) for name in COSTS},
        }
        return pd.DataFrame(columns, index=self.candles.index[:n])

    def trades(self) -> pd.DataFrame:
        """The ledger, one row a fill, in order: see `ledger`."""
        played = self._trace[: self._played]
        order, forced = (np.flatnonzero(played[name]) for name in ("fill_coin", "forced_coin"))
        first, second = (forced, order) if self.settings.fill == "next_close" else (order, forced)  # within one bar
        rows = np.concatenate((first, second))
        is_order = np.concatenate([np.full(len(part), part is order) for part in (first, second)])
        by_time = np.argsort(rows, kind="stable")
        rows, is_order = rows[by_time], is_order[by_time]
        return ledger(
            self.candles.index[played["bar"][rows]],
            REASONS[np.where(is_order, 0, played["event"][rows])],
            np.where(is_order, played["fill_coin"][rows], played["forced_coin"][rows]),
            np.where(is_order, played["fill_price"][rows], played["forced_price"][rows]),
            self.settings,
        )

    def refused(self) -> dict[str, int]:
        """How many orders a rule has refused, by its reason; a buyer without cash and a seller without coin are no surprise."""
        numbers, counts = np.unique(self._trace["outcome"][: self._played], return_counts=True)
        found = {kernel.OUTCOMES[number]: int(count) for number, count in zip(numbers, counts, strict=True)}
        return {name.removeprefix(REFUSED): count for name, count in found.items() if name in SURPRISING}

    def _play(self, last: int) -> None:
        first = self._played
        self._played = kernel.replay(self._bars, self._rules, self._accounts, self._actions, self._trace, first, last)
        self._over = bool(self._accounts["over"][0])

    def _require_more(self) -> None:
        if self._over:
            raise InputError("the episode is over; make a new `Replay`")


def ledger(
    time: pd.DatetimeIndex, reason: np.ndarray, coin: np.ndarray, price: np.ndarray, settings: EnvSettings
) -> pd.DataFrame:
    """The fills of an episode as a table, one row a fill, in order.

    Args:
        time: UTC.
        reason: str (n,).
        coin: float64 (n,), bought above 0, sold below.
        price: float64 (n,), costs of the price included.

    Returns:
        `time` (open of the bar after the decision; `same_close` fills just before it), `reason` (`order`, `stop-loss`,
        `take-profit`, `liquidation`), `side`, `coin`, `price` (USD a coin), `value` (USD), `fee` (USD). Cash at the end is the
        cash at the start, less what was bought, plus what was sold, less fees, interest and funding.
    """
    value = np.abs(coin) * price
    return pd.DataFrame(
        {
            "time": time,
            "reason": reason,
            "side": np.where(coin > 0, "buy", "sell"),
            "coin": np.abs(coin),
            "price": price,
            "value": value,
            "fee": value * settings.fee_bps / 1e4,
        }
    )
