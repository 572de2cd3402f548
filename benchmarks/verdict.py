"""How often a verdict is wrong, and how often it sees what is there: the tables of docs/evaluation.md.

    python -m benchmarks.verdict FILE               all parts, on the hourly candles of FILE beside the simulated ones
    python -m benchmarks.verdict FILE --only false --markets 20
    python -m benchmarks.verdict FILE --keep        and keep the figures that the pages quote

`false`: traders without skill on markets that nobody can time (benchmarks.untimed), 100 of a kind on each market. A look is one of
them; of several looks the one that seems best is kept, and all are counted. In percent of the markets, or of all groups of so many
looks. `power`: traders with a skill of known size, against a one-sided t-test of the active return with the standard error of
Newey & West and as many looks counted by Sidak's formula, which is what a careful quant would use. `spa`: the test of superior
predictive ability of the package `arch` (Hansen 2005) on the same traders, which looks at all of them together.
"""

import math
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import parts, untimed
from evaluation.statistics import edge_statistics, harm_statistics, level_of, split_return
from evaluation.statistics.sharpe_tests import NORMAL
from evaluation.statistics.verdict import FALSE_EDGE, FALSE_HARM, MIN_FILLS

CONSOLE = Console(width=150, highlight=False)
BARS, KIND, LOOKS = 2_500, 100, (1, 10, 30, 100)
COSTS = {"no costs": 0.0, "13 bps": 0.0013}
FILLS = (24, 100, 400, 1_600)
SKILLS = (2.0, 2.7, 4.0)
"""t-values that the skill has over the range in the mean: a yearly Sharpe ratio of 4 over 4,000 hours is 2.7"""
SKILLED_BARS = 4_000


def main() -> None:
    parser = parts.parser_of(__doc__, ("false", "power", "spa"))
    parser.add_argument("file", type=Path, help="hourly candles")
    parser.add_argument("--markets", type=int, default=20, help="of each kind (default: %(default)s)")
    options = parser.parse_args()
    untimed.use_real(options.file)
    todo = {"false": false_verdicts, "power": power, "spa": superior_ability}
    parts.run("verdict", {name: partial(part, options.markets) for name, part in todo.items()}, options)


# --- false verdicts ---------------------------------------------------------------------------------------------------------


def false_verdicts(markets: int) -> dict[str, float]:
    """By trader: the share of false edges at each number of looks, over all markets and on the worst, and of false harm."""
    figures: dict[str, float] = {}
    for cost_name, cost in COSTS.items():
        table = Table(title=f"false verdicts, {cost_name}, {markets} markets of each kind, %: all markets (the worst of them)")
        for heading in ("trader", *(f"edge, {looks} looks" for looks in LOOKS), "worst at 1 look", "harm"):
            table.add_column(heading, justify="right" if heading != "trader" else "left")
        for trader in untimed.TRADERS:
            edges, harms = _rates(trader, cost, markets)
            cells = [f"{np.mean(list(edges[looks].values())):.1%} ({max(edges[looks].values()):.1%})" for looks in LOOKS]
            worst = max(edges[1], key=lambda market: edges[1][market])
            table.add_row(trader, *cells, worst, f"{np.mean(list(harms.values())):.1%} ({max(harms.values()):.1%})")
            name = f"{trader}_{cost_name}".replace(" ", "_").replace(",", "").replace("-", "_")
            figures |= {f"{name}_{looks}": float(np.mean(list(edges[looks].values()))) for looks in LOOKS}
            figures[f"{name}_harm"] = float(np.mean(list(harms.values())))
        CONSOLE.print(table)
    return figures


def _rates(trader: str, cost: float, markets: int) -> tuple[dict[int, dict[str, float]], dict[str, float]]:
    """By looks, then by market: share of false edges; by market: share of false harm among the kept ones of all looks."""
    edges: dict[int, dict[str, float]] = defaultdict(dict)
    harms = {}
    for market in untimed.MARKETS:
        if market == untimed.REACTIONS_PAY:
            continue
        found = np.array([_p_values(trader, market, cost, number) for number in range(markets)])  # (markets, KIND, 2)
        for looks in LOOKS:
            best = found[:, : KIND // looks * looks, 0].reshape(markets, -1, looks).min(axis=2)
            edges[looks][market] = float((best <= level_of(looks)).mean())
        harms[market] = float((found[:, :, 1] <= FALSE_HARM).mean())
    return edges, harms


def _p_values(trader: str, market: str, cost: float, number: int) -> np.ndarray:
    """float64 (KIND, 2): of an edge and of harm, for as many traders of a kind on one market; 1 for too few fills."""
    returns = untimed.MARKETS[market](BARS, np.random.default_rng([0, number]))
    out = np.ones((KIND, 2))
    for look in range(KIND):
        target = untimed.TRADERS[trader](returns, np.random.default_rng([1, number, look]))
        out[look] = _judged(target, returns, cost)
    return out


def _judged(target: np.ndarray, returns: np.ndarray, cost: float) -> tuple[float, float]:
    net, share, fills = untimed.held(target, returns, cost)
    if fills < MIN_FILLS:
        return 1.0, 1.0
    split = split_return(net, returns, share, share * returns, 1 - cost)
    return edge_statistics(split).edge_p_value, harm_statistics(split).harm_p_value


# --- power ------------------------------------------------------------------------------------------------------------------


def power(markets: int) -> dict[str, float]:
    """Share of skilled traders that get "evidence of an edge", beside the t-test's."""
    figures: dict[str, float] = {}
    table = Table(
        title=f"evidence of an edge, % of {20 * markets} traders over {SKILLED_BARS:,} bars of GARCH-t: ours | t-test (HAC, Sidak)"
    )
    table.add_column("fills")
    table.add_column("skill, t")
    for looks in LOOKS:
        table.add_column(f"{looks} looks", justify="right")
    for fills in FILLS:
        for skill in SKILLS:
            found = np.array([_skilled(fills, skill, number) for number in range(20 * markets)])
            shares = {
                looks: ((found[:, 0] <= level_of(looks)).mean(), (found[:, 1] <= 1 - (1 - FALSE_EDGE) ** (1 / looks)).mean())
                for looks in LOOKS
            }
            table.add_row(f"{fills:,}", f"{skill:g}", *(f"{ours:.0%} | {theirs:.0%}" for ours, theirs in shares.values()))
            name = f"power_{fills}_{skill:g}".replace(".", "")
            for looks, (ours, theirs) in shares.items():
                figures |= {f"{name}_{looks}": float(ours), f"{name}_{looks}_hac": float(theirs)}
    CONSOLE.print(table)
    return figures


def _skilled(fills: int, skill: float, number: int) -> tuple[float, float]:
    """p-values, ours and the t-test's, of a trader whose position tells something of the next return."""
    rng = np.random.default_rng([2, number])
    returns = untimed.garch(SKILLED_BARS, rng)
    target = untimed._telegraph(SKILLED_BARS, math.log(fills + 0.5), rng)
    stake = target - target.mean()
    returns = returns + skill * untimed.SIZE / math.sqrt(SKILLED_BARS) * stake / stake.std()
    net, share, _ = untimed.held(target, returns, 0.0)
    split = split_return(net, returns, share, share * returns)
    return edge_statistics(split).edge_p_value, NORMAL.cdf(-newey_west_t(split.active[:, 0]))


def newey_west_t(values: np.ndarray) -> float:
    """Mean over its standard error by Newey & West (1987), with 4 (n / 100)^(2/9) lags; float64 (n,)."""
    lags, centred = int(4 * (len(values) / 100) ** (2 / 9)), values - values.mean()
    variance = centred @ centred
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag])
    return float(values.sum() / math.sqrt(variance)) if variance > 0 else 0.0


# --- the test of superior predictive ability ----------------------------------------------------------------------------


def superior_ability(markets: int) -> dict[str, float]:
    """False edges of `arch.bootstrap.SPA` beside ours, ten looks, no costs."""
    from arch.bootstrap import SPA

    figures: dict[str, float] = {}
    table = Table(title=f"false edges, 10 looks, no costs, {2 * markets} markets, %: ours | t-test (HAC, Sidak) | SPA")
    names = ("Gaussian", "GARCH-t", "real, random signs", "rising")
    for heading in ("trader", *names):
        table.add_column(heading, justify="right" if heading != "trader" else "left")
    for trader in untimed.TRADERS:
        row = []
        for market in names:
            found = np.zeros((2 * markets, 3))
            for number in range(len(found)):
                returns = untimed.MARKETS[market](BARS, np.random.default_rng([0, number]))
                splits = []
                for look in range(10):
                    target = untimed.TRADERS[trader](returns, np.random.default_rng([1, number, look]))
                    net, share, _ = untimed.held(target, returns, 0.0)
                    splits.append(split_return(net, returns, share, share * returns))
                active = np.column_stack([split.active[:, 0] for split in splits])
                moved = active[:, active.any(axis=0)]
                sidak = 1 - (1 - FALSE_EDGE) ** 0.1
                found[number] = (
                    min(edge_statistics(split).edge_p_value for split in splits) <= level_of(10),
                    min(NORMAL.cdf(-newey_west_t(column)) for column in active.T) <= sidak,
                    False,
                )
                if moved.shape[1]:
                    test = SPA(np.zeros(BARS), -moved, reps=500, seed=number)
                    test.compute()
                    found[number, 2] = test.pvalues["consistent"] <= FALSE_EDGE
            row.append(" | ".join(f"{value:.0%}" for value in found.mean(axis=0)))
            name = f"spa_{trader}_{market}".replace(" ", "_").replace(",", "").replace("-", "_")
            figures |= {
                f"{name}_{who}": float(value) for who, value in zip(("ours", "hac", "spa"), found.mean(axis=0), strict=True)
            }
        table.add_row(trader, *row)
    CONSOLE.print(table)
    return figures


if __name__ == "__main__":
    main()
