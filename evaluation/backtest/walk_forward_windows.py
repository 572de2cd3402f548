"""Walk-forward: the test range as a trader would have lived through it, with a training anew at the start of each window.

Source: Pardo (2008), "The Evaluation and Optimization of Trading Strategies", chapter 11.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from gymnasium import spaces

from agents import Agent
from common import InputError
from envs import ACCOUNT_COLUMNS, EnvSettings
from evaluation.backtest.names import BUY_AND_HOLD, WALK_FORWARD
from evaluation.backtest.subperiods import growths
from evaluation.episode import Episode, play
from features import AnyFeatures
from market import Part, Split

MIN_WINDOW_BARS = 50


@dataclass(frozen=True, eq=False)
class WalkForward:
    """What `walk_forward` came to.

    Args:
        episode: one account through the whole range; nothing is sold where one agent hands over to the next.
        first_bars: where the windows begin, in bars of the range; the first is 0.
        splits: what each window's agent was trained and validated on.
    """

    episode: Episode
    first_bars: tuple[int, ...]
    splits: tuple[Split, ...]

    def windows(self, hold: Episode) -> pd.DataFrame:
        """A row a window: `first` and `last` bar, log growth of the episode and of buy and hold."""
        edges = np.array([*self.first_bars, len(hold.table) - 1])
        return growths({WALK_FORWARD: self.episode, BUY_AND_HOLD: hold}, edges)


def walk_forward(
    parts: Split,
    test: Part,
    env: EnvSettings,
    training: Callable[[Split], tuple[Agent, AnyFeatures]],
    n_windows: int,
    on_window: Callable[[int, Split], None] = lambda window, split: None,
) -> WalkForward:
    """Train before each window on all bars before it, the last of them as validation, and let that agent play the window.

    A window's agent begins without memory, and with the position that the one before left. Its validation has as many bars as
    that of `parts`, with the same purge before and after it, so the first window's training is that of `parts` itself.

    Args:
        parts: the split whose test range it is.
        test: the range, as the ledger has opened it.
        env: the rules of trading, and its costs.
        training: trains on what it is given; returns the agent and what it sees.
        n_windows: windows of one length; the last one takes the bars that are left over.
        on_window: called before each training, with the number of the window, from 0, and what is trained on.

    Raises:
        InputError: windows of fewer than 50 bars.
    """
    first_bars = _first_bars(len(test), n_windows)
    splits = tuple(_before(parts, test, test.start + first) for first in first_bars)
    members: list[tuple[Agent, np.ndarray]] = []
    for window, split in enumerate(splits):
        on_window(window, split)
        agent, features = training(split)
        members.append((agent, features.transform(test.candles, since=test.start).values))
    relay = Relay(first_bars, members)
    return WalkForward(play(test.candles, np.zeros((len(test), 0), np.float32), env, relay), first_bars, splits)


class Relay:
    """One trader of several agents, each of whom decides from its first bar to the next one's.

    Each sees its own features, which another has not, and the account, which they share; the env's features are not looked at.

    Args:
        first_bars: increasing, the first is 0.
        members: for each, the agent and its features, float32 (T, F), a row for each bar of the range.
    """

    def __init__(self, first_bars: Sequence[int], members: Sequence[tuple[Agent, np.ndarray]]) -> None:
        self.first_bars = np.array(first_bars)
        self.members = members

    @property
    def action_space(self) -> spaces.Space[Any]:
        return self.members[0][0].action_space  # type: ignore[attr-defined]

    def predict(
        self,
        observation: np.ndarray,
        state: tuple[int, Any] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, tuple[int, Any]]:
        """The action for the bar that `state`, the bars so far and the memory of who decides, has come to."""
        bar, memory = (0, None) if state is None else state
        member = int(np.searchsorted(self.first_bars, bar, side="right")) - 1
        agent, rows = self.members[member]
        begins = bar == self.first_bars[member]
        seen = np.concatenate((rows[bar], observation[-len(ACCOUNT_COLUMNS) :]))
        action, memory = agent.predict(seen, None if begins else memory, np.array([begins]), deterministic)
        return action, (bar + 1, memory)


def _first_bars(bars: int, n_windows: int) -> tuple[int, ...]:
    if n_windows < 1 or bars // n_windows < MIN_WINDOW_BARS:
        raise InputError(
            f"each window needs at least {MIN_WINDOW_BARS} bars, but {n_windows} windows of a test range of {bars:,} bars were "
            f"asked for; take 1 to {bars // MIN_WINDOW_BARS}"
        )
    return tuple(window * (bars // n_windows) for window in range(n_windows))


def _before(parts: Split, test: Part, start: int) -> Split:
    """All bars before `start`, laid out as in `parts`: train, purge, validation, purge."""
    purge = parts.validation.start - len(parts.train.candles)
    end = start - purge
    first = end - len(parts.validation)
    return replace(
        parts,
        train=Part("train", test.candles[: first - purge], 0),
        validation=Part("validation", test.candles[:end], first),
    )
