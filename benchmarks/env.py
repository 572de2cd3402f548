"""How fast the environments step, against a peer measured in the same run: a memory copy of the observations alone.

    python -m benchmarks.env

Random orders, 64 features, one core. The copy writes the same bytes and does nothing else: no env that hands out fresh
observations can be faster than that.
"""

import platform
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from envs import REWARDS, BitcoinTradingEnv, BitcoinTradingVecEnv, EnvSettings
from market import simulate

FEATURES = 64
BARS = 20_000


def rate(step: Callable[[], object], per_call: int, seconds: float = 1.0) -> float:
    """Steps a second: the best of three runs, after one call that compiles."""
    step()
    best = 0.0
    for _ in range(3):
        calls, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds / 3:
            step()
            calls += 1
        best = max(best, calls * per_call / (time.perf_counter() - begin))
    return best


def main() -> None:
    candles = simulate("bitcoin", BARS, seed=0)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(BARS, FEATURES)).astype(np.float32)
    machine = platform.processor() or platform.machine()
    table = Table(title=f"env-steps a second, {FEATURES} features, {machine}", title_justify="left")
    for heading in ("environment", "reward", "steps/s", "of the copy"):
        table.add_column(heading, justify="left" if heading in ("environment", "reward") else "right")
    for n in (256, 1_024):
        rows, width = rng.integers(0, BARS, n), FEATURES + 5
        source = np.zeros((BARS, width), np.float32)
        copy = rate(lambda source=source, rows=rows: source[rows], n)
        table.add_row(f"copy of {n} rows", "", f"{copy:,.0f}", "1.00")
        for reward in REWARDS:
            env = BitcoinTradingVecEnv(candles, features, EnvSettings(reward=reward), n_envs=n, seed=0)
            env.reset()
            actions = rng.integers(0, 12, (64, n))
            turn = iter(range(10**9))
            speed = rate(lambda env=env, actions=actions, turn=turn: env.step(actions[next(turn) % 64]), n)
            table.add_row(f"BitcoinTradingVecEnv, {n} envs", reward, f"{speed:,.0f}", f"{speed / copy:.2f}")
    single = BitcoinTradingEnv(candles, features, EnvSettings(reward="sortino"))
    single.reset(seed=0)

    def scalar_step() -> None:
        _, _, terminated, truncated, _ = single.step(int(rng.integers(12)))
        if terminated or truncated:
            single.reset()

    table.add_row("BitcoinTradingEnv", "sortino", f"{rate(scalar_step, 1):,.0f}", "")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
