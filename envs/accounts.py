"""The accounts and the market behind all environments: a thin shell around the kernel, which does everything."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from gymnasium import spaces
from numba import njit

from common import InputError
from envs import kernel
from envs.actions import Actions
from envs.market_arrays import Dataset, Rows, Series, lay_out
from envs.reward_loops import named, new_returns, scorer, stride_of
from envs.rewards import Reward
from envs.settings import EnvSettings

FILLS = {"next_open": kernel.NEXT_OPEN, "next_close": kernel.NEXT_CLOSE, "same_close": kernel.SAME_CLOSE}
DAY = pd.Timedelta("1D")
INFO_FIELDS = (
    "bar", "net_worth", "cash", "coin", "fees", "slippage", "borrow", "funding", "trades", "outcome", "event",
    "fill_coin", "fill_price", "forced_coin", "forced_price",
)  # fmt: skip

STATE = (
    "settings", "evaluation", "spread", "ground", "datasets", "dataset",
    "_reward", "_rules", "_returns", "_accounts", "_used",
)  # fmt: skip
"""of `Trading`: all that a copy needs"""
CHANGING = ("accounts", "returns", "used")
"""of `Trading`: what an account's past has left there"""


class Trading:
    """`n` accounts on one market, or on several.

    Attributes `accounts` (`kernel.ACCOUNT` (n,)), `bars` (`kernel.BAR` (T,)) and `features` (float32 (T, F)) are what the kernel
    works on, as record arrays: `trading.accounts.net_worth` is float64 (n,). The last two are read-only.

    Args:
        candles: what is traded on, or a list of such.
        features: rows of the candles' last bars; a `FeatureMatrix`, or float32 (T, F) with T <= len(candles); a list for a list.
        settings: actions, fills, costs, reward, episode.
        n: number of accounts.
        evaluation: episodes are a whole range, from its first bar, instead of `episode_bars` from a random one.
        reward: an njit function, a `Fold` or a name, instead of `settings.reward`.
        spread: account i trades on series i modulo their number in all of its episodes; else `dataset_sampling` chooses.

    Raises:
        InputError: features of a wrong shape, type or time, fewer than 2 bars, series that differ in bar or columns, a lot
            that costs more than the account has, or fewer accounts than series to spread them over.
    """

    def __init__(
        self,
        candles: Series,
        features: Rows,
        settings: EnvSettings,
        n: int,
        evaluation: bool,
        reward: Reward | str | None = None,
        spread: bool = False,
    ) -> None:
        if not isinstance(settings, EnvSettings):
            raise InputError(f"`settings` must be an EnvSettings, but got a {type(settings).__name__}")
        self.settings = settings
        self.evaluation = evaluation
        self.ground = lay_out(candles, features, with_impact=settings.impact > 0)
        self.datasets = self.ground.datasets
        for data in self.datasets:
            settings.require_affordable_lot(data.candles)
        if spread and n < len(self.datasets):
            raise InputError(f"each of {len(self.datasets)} series needs an environment or more, but there are {n}; raise n_envs")
        self.spread = spread
        self.dataset = np.zeros(n, np.int64)  # which series each account trades on
        self._reward = named(reward or settings.reward)
        self._rules = rules_of(settings, self.datasets[0].candles.bar, stride_of(self._reward))
        self._returns = new_returns(self._reward, n, settings.reward_window)
        self._accounts = np.zeros(n, kernel.ACCOUNT)  # plain, since the dispatch of a recarray costs 4 us
        self._accounts["over"] = 1
        self._used = np.zeros((n, len(self.datasets)), np.int64)  # episodes begun on each series
        self._bind()

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in STATE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.ground = self.ground.read_only()
        self._bind()

    def _bind(self) -> None:
        """What can be made anew from `STATE`: views, which a copy would cut off from what they show, and scratch."""
        settings, accounts, n = self.settings, self._accounts, len(self._accounts)
        self.accounts = accounts.view(np.recarray)
        self.bars = self.ground.bars.view(np.recarray)
        self.features = self.ground.features
        self._bars, self._close = self.ground.bars, self.ground.bars["close"]
        self._fields = accounts[list(INFO_FIELDS)]
        self._reward_sums, self._steps = accounts["reward_sum"], accounts["steps"]
        self._spans = [self._span(data) for data in self.datasets]
        self._width = self.features.shape[1] + len(kernel.ACCOUNT_COLUMNS)
        self._step = _stepper(self._reward)
        self._optimistic = settings.optimistic
        self._meaning = Actions(settings)
        self._actions = np.zeros(n)
        self._ended = np.zeros(n, np.int64)
        self._scratch = np.zeros(1, np.float32), np.zeros(1, np.bool_), np.zeros(1, np.bool_)

    @property
    def observation_space(self) -> spaces.Box:
        """Of one account: features within their bound, then the account's columns."""
        n_account = len(kernel.ACCOUNT_COLUMNS)
        high = np.full(self._width, self.ground.bound, np.float32)
        low = -high
        low[-n_account:] = [-2, -2, -1, 0, 0] if self.settings.margin else [0, 0, -1, 0, 0]
        high[-n_account:] = [2, 2, 1, 1, 1] if self.settings.margin else 1
        return spaces.Box(low, high, dtype=np.float32)

    @property
    def action_space(self) -> spaces.Space[Any]:
        """Of one account."""
        return self._meaning.space

    def begin(self, i: int, rng: np.random.Generator) -> None:
        """Start an episode of account `i` on the series whose turn it is, at a random bar that leaves room for all of it."""
        first, length, starts = self._spans[self._choose(i, rng) if len(self._spans) > 1 else 0]
        start = first + int(rng.random() * starts)
        kernel.open_account(self._accounts, self._returns, i, self._rules, start, start + length)

    def begin_at(self, i: int, dataset: int, bar: int) -> None:
        """Start an episode of account `i` at that bar of that series, to run to its end."""
        data = self.datasets[dataset]
        self.dataset[i] = dataset
        last = data.first + len(data.candles) - 1
        kernel.open_account(self._accounts, self._returns, i, self._rules, data.first + bar, last)

    def forget(self, i: int) -> None:
        """Count the series of account `i` from 0 again, so that a seed alone decides what follows."""
        self._used[i] = 0

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all that steps and resets change; the series and the settings are not part of it."""
        return {name: getattr(self, f"_{name}").copy() for name in CHANGING} | {"dataset": self.dataset.copy()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from a `snapshot` of as many accounts on the same series under the same settings."""
        for name in CHANGING:
            getattr(self, f"_{name}")[...] = arrays[name]
        self.dataset[...] = arrays["dataset"]

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[int]]:
        """Take all accounts that are not over one bar on; actions (n,) of the action space, or (n, 1) if it is continuous.

        Returns:
            Fresh arrays: observations float32 (n, F + 5), rewards float32 (n,), terminated bool (n,), truncated bool (n,); and
            the accounts whose episode ended.
        """
        n = len(self._actions)
        self._read(actions)
        return self._advance(np.empty(n, np.float32), np.empty(n, np.bool_), np.empty(n, np.bool_))

    def step_one(self, action: Any) -> tuple[np.ndarray, float, bool, bool]:
        """The same for a single account: its observation float32 (F + 5,), reward, terminated, truncated."""
        self._meaning.read_one(action, self._actions)
        rewards, terminated, truncated = self._scratch
        observations, *_ = self._advance(rewards, terminated, truncated)
        return observations[0], rewards.item(), terminated.item(), truncated.item()

    def observe(self) -> np.ndarray:
        """What is known now: a new float32 (n, F + 5) array."""
        out = np.empty((len(self._actions), self._width), np.float32)
        kernel.observe(self._bars, self.features, self._rules, self._accounts, out, 0, len(out))
        return out

    def observe_one(self, i: int, out: np.ndarray) -> None:
        """Write what account `i` knows now into row `i` of `out`."""
        kernel.observe(self._bars, self.features, self._rules, self._accounts, out, i, i + 1)

    def action_masks(self) -> np.ndarray:
        """bool (n, A): False where a rule would refuse the action, so that it would pass like a hold.

        The kernel tries each action at the last close. The order fills later, at a price that nobody knows now. So a refusal that
        depends on the price (`min_trade`, `lot`, impact, margin) may come out differently; "no cash" and "no coin" cannot. Holds
        are always allowed; of exposures, the one nearest to what is held is one. For an account that is over, all are allowed.

        Raises:
            InputError: continuous actions.
        """
        listed, accounts = self._meaning.listed, self._accounts
        outcomes = np.empty((len(accounts), len(listed)), np.int64)
        kernel.foresee_outcomes(self._bars, self._rules, accounts, listed, outcomes)
        allowed = outcomes <= kernel.HELD
        if self.settings.action_scheme == "targets":
            held = accounts["coin"] * self._close[accounts["bar"]] / np.where(accounts["over"] == 1, 1.0, accounts["net_worth"])
            allowed[np.arange(len(held)), np.abs(held[:, None] - listed).argmin(axis=1)] = True
        return allowed

    def info(self, i: int) -> dict[str, Any]:
        """Where account `i` stands; `bar` counts the bars of its own series."""
        (
            bar, net_worth, cash, coin, fees, slippage, borrow, funding, trades, outcome, event,
            fill_coin, fill_price, forced_coin, forced_price,
        ) = self._fields.item(i)  # fmt: skip
        dataset = self.dataset.item(i)
        return {
            "dataset": dataset,
            "bar": bar - self.datasets[dataset].first,
            "net_worth": net_worth,
            "cash": cash,
            "coin": coin,
            "position": coin * self._close.item(bar) / net_worth if coin and net_worth else 0.0,
            "fees": fees,
            "slippage": slippage,
            "borrow": borrow,
            "funding": funding,
            "trades": trades,
            "outcome": kernel.OUTCOMES[outcome],
            "fill_coin": fill_coin,
            "fill_price": fill_price,
            "event": kernel.EVENTS[event],
            "forced_coin": forced_coin,
            "forced_price": forced_price,
            "optimistic": self._optimistic,
        }

    def episode(self, i: int) -> dict[str, float]:
        """Sum of the rewards and number of steps of account `i` since its episode began, named as loggers expect."""
        return {"r": self._reward_sums.item(i), "l": self._steps.item(i)}

    def _advance(
        self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[int]]:
        observations = np.empty((len(rewards), self._width), np.float32)
        n_ended, bad = self._step(
            self._bars, self.features, self._rules, self._accounts, self._returns, self._actions,
            observations, terminated, truncated, self._ended, rewards,
        )  # fmt: skip
        if bad >= 0:
            raise InputError(f"a reward must be a number, but it is NaN for account {bad}, {self.info(bad)}; mend the function")
        return observations, rewards, terminated, truncated, self._ended[:n_ended].tolist() if n_ended else []

    def _read(self, given: Any) -> None:
        """Check the actions, and translate them for the kernel."""
        self._meaning.read(given, self._actions)

    def _span(self, data: Dataset) -> tuple[int, int, int]:
        """First bar, steps of an episode, and number of bars that it can start at."""
        steps = len(data.candles) - 1
        length = steps if self.evaluation else min(self.settings.episode_bars, steps)
        return data.first, length, steps - length + 1

    def _choose(self, i: int, rng: np.random.Generator) -> int:
        """The series of the next episode of account `i`."""
        used = self._used[i]
        least = np.flatnonzero(used == used.min())
        if self.spread:
            chosen = i % len(used)
        elif self.evaluation:
            chosen = int(least[0])
        elif self.settings.dataset_sampling == "length":
            lengths = np.array([len(data.candles) for data in self.datasets])
            chosen = int(rng.choice(len(lengths), p=lengths / lengths.sum()))
        else:
            chosen = int(rng.choice(least))
        used[chosen] += 1
        self.dataset[i] = chosen
        return chosen


@lru_cache
def _stepper(reward: Reward) -> Callable[..., tuple[int, int]]:
    """The kernel's step and the reward in one call, since a call from Python costs as much as 20 accounts."""
    step, score = kernel.step, scorer(reward)

    @njit(error_model="numpy")
    def step_and_score(  # type: ignore[no-untyped-def]
        bars, features, rules, accounts, returns, actions, observations, terminated, truncated, ended, rewards
    ):
        n_ended = step(bars, features, rules, accounts, returns, actions, observations, terminated, truncated, ended)
        return n_ended, score(rules, accounts, returns, rewards)

    return step_and_score


def at_least_one(n: int) -> int:
    """The number of envs, if it is one."""
    if n < 1:
        raise InputError(f"there must be 1 env or more, but got {n}")
    return n


def rules_of(settings: EnvSettings, bar: pd.Timedelta, stride: int = 1) -> np.ndarray:
    """RULES (1,)."""
    days = bar / DAY
    rules = np.zeros(1, kernel.RULES)
    values = {
        "scheme": kernel.ORDERS if settings.action_scheme == "orders" else kernel.EXPOSURE,
        "fill_at": FILLS[settings.fill],
        "margin": settings.margin,
        "window": settings.reward_window,
        "stride": stride,
        "initial_cash": settings.initial_cash,
        "fee": settings.fee_bps / 1e4,
        "adverse": (settings.half_spread_bps + settings.slippage_bps) / 1e4,
        "impact": settings.impact,
        "borrow": settings.borrow_bps_per_day / 1e4 * days,
        "funding": settings.funding_bps_per_day / 1e4 * days,
        "min_trade": settings.min_trade,
        "lot": settings.lot,
        "lowest": settings.lowest_exposure,
        "highest": settings.max_leverage,
        "maintenance": settings.maintenance_margin,
        "stop_loss": settings.stop_loss,
        "take_profit": settings.take_profit,
        "ruin_fraction": settings.ruin_fraction,
        "annualization": pd.Timedelta("365.25D") / bar,
    }
    for name, value in values.items():
        rules[name] = value
    return rules
