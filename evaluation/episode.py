"""Plays an agent through a range, once, from its first bar to its last: the one road of validation and backtest."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from agents import Agent, SignalStrategy
from common import InputError
from envs import EnvSettings, Replay
from features import FeatureMatrix
from market import Candles

DAY = pd.Timedelta("1D")
RUIN = 1e-9
"""share of the start that counts as left of less, or of a debt, so that a logarithm exists"""


@dataclass(frozen=True, eq=False)
class Episode:
    """What happened. Row 0 is the start; row k the close of the k-th bar after it.

    Args:
        table: float64 columns `close`, `net_worth`, `position` (value of the coin / net worth) and, in money and so far, `fees`,
            `slippage`, `borrow` (interest), `funding`, by open time. Where one of the last three is missing, none was paid.
        trades: the ledger, one row a fill, as `Replay.trades` gives it.
        bars_per_year: to annualise with.
        optimistic: orders filled at a price known when they were decided; nobody can trade so.
        funding: what a long position pays a bar, as a share of its value; negative if it earns.
        middle: of the exposures that the settings allow, as a share of the net worth.
        refused: how many orders a rule refused, by its reason, such as "below one lot".
        carry_first: a bar's interest and funding come due before its order fills, at its close.
        purchase: what one purchase with all of the cash leaves of it, 0 to 1: 1 / ((1 + fee) (1 + half-spread + slippage)).
    """

    table: pd.DataFrame
    trades: pd.DataFrame
    bars_per_year: float
    optimistic: bool = False
    purchase: float = 1.0
    funding: float = 0.0
    middle: float = 0.5
    refused: Mapping[str, int] = field(default_factory=dict)
    carry_first: bool = False

    def paid(self, *kinds: str) -> np.ndarray:
        """float64 (T,), in money: what was paid so far of the kinds of cost that are named, such as `fees` and `slippage`."""
        return self.table[[kind for kind in kinds if kind in self.table]].to_numpy(np.float64).sum(axis=1)


def floored(worth: np.ndarray) -> np.ndarray:
    """Net worth, float64 (T,), where less than `RUIN` of its start counts as that."""
    return np.maximum(worth, RUIN * worth[0])


def play(candles: Candles, features: FeatureMatrix | np.ndarray, settings: EnvSettings, agent: Agent) -> Episode:
    """Let the agent decide at every bar of the range, deterministically, its state carried from bar to bar.

    A strategy with `spot = True` trades under `settings.spot()`. Ruin ends only training episodes: who holds through a fall of
    95 % is judged at the end of the range like everyone else; only debt ends the game.

    Raises:
        InputError: an agent that was trained on other actions.
    """
    return play_on(Replay(candles, features, settings), settings, agent)


def play_on(stage: Replay, settings: EnvSettings, agent: Agent) -> Episode:
    """`play` on a range that has been laid out, so that many can play it; the stage itself is not touched."""
    if getattr(agent, "spot", False):
        settings = settings.spot()
    replay = stage.again(settings.model_copy(update={"ruin_fraction": 0.0}))
    trained_on = getattr(agent, "action_space", replay.action_space)
    if trained_on != replay.action_space:
        raise InputError(
            f"the agent was trained on the actions {trained_on}, but the env has {replay.action_space}; use its own settings"
        )
    if isinstance(agent, SignalStrategy) and type(agent).predict is SignalStrategy.predict:
        replay.play(agent.actions(replay.decisions))
    else:
        _decide(replay, agent)
    return Episode(
        table=replay.table(),
        trades=replay.trades(),
        bars_per_year=replay.candles.bars_per_year,
        optimistic=settings.optimistic,
        purchase=settings.purchase,
        funding=settings.funding_bps_per_day / 1e4 * (replay.candles.bar / DAY),
        middle=(settings.lowest_exposure + settings.max_leverage) / 2,
        refused=replay.refused(),
        carry_first=settings.fill == "next_close",
    )


def _decide(replay: Replay, agent: Agent) -> None:
    """Bar by bar: what the agent sees depends on what it did."""
    state, start = None, np.ones(1, bool)
    while not replay.over:
        action, state = agent.predict(replay.observe(), state, start, deterministic=True)
        replay.step(action)
        start = np.zeros(1, bool)
