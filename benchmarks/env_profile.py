"""Where the time of one vectorised step goes: `python -m benchmarks.env --profile` prints it."""

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.table import Table

from envs import BitcoinTradingVecEnv, kernel
from envs.reward_loops import scorer

STEPS = 4_000
SECTIONS = ("the rest, in Python", "a step, its share of ends included")  # a line follows these


def table(columns: dict[int, dict[str, float]]) -> Table:
    """The parts, in microseconds, by number of envs."""
    made = Table(title="one step of BitcoinTradingVecEnv, sortino over 64 bars, in microseconds", title_justify="left")
    made.add_column("part (medians, of steps in which no episode ends)")
    for n in columns:
        made.add_column(f"{n:,} envs", justify="right")
    for name in next(iter(columns.values())):
        made.add_row(name, *(f"{column[name]:.2f}" for column in columns.values()), end_section=name in SECTIONS)
    return made


def parts(env: BitcoinTradingVecEnv, actions: Iterator[np.ndarray], copy: Callable[[float], float]) -> dict[str, float]:
    """Microseconds of each part of a step; `copy` gives the rows a second of a copy of the same bytes."""
    trading, read, step, score = env.trading, Timed(env.trading._read), Timed(kernel.step), Timed(scorer(env.trading._reward))
    whole, n_ended = Timed(env.step), []

    def one_after_the_other(*arguments: Any) -> tuple[int, int]:  # in two calls what the env does in one
        (_, _, rules, accounts, returns), rewards = arguments[:5], arguments[-1]
        return step(*arguments[:-1]), score(rules, accounts, returns, rewards)

    with patch.object(trading, "_read", read), patch.object(trading, "_step", one_after_the_other):
        for _ in range(STEPS):
            n_ended.append(whole(next(actions))[2].sum())
    ends = np.array(n_ended)
    allocated, dispatched, observed = alone(*step.arguments)
    inside = {
        "reading the actions": read.median(ends == 0),
        "allocating the results": allocated,
        "kernel.step": step.median(ends == 0),
        "the score": score.median(ends == 0),
    }
    quiet = whole.median(ends == 0)
    end = whole.median(ends == 1) - quiet
    return inside | {
        "the rest, in Python": quiet - sum(inside.values()),
        "a step in which no episode ends": quiet,
        "what an episode's end adds": end,
        "episodes that end in a step, on average": ends.mean(),
        "a step, its share of ends included": quiet + end * ends.mean(),
        "kernel.step of no accounts: the call alone": dispatched,
        "kernel.observe alone, each time one bar on": observed,
        "a copy of the same bytes, each time one bar on": float(np.median([env.num_envs / copy(0.05) * 1e6 for _ in range(40)])),
    }


def alone(bars: Any, features: Any, rules: Any, accounts: Any, *others: Any) -> tuple[float, float, float]:
    """Microseconds to allocate what a step returns, to call the kernel, and to observe; `others`: `kernel.step`'s arguments."""
    _, _, observations, terminated, truncated, _ = others
    n = len(accounts)
    allocate = Timed(lambda: [np.empty_like(like) for like in (observations, accounts["bar"], terminated, truncated)])
    nothing = [array[:0] for array in (accounts, *others)]
    call, observe = Timed(kernel.step), Timed(kernel.observe)
    moved = accounts.copy()
    start = np.random.default_rng(0).integers(len(bars) - 1_024, size=n)
    for turn in range(STEPS):
        allocate()
        call(bars, features, rules, *nothing)
        moved["bar"] = start + turn % 1_024
        observe(bars, features, rules, moved, observations, 0, len(moved))
    return allocate.median(), call.median(), observe.median()


class Timed:
    """A function that notes how long each call of it took, in nanoseconds, and the arguments of the last."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.spent: list[int] = []

    def __call__(self, *arguments: Any) -> Any:
        begin = perf_counter_ns()
        result = self.function(*arguments)
        self.spent.append(perf_counter_ns() - begin)
        self.arguments = arguments
        return result

    def median(self, which: Any = slice(None)) -> float:
        """In microseconds, of these calls."""
        return float(np.median(np.array(self.spent)[which])) / 1e3
