"""Random settings, markets and actions, each played by the kernel and by `Ledger`: what the accounting tests ask."""

from functools import lru_cache
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd
from ledger import Bar, Ledger

from envs import EnvSettings, accounts as trading, actions, kernel
from envs.accounts import FILLS

STORIES = 10_000  # random settings, markets and action sequences, of BARS bars each
BARS = 20
ACTION_SCHEMES = get_args(EnvSettings.model_fields["action_scheme"].annotation)
HOUR = pd.Timedelta("1h")
LEDGER = np.dtype(
    [
        (name, np.float64)
        for name in (
            "cash", "coin", "entry", "fees", "slippage", "borrow", "funding",
            "fill_coin", "fill_price", "forced_coin", "forced_price", "forced_quote",
        )
    ]
    + [("event", np.int64)]
)  # fmt: skip


class Case(NamedTuple):
    """What a story is made of."""

    options: dict[str, Any]  # of `EnvSettings`
    bars: np.ndarray  # BAR (BARS + 1,)
    actions: np.ndarray  # float64 (BARS,): orders, exposures, or -1 .. 1


class Story(NamedTuple):
    """What became of it, bar by bar. All are of n rows but `accounts`, of n + 1: the account before and after each bar."""

    settings: EnvSettings
    rules: np.ndarray
    bars: np.ndarray  # n + 1 rows
    actions: np.ndarray  # orders and exposures
    accounts: np.ndarray
    ledger: np.ndarray


# --- random stories -----------------------------------------------------------------------------------------------------


def draw_options(rng: np.random.Generator, price: float) -> dict[str, Any]:
    """Settings in which nothing is left out: every rule is off in some of them and on in others."""

    def sometimes(low: float, high: float, chance: float = 0.5) -> float:
        return float(rng.uniform(low, high)) if rng.random() < chance else 0.0

    leverage, shorts = float(rng.choice([1, 1, 1, 1.5, 2, 3, 5, 10])), bool(rng.random() < 0.4)
    lowest, cash = -leverage if shorts else 0.0, float(10 ** rng.uniform(0, 6))
    targets = [lowest, leverage, 0.0, *rng.uniform(lowest, leverage, 3)]
    return {
        "action_scheme": str(rng.choice(ACTION_SCHEMES)),
        "targets": tuple(map(float, targets)),
        "fill": str(rng.choice(list(FILLS))),
        "initial_cash": cash,
        "fee_bps": sometimes(0, 100),
        "half_spread_bps": sometimes(0, 50),
        "slippage_bps": sometimes(0, 100),
        "impact": sometimes(0.1, 1.5, 0.4),
        "borrow_bps_per_day": sometimes(0, 3_000),
        "funding_bps_per_day": sometimes(-3_000, 3_000) if shorts or leverage > 1 else 0.0,
        "min_trade": sometimes(0, 0.3) * cash,
        "lot": sometimes(0.001, 0.3, 0.3) * cash / price,
        "shorts": shorts,
        "max_leverage": leverage,
        "maintenance_margin": sometimes(0, min(0.3, 0.95 / leverage), 0.8),
        "stop_loss": sometimes(0.002, 0.5, 0.3),
        "take_profit": sometimes(0.002, 1.0, 0.3),
        "ruin_fraction": float(rng.choice([0, 0.1, 0.5])),
    }


def draw_bars(rng: np.random.Generator, price: float, cash: float) -> np.ndarray:
    """A random market, calm or wild, with gaps and wicks; the first bar only opens the account."""
    n, wild = BARS + 1, rng.choice([0.002, 0.02, 0.1])
    gaps = rng.normal(0, wild, n) * (rng.random(n) < 0.5)
    moves = rng.normal(0, wild, n) * (rng.random(n) < 0.9)
    bars = np.zeros(n, kernel.BAR)
    bars["close"] = price * np.exp(np.cumsum(gaps + moves))
    bars["open"] = bars["close"] * np.exp(-moves)
    wicks = np.exp(rng.exponential(wild / 2, (2, n)) * (rng.random((2, n)) < 0.7))
    bars["high"] = np.maximum(bars["open"], bars["close"]) * wicks[0]
    bars["low"] = np.minimum(bars["open"], bars["close"]) / wicks[1]
    bars["impact"] = 10 ** rng.uniform(-5, -1.5, n) / np.sqrt(cash)
    bars["impact"][rng.random(n) < 0.02] = np.inf
    return bars


def draw(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    price = float(10 ** rng.uniform(-2, 5))
    options = draw_options(rng, price)
    match options["action_scheme"]:
        case "orders":
            actions = rng.integers(kernel.N_ORDERS, size=BARS)
        case "targets":
            actions = rng.choice(options["targets"], BARS)
        case _:
            actions = np.where(rng.random(BARS) < 0.3, rng.choice([-1, 0, 1], BARS), rng.uniform(-1, 1, BARS))
    return Case(options, draw_bars(rng, price, options["initial_cash"]), actions.astype(np.float64))


# --- two roads through a story ------------------------------------------------------------------------------------------


class Rig(NamedTuple):
    """The kernel's own arrays for one account, without the shell around it."""

    rules: np.ndarray
    accounts: np.ndarray
    returns: np.ndarray
    actions: np.ndarray
    observations: np.ndarray
    flags: tuple[np.ndarray, np.ndarray, np.ndarray]


def rig(options: EnvSettings, bars: int, plain: bool = False) -> Rig:
    rules, accounts = trading.rules_of(options, HOUR), np.zeros(1, kernel.ACCOUNT)
    if plain:
        rules, accounts = rules.view(np.recarray), accounts.view(np.recarray)
    returns = np.zeros((1, 2 * options.reward_window))
    flags = np.zeros(1, np.bool_), np.zeros(1, np.bool_), np.zeros(1, np.int64)
    made = Rig(rules, accounts, returns, np.zeros(1), np.zeros((1, 6), np.float32), flags)
    kernel.open_account(made.accounts, returns, 0, made.rules, 0, bars)
    return made


def wishes(case: Case, options: EnvSettings) -> np.ndarray:
    """The actions as the kernel takes them."""
    out = case.actions.copy()
    if options.action_scheme == "continuous":
        actions._scale(case.actions, options.lowest_exposure, options.max_leverage, out)
    return out


def through_the_ledger(case: Case, options: EnvSettings) -> np.ndarray:
    """LEDGER (n,), a row a bar."""
    ledger = Ledger(options, days=1 / 24)
    bars = [Bar(*row) for row in case.bars.tolist()]
    rows = np.zeros(len(case.actions), LEDGER)
    for t, action in enumerate(case.actions.tolist()):
        ledger.play(action, bars[t], bars[t + 1])
        order, forced, event = (0.0, 0.0), (0.0, 0.0, 0.0), 0
        for fill in ledger.fills:
            if fill.reason == "order":
                order = fill.coins, fill.paid
            else:
                forced, event = (fill.coins, fill.paid, fill.quoted), kernel.EVENTS.index(fill.reason)
        rows[t] = (
            ledger.cash, ledger.coin, ledger.entry, ledger.fees, ledger.slippage, ledger.borrow, ledger.funding,
            *order, *forced, event,
        )  # fmt: skip
    return rows


def through_the_kernel(case: Case, options: EnvSettings, n: int) -> tuple[Rig, np.ndarray, np.ndarray]:
    """The rig, the kernel's actions, and ACCOUNT (m + 1,), m <= n: the episode may end before."""
    r, actions = rig(options, len(case.actions)), wishes(case, options)
    features = np.zeros((len(case.bars), 1), np.float32)
    accounts = np.zeros(n + 1, kernel.ACCOUNT)
    accounts[0] = r.accounts[0]
    for t in range(n):
        r.actions[0] = actions[t]
        terminated, truncated, ended = r.flags
        kernel.step(case.bars, features, r.rules, r.accounts, r.returns, r.actions, r.observations, terminated, truncated, ended)
        accounts[t + 1] = r.accounts[0]
        if r.accounts["over"][0]:
            return r, actions, accounts[: t + 2]
    return r, actions, accounts


def tell(case: Case) -> Story:
    options = EnvSettings(**case.options)
    ledger = through_the_ledger(case, options)
    r, actions, accounts = through_the_kernel(case, options, len(ledger))
    n = len(accounts) - 1
    return Story(options, r.rules, case.bars[: n + 1], actions[:n], accounts, ledger[:n])


class Steps(NamedTuple):
    """All steps of many stories, one a row."""

    story: np.ndarray
    rules: np.ndarray
    known: np.ndarray
    bar: np.ndarray
    action: np.ndarray
    before: np.ndarray
    after: np.ndarray
    ledger: np.ndarray

    def of(self, rows: np.ndarray) -> "Steps":
        return Steps(*(column[rows] for column in self))

    @property
    def scale(self) -> np.ndarray:
        """USD that rounding is measured against: the larger of what was held before and after, both sides added."""
        held = [
            np.abs(a["cash"]) + np.abs(a["coin"]) * bar["close"] for a, bar in ((self.before, self.known), (self.after, self.bar))
        ]
        return np.maximum(*held) + np.abs(self.after["fill_coin"]) * self.after["fill_price"]

    @property
    def quote(self) -> np.ndarray:
        """The price that an order fills around."""
        fill = self.rules["fill_at"]
        prices = [self.bar["open"], self.bar["close"], self.known["close"]]
        return np.select([fill == code for code in (kernel.NEXT_OPEN, kernel.NEXT_CLOSE, kernel.SAME_CLOSE)], prices)


def in_one(stories: list[Story]) -> Steps:
    ns = [len(story.actions) for story in stories]
    return Steps(
        np.repeat(np.arange(len(stories)), ns),
        np.repeat(np.concatenate([story.rules for story in stories]), ns),
        np.concatenate([story.bars[:-1] for story in stories]),
        np.concatenate([story.bars[1:] for story in stories]),
        np.concatenate([story.actions for story in stories]),
        np.concatenate([story.accounts[:-1] for story in stories]),
        np.concatenate([story.accounts[1:] for story in stories]),
        np.concatenate([story.ledger for story in stories]),
    )


@lru_cache(1)
def all_steps() -> Steps:
    return in_one([tell(draw(seed)) for seed in range(STORIES)])
