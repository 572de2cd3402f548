"""What the best policy earns on each simulated market, beside buy and hold and perfect foresight: docs/simulated-markets.md.

    python -m benchmarks.simulated_markets           # under a minute
    python -m benchmarks.simulated_markets --keep

20,000 bars of seed 0 at the default costs, played through the trading kernel. On `bitcoin`, more seeds, and what a Kalman
filter of the price reaches that knows the dynamics, where the oracle sees the planted component: its threshold is the best
one in hindsight.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

from agents import Agent, BuyAndHold
from benchmarks.figures import keep, option
from envs import EnvSettings
from evaluation import Episode, play
from evaluation.oracles import OraclePolicy, best_policy, perfect_foresight
from evaluation.statistics import log_growth
from market import MARKETS, Candles, SimulatedCandles, simulate

BARS = 20_000
COSTS = EnvSettings()
SEEDS, FILTERED_SEEDS = range(20), range(3)
THRESHOLDS = np.linspace(0.0, 0.03, 31)
"""of the component's estimate, in log price: its standard deviation on the default market is 0.02"""


def main() -> None:
    parser = option(argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter))
    options, figures, console = parser.parse_args(), dict[str, float](), Console(width=110)
    console.print(markets(figures))
    console.print(more_seeds(figures))
    console.print(filtered(figures))
    if options.keep:
        keep("simulated_markets", figures)


def markets(figures: dict[str, float]) -> Table:
    """Log growth per 1,000 bars."""
    table = Table(title=f"log growth per 1,000 bars, {BARS:,} bars of seed 0", title_justify="left")
    for heading in ("market", "theory", "oracle, played", "buy and hold", "perfect foresight", "trades of the oracle"):
        table.add_column(heading, justify="left" if heading == "market" else "right")
    for name in MARKETS:
        candles = simulate(name, BARS, seed=0)
        best = best_policy(candles, COSTS.cost_fraction)
        oracle, hold = played(candles, OraclePolicy(best.positions)), played(candles, BuyAndHold())
        found = {
            "theory": 1e3 * best.gain, "oracle": grown(oracle), "hold": grown(hold),
            "foresight": 1e3 * perfect_foresight(candles.column("close"), COSTS.cost_fraction).log_wealth / (BARS - 1),
        }  # fmt: skip
        trades = len(oracle.trades) / (BARS - 1) * 1e3
        figures |= {f"{name}_{what}": growth for what, growth in found.items()} | {f"{name}_trades": trades}
        table.add_row(name, *(f"{growth:+.3f}" for growth in found.values()), f"{trades:.0f}")
    return table


def more_seeds(figures: dict[str, float]) -> str:
    """The same policy on other `bitcoin` markets."""
    earned = [grown(played(candles, oracle_of(candles))) for candles in (simulate("bitcoin", BARS, seed=seed) for seed in SEEDS)]
    lowest, median, highest = min(earned), float(np.median(earned)), max(earned)
    share = median / figures["bitcoin_theory"]
    figures |= {"bitcoin_lowest": lowest, "bitcoin_median": median, "bitcoin_highest": highest, "bitcoin_share": share}
    spread = f"median {median:.3f}, {lowest:.3f} to {highest:.3f}"
    return f"the oracle of `bitcoin` over {len(SEEDS)} seeds: {spread}, the median {share:.0%} of theory"


def filtered(figures: dict[str, float]) -> str:
    """The share of the oracle's log growth that a filter of the price finds."""
    for seed in FILTERED_SEEDS:
        candles = simulate("bitcoin", BARS, seed=seed)
        seen = component(candles)
        best = max(grown(played(candles, OraclePolicy(between(seen, threshold)))) for threshold in THRESHOLDS)
        figures[f"kalman_{seed}"] = best / grown(played(candles, oracle_of(candles)))
    shares = ", ".join(f"{figures[f'kalman_{seed}']:.0%}" for seed in FILTERED_SEEDS)
    return f"a Kalman filter of the price, share of the oracle's log growth, seeds {list(FILTERED_SEEDS)}: {shares}"


def component(candles: SimulatedCandles) -> np.ndarray:
    """The mean-reverting component (T,), as a Kalman filter of the log close sees it at constant volatility.

    A log return is `decay x - x` of the last bar's component plus both shocks, so x is filtered from the returns alone.
    """
    edge, decay = candles.params["edge"], 0.5 ** (1 / candles.params["half_life_bars"])
    moves = np.diff(np.log(candles.column("close")))
    seen, mean, variance = np.zeros(len(candles)), 0.0, edge / (1 - decay**2)  # variances in those of a shock
    for t, move in enumerate(moves, start=1):
        expected, spread = (decay - 1) * mean, (decay - 1) ** 2 * variance + 1
        shared = decay * (decay - 1) * variance + edge  # covariance of the next component and the return
        mean = decay * mean + shared / spread * (move - expected)
        variance = decay**2 * variance + edge - shared**2 / spread
        seen[t] = mean
    return seen


def between(states: np.ndarray, threshold: float) -> np.ndarray:
    """Positions (T,) of the rule: buy below `-threshold`, sell above `threshold`, else stay."""
    decided = np.where(states < -threshold, 1, np.where(states > threshold, 0, -1))
    last = np.maximum.accumulate(np.where(decided >= 0, np.arange(len(states)), -1))
    return np.where(last >= 0, decided[last], 0)


def oracle_of(candles: SimulatedCandles) -> OraclePolicy:
    return OraclePolicy(best_policy(candles, COSTS.cost_fraction).positions)


def played(candles: Candles, agent: Agent) -> Episode:
    return play(candles, np.zeros((len(candles), 1), np.float32), COSTS, agent)


def grown(episode: Episode) -> float:
    """Log growth per 1,000 bars."""
    return 1e3 * log_growth(episode) / (len(episode.table) - 1)


if __name__ == "__main__":
    main()
