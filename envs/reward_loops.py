"""How rewards are paid: a reward, compiled into the loop over all accounts."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

from common import InputError, provider, unknown
from envs.kernel import ACCOUNT, RULES
from envs.rewards import REWARDS, Fold, Reward

PAID_BOUND = 1e9

Scorer = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], int]


@lru_cache
def scorer(reward: Reward) -> Scorer:
    """`score(rules, accounts, returns, out)`: the reward of every account after its step, float32 (N,), 0 before the first.

    `returns` is of `new_returns`. The reward is compiled into the loop, since as an argument its dispatch alone would cost more
    than 100 accounts.

    It returns the first account whose reward is NaN, or -1.

    Raises:
        InputError: something else than an njit function or a `Fold` of such, or one that does not compile.
    """
    for part in (reward.lift, reward.combine, reward.value) if isinstance(reward, Fold) else (reward,):
        if not hasattr(part, "py_func"):
            raise InputError(f"a reward must be a function under numba's `@njit`, but got {part!r}")
    score = _fold_scorer(reward) if isinstance(reward, Fold) else _window_scorer(reward)
    try:
        score(np.zeros(1, RULES), np.zeros(0, ACCOUNT), new_returns(reward, 0, 2), np.zeros(0, np.float32))
    except Exception as error:  # numba raises many kinds, such as KeyError for a field that the account lacks
        why = " ".join(line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Failed in"))
        raise InputError(
            f"a reward must compile as `reward(returns, account, annualization)` and give a float, but {reward!r} does not: "
            f"{why[:300]}"
        ) from error
    return score


def named(reward: Reward | str) -> Reward:
    """The reward of that name, or what is no name itself."""
    if not isinstance(reward, str):
        return reward
    if reward not in REWARDS:
        raise InputError(unknown("reward", reward, REWARDS))
    return REWARDS[reward]


def require_own_reward(name: str) -> None:
    """Raise `InputError` for a plugin's reward that does not compile, before anything is made for it."""
    if provider("REWARDS", name):
        scorer(REWARDS[name])


def stride_of(reward: Reward) -> int:
    """Floats a bar that an account keeps of its window: 1 for a function, the return; 5 for a fold, the return and the 4 parts of
    the stretch from this bar to where the window was cut, side by side since they are wanted together."""
    return 5 if isinstance(reward, Fold) else 1


def new_returns(reward: Reward, n: int, window: int) -> np.ndarray:
    """What `kernel.step` writes the returns of `n` accounts to."""
    return np.zeros((n, max(stride_of(reward), 2) * window))


def _window_scorer(reward: Callable[[np.ndarray, Any, float], float]) -> Scorer:
    @njit(error_model="numpy")
    def score(rules, accounts, returns, out):  # type: ignore[no-untyped-def]
        window, annualization = rules[0].window, rules[0].annualization
        for i in range(len(out)):
            account = accounts[i]
            out[i] = 0.0
            if account.steps > 0:
                end = account.slot + window if account.slot > 0 else 2 * window
                trailing = returns[i, end - min(account.steps, window) : end]
                reward_now = reward(trailing, account, annualization)
                if np.isnan(reward_now):
                    return i
                out[i] = min(max(reward_now, -PAID_BOUND), PAID_BOUND)
                account.reward_sum += out[i]
        return -1

    return score


def _fold_scorer(fold: Fold) -> Scorer:
    lift, combine, value = fold.lift, fold.combine, fold.value

    @njit(error_model="numpy")
    def score(rules, accounts, returns, out):  # type: ignore[no-untyped-def]
        window, annualization = rules[0].window, rules[0].annualization
        for i in range(len(out)):
            account = accounts[i]
            out[i] = 0.0
            if account.steps > 0:
                memory = account.memory
                last = account.slot - 1 if account.slot > 0 else window - 1
                newer = lift(returns[i, 5 * last])
                if last > 0:
                    newer = combine((memory[0], memory[1], memory[2], memory[3]), newer)
                memory[0], memory[1], memory[2], memory[3] = newer
                parts = newer
                if account.steps > window and last < window - 1:
                    at = 5 * last + 6
                    parts = combine((returns[i, at], returns[i, at + 1], returns[i, at + 2], returns[i, at + 3]), newer)
                if last == window - 1:
                    cut(returns[i], window)
                reward_now = value(parts, min(account.steps, window), annualization)
                if np.isnan(reward_now):
                    return i
                out[i] = min(max(reward_now, -PAID_BOUND), PAID_BOUND)
                account.reward_sum += out[i]
        return -1

    @njit(error_model="numpy")
    def cut(row, window):  # type: ignore[no-untyped-def]
        """The window is full: write the parts of its stretches [k, window), from the last to the first."""
        parts = lift(row[5 * window - 5])
        for at in range(5 * window - 5, -1, -5):
            if at < 5 * window - 5:
                parts = combine(lift(row[at]), parts)
            row[at + 1], row[at + 2], row[at + 3], row[at + 4] = parts

    return score
