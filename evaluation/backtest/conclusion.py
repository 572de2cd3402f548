"""Puts a backtest together: everyone plays, the figures are counted, the agent is judged, and all of it becomes an `Outcome`."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from envs import OPTIMISTIC
from evaluation.backtest.contest import RANDOM_TRADERS, Contest
from evaluation.backtest.names import AGENT, BUY_AND_HOLD, NOT_RIVALS, SAME_EXPOSURE, WALK_FORWARD
from evaluation.backtest.outcome import Outcome
from evaluation.backtest.subperiods import monthly_returns, windows
from evaluation.backtest.trained_run import TrainedRun
from evaluation.backtest.walk_forward_windows import WalkForward
from evaluation.episode import Episode
from evaluation.statistics.bootstrap import iqm
from evaluation.statistics.bootstrap_intervals import intervals
from evaluation.statistics.figures_of_merit import FIGURES, Metrics, log_growth, metrics
from evaluation.statistics.verdict import judge
from market import money_of

CANDLE_COLUMNS = ["open", "high", "low", "close", "volume"]


def conclude(
    contest: Contest,
    trained: TrainedRun,
    openings: int | None,
    bootstrap: bool = True,
    walked: WalkForward | None = None,
    notes: tuple[str, ...] = (),
    other_looks: int = 0,
) -> Outcome:
    """What the contest comes to.

    Args:
        openings: of the test range so far, this one included; None if unknown.
        bootstrap: give every figure its interval, which takes most of the time.
        walked: plays beside the others, and its windows take the place of four even ones.
        notes: further lines below the table.
        other_looks: at the test ranges of the agent's other coins, of which the best might be shown.
    """
    played = contest.play()
    episodes = dict(played.episodes)
    if walked:
        episodes[WALK_FORWARD] = walked.episode
    agent, hold, index = episodes[AGENT], episodes[BUY_AND_HOLD], contest.bars.index
    figures = {name: metrics(episode) for name, episode in episodes.items()}
    oracle = share_in_words(log_growth(agent), played.oracle_growth)
    standing = in_words(figures, trained.seeds, played.share_below, agent.optimistic)
    told = (standing, oracle, short_in_words(agent), *refusals_in_words(episodes, played.unable), *notes)
    return Outcome(
        title=f"{contest.bars.symbol}, test range {index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}",
        candles=contest.bars.frame[CANDLE_COLUMNS],
        ends=contest.bars.ends,
        episodes=episodes,
        figures=figures,
        intervals={name: intervals(episode) for name, episode in episodes.items()} if bootstrap else {},
        seeds=trained.seeds,
        over_seeds=_over_seeds([figures[name] for name in trained.seeds]),
        costs=played.costs,
        monthly=monthly_returns(episodes),
        learning=trained.learning,
        windows=walked.windows(hold) if walked else windows(episodes),
        verdict=judge(
            agent, hold, trials=trained.trials, openings=openings, other_looks=other_looks,
            sharpe_spread=trained.sharpe_spread, overfitting=trained.overfitting,
        ),
        notes=tuple(line for line in told if line),
        optimistic=agent.optimistic,
        unable=played.unable,
        money=money_of(contest.bars.symbol) or "money",
        validated=trained.validated,
    )  # fmt: skip


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All of it but the curves, as JSON values."""
    windows = outcome.windows.assign(**{name: outcome.windows[name].astype(str) for name in ("first", "last")})
    index = outcome.candles.index
    return {
        "verdict": outcome.verdict.as_json(),
        "test_range": {"first": str(index[0]), "last": str(index[-1]), "bars": len(index)},
        "optimistic": outcome.optimistic,
        "strategies": outcome.figures,
        "intervals": outcome.intervals,
        "seeds": list(outcome.seeds),
        "over_seeds": outcome.over_seeds,
        "total_return_by_fee_multiple": _rows(outcome.costs),
        "monthly_returns": _rows(outcome.monthly.T),
        "windows": windows.to_dict("records"),
        "could_not_trade": dict(outcome.unable),
        "notes": list(outcome.notes),
    }


def _over_seeds(figures: list[Metrics]) -> dict[str, tuple[float, float, float]]:
    """Interquartile mean over the seeds, with its interval, of each figure that all of them have."""
    columns = {name: [each[name] for each in figures] for name in FIGURES if figures}
    return {name: iqm(np.array(column, float)) for name, column in columns.items() if None not in column}


def _rows(table: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Row by row, None for NaN."""
    plain = table.astype(object).where(table.notna(), None)
    return {str(name): {str(key): value for key, value in row.items()} for name, row in plain.iterrows()}


def short_in_words(agent: Episode) -> str:
    """What becomes of "buy and hold, same exposure" beside an agent that was short on average; empty beside any other."""
    exposure = float(agent.table["position"].iloc[1:].mean())
    return f"{SAME_EXPOSURE}: stays in cash, since the agent's mean exposure was {exposure:.0%}." if exposure < 0 else ""


def refusals_in_words(episodes: Mapping[str, Episode], unable: Mapping[str, str]) -> tuple[str, ...]:
    """A line for who could not trade at all, one for each; and one line for orders of others that were refused."""
    lines = [f"COULD NOT TRADE: {name}, {words}." for name, words in unable.items()]
    some = [
        f"{name} {sum(episode.refused.values()):,} ({', '.join(episode.refused)})"
        for name, episode in episodes.items()
        if name not in unable and episode.refused
    ]
    return (*lines, f"Orders that were refused: {'; '.join(some)}.") if some else tuple(lines)


def share_in_words(agent: float, oracle: float | None) -> str:
    """How the agent's log growth stands to the oracle's, where there is an oracle."""
    if oracle is None:
        return ""
    if oracle <= 0:
        return "Here the best policy never trades: the oracle stayed in cash."
    made = f"{math.exp(min(oracle, 700.0)):,.4g}x"
    return (
        f"The oracle, who sees the simulated market's state, made {made}; of its log growth the agent found {agent / oracle:.0%}."
    )


def in_words(figures: Mapping[str, Metrics], seeds: tuple[str, ...], share_below: float, optimistic: bool = False) -> str:
    """How the agent stands; what may be concluded from it, the verdict says.

    Args:
        figures: of all strategies.
        seeds: the names among them that are seeds of the agent.
        share_below: `Contest.share_below`.
        optimistic: the orders filled at a price that was known.
    """
    agent, hold = (1 + (figures[name]["total_return"] or 0.0) for name in (AGENT, BUY_AND_HOLD))
    rivals = [name for name in figures if name not in (*NOT_RIVALS, *seeds)]
    beaten = [name for name in rivals if (figures[name]["total_return"] or 0.0) < agent - 1]
    order = "equal to" if f"{agent:.2f}" == f"{hold:.2f}" else "above" if agent > hold else "below"
    return (
        f"The agent made {agent:.2f}x its start, {order} buy and hold's {hold:.2f}x; it ended above {len(beaten)} of "
        f"{len(rivals)} others, and above {share_below:.0%} of {RANDOM_TRADERS} random traders with its turnover and exposure."
        + (f" {OPTIMISTIC}" if optimistic else "")
    )
