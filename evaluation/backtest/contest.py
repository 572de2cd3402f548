"""Plays the agent and everyone it is held against through one range, on one kernel at one cost."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pydantic import ValidationError

from agents import (
    Agent,
    BuyAndHold,
    Flat,
    ForecastFollower,
    RandomTrader,
    SignalStrategy,
    StrategySettings,
    strategies_of,
)
from common import PluginError, blamed, own_names
from envs import EnvSettings, Replay
from evaluation.backtest.names import AGENT, BUY_AND_HOLD, FLAT, FORESIGHT, NAMES, RANDOM, SAME_EXPOSURE
from evaluation.backtest.trained_run import TrainedRun
from evaluation.episode import Episode, play_on
from evaluation.oracles.foresight import PerfectForesight
from evaluation.oracles.simulated_markets import OraclePolicy, best_policy
from evaluation.statistics.figures_of_merit import log_growth
from features import AnyFeatures
from features.forecasters import FittedForecaster
from market import AnySplit, Candles, Part, SimulatedCandles

FEE_MULTIPLES = (0.0, 1.0, 2.0, 4.0)
RANDOM_TRADERS = 200
PATH_END = "_path_end"


@dataclass(frozen=True, eq=False)
class Played:
    """Everything that was played on one range.

    Args:
        episodes: by strategy, all over the same bars: the agent, its seeds, buy and hold, the same at the agent's exposure, the
            rules, a follower of each forecast, flat, a random trader like the agent, perfect foresight.
        costs: total return at other fees, with everyone deciding again; spread and slippage stay as they are. A row a strategy, a
            column for each of `FEE_MULTIPLES`; NaN where a fee is too high to be allowed.
        share_below: share of `RANDOM_TRADERS` random traders with the agent's turnover and exposure that ended below it, 0 to 1.
        oracle_growth: log growth of the best long/flat policy, who sees the hidden state; None on real candles.
        unable: by strategy, why every order of it was refused, such as "1 order refused: below one lot".
    """

    episodes: dict[str, Episode]
    costs: pd.DataFrame
    share_below: float
    oracle_growth: float | None
    unable: dict[str, str]


@dataclass(frozen=True, eq=False)
class Contest:
    """One range, and who plays it.

    Args:
        stage: the range, laid out.
        env: the rules of trading, and its costs.
        agents: the agent first, under the name `AGENT`; its seeds after it.
        rules: the strategies that decide whatever the costs are.
        forecasts: by name float64 (T,), the log return that a forecaster expects at each bar's close over its horizon; T counts
            the bars of the stage.
    """

    stage: Replay
    env: EnvSettings
    agents: dict[str, Agent]
    rules: dict[str, SignalStrategy]
    forecasts: dict[str, np.ndarray]

    @classmethod
    def on(
        cls,
        part: Part,
        features: AnyFeatures,
        env: EnvSettings,
        benchmarks: StrategySettings,
        agents: Mapping[str, Agent],
        forecasters: Mapping[str, FittedForecaster] | None = None,
    ) -> "Contest":
        """Everyone is made ready for that range; the forecasters must know nothing of it."""
        candles, matrix = part.candles, features.transform(part.candles, since=part.start)
        start = len(candles) - len(matrix)
        rules = {name: make(candles) for name, make in strategies_of(benchmarks, start).items()}
        _require_free(rules, {*agents, *NAMES, *(f"follows {name}" for name in forecasters or {})})
        columns = features.out_of_fold(candles).reindex(candles.index).filter(like=PATH_END)
        forecasts = {str(name).removesuffix(PATH_END): column.to_numpy() for name, column in columns.items()}
        forecasts |= {name: fitted.forecast(candles)[:, -1] for name, fitted in (forecasters or {}).items()}
        played = {name: returns[start:] for name, returns in forecasts.items()}
        return cls(Replay(candles, matrix, env), env, dict(agents), rules, played)

    @property
    def bars(self) -> Candles:
        """The bars that are played."""
        return self.stage.candles

    def play(self) -> Played:
        """Let everyone play."""
        episodes = self._episodes()
        unable = {name: refused_in_words(episode) for name, episode in episodes.items() if not len(episode.trades)}
        return Played(
            episodes=episodes,
            costs=self._costs(episodes),
            share_below=self._share_below(episodes[AGENT]),
            oracle_growth=self._oracle_growth(),
            unable={name: words for name, words in unable.items() if words},
        )

    def _episodes(self) -> dict[str, Episode]:
        episodes = {name: play_on(self.stage, self.env, agent) for name, agent in self.agents.items()}
        agent = episodes[AGENT]
        cost = self.env.cost_fraction
        followers = {f"follows {name}": ForecastFollower(returns, 0, cost) for name, returns in self.forecasts.items()}
        last = {FLAT: Flat(), RANDOM: random_like(agent, seed=0), FORESIGHT: PerfectForesight(self.bars, self.env)}
        episodes |= {BUY_AND_HOLD: self._episode(BuyAndHold()), SAME_EXPOSURE: self._hold_at_exposure_of(agent)}
        return episodes | {name: self._episode(other) for name, other in (self.rules | followers | last).items()}

    def _costs(self, episodes: Mapping[str, Episode]) -> pd.DataFrame:
        columns = {}
        for multiple in FEE_MULTIPLES:
            at = episodes if multiple == 1.0 else self._episodes_at(multiple)
            columns[multiple] = {name: _total_return(at[name]) if at else math.nan for name in episodes}
        return pd.DataFrame(columns, index=list(episodes))

    def _share_below(self, agent: Episode) -> float:
        worth = agent.table["net_worth"].iloc[-1]
        others = (self._episode(random_like(agent, seed)) for seed in range(RANDOM_TRADERS))
        return float(np.mean([other.table["net_worth"].iloc[-1] < worth for other in others]))

    def _oracle_growth(self) -> float | None:
        if not isinstance(self.bars, SimulatedCandles):
            return None
        return log_growth(self._episode(OraclePolicy(best_policy(self.bars, self.env.cost_fraction).positions)))

    def _episode(self, strategy: SignalStrategy) -> Episode:
        return play_on(self.stage, self.env, strategy)

    def _episodes_at(self, multiple: float) -> dict[str, Episode]:
        """Nobody plays where the settings allow no such fee."""
        try:
            env = EnvSettings.model_validate(self.env.model_dump() | {"fee_bps": self.env.fee_bps * multiple})
        except ValidationError:
            return {}
        return replace(self, env=env)._episodes()

    def _hold_at_exposure_of(self, agent: Episode) -> Episode:
        """Buys once with so much of the cash that its mean exposure is the agent's, and keeps the rest of it aside.

        In a cash account: all of the cash at most, and nothing for an agent that is short on the whole. It stands for the market,
        so it buys fractions of a lot, and any amount, at the same costs.
        """
        free = self.env.model_copy(update={"lot": 0.0, "min_trade": 0.0})
        hold = play_on(self.stage, free, BuyAndHold())
        if not len(hold.trades):  # no volume to buy from
            free = free.model_copy(update={"impact": 0.0})
            hold = play_on(self.stage, free, BuyAndHold())
        share = _share_for(hold, float(agent.table["position"].iloc[1:].mean()))
        if share == 0.0:
            return self._episode(Flat())
        if share == 1.0:
            return hold
        cash = self.env.initial_cash
        bought = play_on(self.stage, free.model_copy(update={"initial_cash": share * cash}), BuyAndHold())
        return _with_cash_aside(bought, (1 - share) * cash)


def rehearse(parts: AnySplit, trained: TrainedRun, env: EnvSettings, benchmarks: StrategySettings) -> None:
    """Let the strategies of plugins play the validation range, so that a fault of theirs costs no look at the test range.

    Raises:
        PluginError: one that can't be made, has the name of somebody else, or fails while it plays.
    """
    own = own_names("STRATEGIES")
    for coin in parts.coins if own else ():
        contest = Contest.on(coin.validation, trained.features, env, benchmarks, trained.agents)
        for name in sorted(own):
            with blamed("STRATEGIES", name):
                play_on(contest.stage, env, contest.rules[name])


def _require_free(rules: Collection[str], taken: Collection[str]) -> None:
    """A plugin's strategy under the name of somebody else would stand in his place."""
    if both := sorted(set(rules) & set(taken)):
        raise PluginError(f"a strategy needs a name of its own, but there is {both[0]!r} already; rename it in your plugin")


def refused_in_words(episode: Episode) -> str:
    """Such as "3 orders refused: 2 below min_trade, 1 below one lot"; empty if none was."""
    total = sum(episode.refused.values())
    if not total:
        return ""
    kinds = [f"{count:,} {reason}" if len(episode.refused) > 1 else reason for reason, count in episode.refused.items()]
    return f"{total:,} order{'s' if total != 1 else ''} refused: {', '.join(kinds)}"


def random_like(episode: Episode, seed: int) -> RandomTrader:
    """A random trader with the turnover and the exposure of an episode: as many full-sized fills, as many bars held.

    Fills of a part of the net worth, and positions of a part of it, are added up to whole ones.
    """
    worth, decisions = episode.table["net_worth"], len(episode.table) - 1
    at = np.maximum(worth.index.searchsorted(episode.trades["time"]) - 1, 0)  # net worth when the order was decided
    sizes = episode.trades["value"].to_numpy() / worth.to_numpy()[at]
    held = min(round(float(episode.table["position"].abs().sum())), decisions)
    trades = max(round(float(sizes.sum())), 1) if held else 0
    return RandomTrader(decisions, min(trades, 2 * held, 2 * (decisions - held) + 1), held, seed)


def _total_return(episode: Episode) -> float:
    worth = episode.table["net_worth"]
    return float(worth.iloc[-1] / worth.iloc[0] - 1)


def _share_for(hold: Episode, exposure: float) -> float:
    """The share of the cash, 0 to 1, to buy and hold with for a mean exposure; found by bisection, since more cash is more."""
    worth = hold.table["net_worth"].to_numpy()[1:] / hold.table["net_worth"].iloc[0]
    coin = worth * hold.table["position"].to_numpy()[1:]

    def mean(share: float) -> float:
        return float((share * coin / (1 - share + share * worth)).mean())

    if exposure <= 0.0:
        return 0.0
    if exposure >= mean(1.0):
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) < exposure else (low, middle)
    return high


def _with_cash_aside(episode: Episode, cash: float) -> Episode:
    """The same account beside cash that never trades."""
    table = episode.table.copy()
    whole = table["net_worth"] + cash
    table["position"] *= table["net_worth"] / whole
    table["net_worth"] = whole
    return replace(episode, table=table)
