"""Puts a backtest together: everyone plays, the figures are counted, the agent is judged, and all of it becomes an `Outcome`."""

from typing import Any

import numpy as np
import pandas as pd

from evaluation.backtest import AGENT, BUY_AND_HOLD, WALK_FORWARD, Contest, in_words, share_in_words
from evaluation.bootstrap import iqm
from evaluation.intervals import intervals
from evaluation.metrics import FIGURES, Metrics, log_growth, metrics
from evaluation.outcome import Outcome
from evaluation.periods import monthly_returns, windows
from evaluation.trained_run import TrainedRun
from evaluation.verdict import judge
from evaluation.walk_forward import WalkForward

CANDLE_COLUMNS = ["open", "high", "low", "close", "volume"]


def conclude(
    contest: Contest,
    trained: TrainedRun,
    openings: int,
    bootstrap: bool = True,
    walked: WalkForward | None = None,
    notes: tuple[str, ...] = (),
) -> Outcome:
    """What the contest comes to.

    Args:
        openings: of the test range so far, this one included.
        bootstrap: give every figure its interval, which takes most of the time.
        walked: plays beside the others, and its windows take the place of four even ones.
        notes: further lines below the table.
    """
    episodes = contest.play()
    costs, below = contest.costs(episodes), contest.share_below(episodes[AGENT])
    if walked:
        episodes[WALK_FORWARD] = walked.episode
    agent, hold, index = episodes[AGENT], episodes[BUY_AND_HOLD], contest.bars.index
    figures = {name: metrics(episode) for name, episode in episodes.items()}
    oracle = share_in_words(log_growth(agent), contest.oracle_growth())
    told = (in_words(figures, trained.seeds, below, agent.optimistic), oracle, *notes)
    return Outcome(
        title=f"{contest.bars.symbol}, test range {index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}",
        candles=contest.bars.frame[CANDLE_COLUMNS],
        episodes=episodes,
        figures=figures,
        intervals={name: intervals(episode) for name, episode in episodes.items()} if bootstrap else {},
        seeds=trained.seeds,
        over_seeds=_over_seeds([figures[name] for name in trained.seeds]),
        costs=costs,
        monthly=monthly_returns(episodes),
        learning=trained.learning,
        windows=walked.windows(hold) if walked else windows(episodes),
        verdict=judge(
            agent, hold, trials=trained.trials, openings=openings,
            sharpe_spread=trained.sharpe_spread, overfitting=trained.overfitting,
        ),
        notes=tuple(line for line in told if line),
        optimistic=agent.optimistic,
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
