"""How fast the environments step, against their peers and against a plain copy of the observations, all in the same run.

    python -m benchmarks.env                # a few minutes, more when the peers are installed first (into .venv-peers/)
    python -m benchmarks.env --no-peers --seconds 1
    python -m benchmarks.env --profile      # where the time of one vectorised step goes
    python -m benchmarks.env --keep

Random actions drawn beforehand, 64 features, one core, resets included; as many envs as the vectorised peer has. A second is
one of the processor, so that other work on the machine does not count. All rows take short turns, round after round, so that
a slow phase of the machine hits all of them; the best turn and the median one are shown. The copy gathers as many rows of as
many bytes as the observations have, each time one bar on, and does nothing else: nothing that hands out fresh observations is
faster.
"""

import argparse
import os
import re
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TypeVar

import numpy as np
from gymnasium import spaces
from rich.console import Console
from rich.table import Table

from benchmarks import env_profile
from benchmarks.figures import keep, machine, option
from benchmarks.peers.clock import play, rate
from benchmarks.peers.host import PEERS, Peer, PeerError
from envs import ACCOUNT_COLUMNS, REWARDS, BitcoinTradingEnv, BitcoinTradingVecEnv, BitcoinTradingVectorEnv, EnvSettings
from envs.accounts import Trading
from market import Candles, simulate

FEATURES = 64
COUNTS = (256, 1_024, 4_096, 16_384)
BARS = 20_000
TURN = 0.1  # seconds
PROFILES = 5
"""of a step, of which the quickest is shown: its parts are timed by the clock on the wall"""
EVERYTHING = EnvSettings(
    action_scheme="targets", targets=(-2.0, -1.0, 0.0, 1.0, 2.0), shorts=True, max_leverage=2.0, stop_loss=0.05, take_profit=0.1
)
AnyVecEnv = BitcoinTradingVecEnv | BitcoinTradingVectorEnv
VecEnv = TypeVar("VecEnv", bound=AnyVecEnv)


@dataclass
class Row:
    """What is measured; without `measure`, `setting` says why not."""

    environment: str
    setting: str
    n_envs: int = 0
    measure: Callable[[float], float] | None = None
    """steps a second, over this many seconds"""
    peer: bool = False
    rates: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        return max(self.rates, default=float("nan"))


def main() -> None:
    parser = option(argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter))
    parser.add_argument("--seconds", type=float, default=2.0, help="time a row")
    parser.add_argument("--no-peers", action="store_true", help="measure ours and the copy alone")
    parser.add_argument("--profile", action="store_true", help="show only where the time of one vectorised step goes")
    options = parser.parse_args()
    if options.keep and (options.no_peers or options.profile):
        parser.error("figures are kept with those of the peers; leave out --keep, or --no-peers and --profile")
    console = Console(width=110)
    one_core()
    candles = simulate("bitcoin", BARS, seed=0)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(BARS, FEATURES)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder, peers(candles, features, Path(folder), options) as theirs:
        take = {n: copying(n, rng) for n in COUNTS}
        if options.profile or options.keep:
            envs = {n: vectorised(candles, features, EnvSettings(), n, rng, BitcoinTradingVecEnv) for n in (256, 1_024)}
            profile = {n: quietest([env_profile.parts(*envs[n], take[n]) for _ in range(PROFILES)]) for n in envs}
            console.print(env_profile.table(profile))
        if options.profile:
            return
        copies = {n: Row("copy of observations", "np.take", n, measure) for n, measure in take.items()}
        memory = peak_memory(candles, features, 4_096)
        rows = [*copies.values(), *ours(candles, features, rng), *theirs]
        for _ in range(max(1, round(options.seconds / TURN))):
            for row in rows:
                if row.measure:
                    row.rates.append(row.measure(TURN))
    console.print(table(rows, copies))
    console.print(f"4,096 envs take {memory / 1e6:.1f} MB beyond the features (tracemalloc's peak, construction and 100 steps)")
    if options.keep:
        keep("env", compared(rows) | parts_of_a_step(profile[1_024]))


def ours(candles: Candles, features: np.ndarray, rng: np.random.Generator) -> Iterator[Row]:
    def row(setting: str, settings: EnvSettings, n: int, kind: type[AnyVecEnv] = BitcoinTradingVecEnv) -> Row:
        env, actions = vectorised(candles, features, settings, n, rng, kind)
        return Row(kind.__name__, setting, n, partial(rate, lambda: env.step(next(actions)), n))

    sortino = EnvSettings(reward="sortino")
    for n in COUNTS:
        yield row("sortino", sortino, n)
    for reward in REWARDS:
        if reward != "sortino":
            yield from (row(reward, EnvSettings(reward=reward), n) for n in (256, 1_024))
    yield row("margin and stops", EVERYTHING, 1_024)
    yield row("square-root impact", EnvSettings(impact=1.0), 1_024)
    yield row("sortino", sortino, 1_024, BitcoinTradingVectorEnv)
    env = BitcoinTradingEnv(candles, features, sortino)
    env.reset(seed=0)
    actions = rng.integers(number_of_actions(env.action_space), size=1_000).tolist()
    yield Row("BitcoinTradingEnv", "sortino", 1, partial(rate, partial(play, env, actions), len(actions)))


def vectorised(
    candles: Candles,
    features: np.ndarray,
    settings: EnvSettings,
    n: int,
    rng: np.random.Generator,
    kind: type[VecEnv],
) -> tuple[VecEnv, Iterator[np.ndarray]]:
    """An env that is under way, compiled, and random actions without end."""
    env = kind(candles, features, settings, n)
    env.reset()
    spread_ends(env.trading, rng)
    actions = cycle(rng.integers(number_of_actions(env.trading.action_space), size=(64, n)))
    env.step(next(actions))
    return env, actions


def number_of_actions(space: spaces.Space) -> int:
    assert isinstance(space, spaces.Discrete)
    return int(space.n)


def spread_ends(trading: Trading, rng: np.random.Generator) -> None:
    """Let the first episodes end one by one: if all ended at the same bar, a short turn would have all resets or none."""
    trading.accounts.last_bar = trading.accounts.bar + rng.integers(1, trading.settings.episode_bars + 1, len(trading.accounts))


def copying(n: int, rng: np.random.Generator) -> Callable[[float], float]:
    """`np.take`, which gathers faster than an index in brackets, of rows that move on as an account's bar does."""
    source = rng.normal(size=(BARS, FEATURES + len(ACCOUNT_COLUMNS))).astype(np.float32)
    start = rng.integers(BARS - 1_024, size=n)
    bars = cycle(range(1_024))
    return partial(rate, lambda: source.take(start + next(bars), axis=0), n)


def peak_memory(candles: Candles, features: np.ndarray, n: int) -> int:
    """Bytes for `n` envs and 100 of their steps; neither the features nor the compiled code."""
    rng = np.random.default_rng(0)
    vectorised(candles, features, EnvSettings(), 2, rng, BitcoinTradingVecEnv)
    tracemalloc.start()
    env = BitcoinTradingVecEnv(candles, features, EnvSettings(), n)
    env.reset()
    actions = rng.integers(12, size=n)
    for _ in range(100):
        env.step(actions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def compared(rows: list[Row]) -> dict[str, float]:
    """The best rates of the peers, of their counterparts here and of the copy, and how many times the peer's ours is."""
    quoted = [row for row in rows if row.peer or row.setting in ("sortino", "np.take")]
    figures = {named(row): row.best for row in quoted if row.environment != "BitcoinTradingVectorEnv"}
    for n in COUNTS:
        figures[f"times_{n}"] = figures[f"BitcoinTradingVecEnv_sortino_{n}"] / figures[f"torchtrade_vectorised_{n}"]
    figures["anytrading_times"] = figures["gym_anytrading_64_features"] / figures["BitcoinTradingEnv_sortino"]
    usual, margin, impact = (
        next(row.best for row in rows if row.n_envs == 1_024 and row.setting == setting)
        for setting in (EnvSettings().reward, "margin and stops", "square-root impact")
    )
    return figures | {"margin_costs": usual / margin - 1, "impact_costs": usual / impact - 1}


def named(row: Row) -> str:
    """Package or class, setting and number of envs, as the name of a figure."""
    name = re.sub(r"\W+", "_", f"{row.environment.split()[0]} {row.setting.replace(',', '')}")
    return name if row.n_envs == 1 or name.endswith(f"_{row.n_envs}") else f"{name}_{row.n_envs}"


def quietest(profiles: list[dict[str, float]]) -> dict[str, float]:
    return min(profiles, key=lambda parts: parts["a step in which no episode ends"])


def parts_of_a_step(parts: dict[str, float]) -> dict[str, float]:
    """Microseconds, of 1,024 envs."""
    observed = parts["kernel.observe alone, each time one bar on"]
    return {
        "step_reading_us": parts["reading the actions"] + parts["allocating the results"],
        "step_orders_us": parts["kernel.step"] - observed,
        "step_observing_us": observed,
        "step_copy_us": parts["a copy of the same bytes, each time one bar on"],
        "step_reward_us": parts["the score"],
        "step_rest_us": parts["the rest, in Python"],
        "step_ends_us": parts["what an episode's end adds"] * parts["episodes that end in a step, on average"],
    }


@contextmanager
def peers(candles: Candles, features: np.ndarray, folder: Path, options: argparse.Namespace) -> Iterator[list[Row]]:
    """Rows of the peers, whose processes run meanwhile; a peer that cannot be had is a row that says why."""
    rows, running = [], []
    path = folder / "market.npz"
    np.savez(
        path, time=candles.index.tz_localize(None).to_numpy(), features=features, open=candles.column("open"),
        high=candles.column("high"), low=candles.column("low"), close=candles.column("close"), volume=candles.column("volume"),
    )  # fmt: skip
    for package in () if options.no_peers or options.profile else PEERS:
        try:
            peer = Peer(package, path)
        except PeerError as error:
            rows.append(Row(package, str(error), peer=True))
            continue
        running.append(peer)
        for number, (setting, n) in enumerate(peer.settings.items()):
            rows.append(Row(peer.name, setting, n, partial(peer.rate, number), peer=True))
    try:
        yield rows
    finally:
        for peer in running:
            peer.stop()


def table(rows: list[Row], copies: dict[int, Row]) -> Table:
    title = f"env-steps a second: {FEATURES} features, random actions, one core of {machine()}"
    caption = "of copy: of the best copy of as many rows; x peer: times the fastest peer with as many envs"
    made = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for heading in ("environment", "setting"):
        made.add_column(heading)
    for heading in ("envs", "best", "median", "of copy", "x peer"):
        made.add_column(heading, justify="right")
    for last, row in zip([*rows[1:], rows[0]], rows, strict=True):
        copy = copies.get(row.n_envs)
        share = f"{row.best / copy.best:.0%}" if copy and row.rates else ""
        rivals = [other.best for other in rows if other.peer and other.rates and other.n_envs == row.n_envs]
        times = f"{row.best / max(rivals):,.2f}" if rivals and row.rates and row is not copy else ""
        figures = (f"{row.n_envs:,}", f"{row.best:,.0f}", f"{np.median(row.rates):,.0f}") if row.rates else ("", "", "")
        made.add_row(row.environment, row.setting, *figures, share, times, end_section=row.environment != last.environment)
    return made


def one_core() -> None:
    """Stay on one core, where the system lets us; processes begun later do too."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
