"""How often a verdict is wrong, and how often it sees what is there: the tables of docs/evaluation.md.

    python -m benchmarks.verdict FILE               all parts, on the hourly candles of FILE beside the simulated ones
    python -m benchmarks.verdict FILE --only false --markets 10
    python -m benchmarks.verdict FILE --keep        the figures that the pages quote; about an hour

`false`: traders without skill (benchmarks.untimed) on markets that nobody can time, 100 of a kind on each market. A look is one
of them; of several looks the one that seems best is kept, and all are counted. In percent of all groups of so many looks.
`blocks`: the same on blocks of real returns, where what an hour says about the next stays, so that a reaction to it is an edge.
`power`: traders with a skill of known size, against what a careful quant would use: a one-sided t-test of the active return with
the standard error of Newey & West, and as many looks counted by Sidak's formula. `spa`: the test of superior predictive ability
(Hansen 2005) of the package `arch` (`pip install -e '.[bench]'`) on the same traders, which looks at all of them together.
"""

import math
import re
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import parts, untimed, untimed_markets
from evaluation.statistics import ActiveReturn, edge_statistics, harm_statistics, level_of, split_return
from evaluation.statistics.sharpe_tests import NORMAL
from evaluation.statistics.verdict import FALSE_EDGE, FALSE_HARM, MIN_FILLS

CONSOLE = Console(width=150, highlight=False)
BARS, KIND, LOOKS = 2_500, 100, (1, 10, 30, 100)
COST = 0.0013
FILLS = (24, 100, 400, 1_600)
SKILLS = (2.0, 2.7, 4.0)
"""t-values that the skill has over the range in the mean: a yearly Sharpe ratio of 4 over 4,000 hours is 2.7"""
SKILLED_BARS, SKILLED_TO_A_MARKET = 4_000, 25
SPA_MARKETS, SPA_LOOKS = ("Gaussian", "GARCH-t", "real, random signs", "rising"), 10
UNPREDICTABLE = [name for name in untimed_markets.MARKETS if name != untimed_markets.REACTIONS_PAY]


def main() -> None:
    parser = parts.parser_of(__doc__, ("false", "blocks", "power", "spa"))
    parser.add_argument("file", type=Path, help="hourly candles")
    parser.add_argument("--markets", type=int, default=40, help="of each kind (default: %(default)s)")
    parser.set_defaults(given="FILE ")
    options = parser.parse_args()
    untimed_markets.use_real(options.file)
    todo = {"false": false_verdicts, "blocks": on_blocks, "power": power, "spa": superior_ability}
    parts.run("verdict", {name: partial(part, options.markets) for name, part in todo.items()}, options)


# --- false verdicts ---------------------------------------------------------------------------------------------------------


def false_verdicts(markets: int) -> dict[str, float]:
    """By trader, the share of false edges at each number of looks and of false harm, without costs, and of edges with costs."""
    table = Table(title=f"false verdicts, {markets} markets of each of {len(UNPREDICTABLE)} kinds, %")
    for heading in ("trader", *(f"edge, {looks} looks" for looks in LOOKS), "13 bps, 1 look", "13 bps, 100 looks", "harm"):
        table.add_column(heading, justify="right" if heading != "trader" else "left")
    figures: dict[str, float] = {}
    for trader in untimed.TRADERS:
        found = np.array([p_values(trader, market, number) for market in UNPREDICTABLE for number in range(markets)])
        row = {f"{looks}": false_edges(found[:, :, 0], looks) for looks in LOOKS}
        row |= {f"cost_{looks}": false_edges(found[:, :, 2], looks) for looks in (1, 100)}
        row["harm"] = float((found[:, :, 1] <= FALSE_HARM).mean())
        table.add_row(trader, *(f"{100 * share:.1f}" for share in row.values()))
        figures |= {f"false_{named(trader)}_{name}": share for name, share in row.items()}
    CONSOLE.print(table)
    harms = [share for name, share in figures.items() if name.endswith("_harm")]
    return figures | {"false_most": max(set(figures.values()) - set(harms)), "false_most_harm": max(harms)}


def on_blocks(markets: int) -> dict[str, float]:
    """By trader, the share that is called an edge on blocks of real returns, without costs and with them."""
    table = Table(title=f"called an edge on {markets} markets of blocks of real returns, %")
    for heading in ("trader", "1 look", "100 looks", "13 bps, 1 look"):
        table.add_column(heading, justify="right" if heading != "trader" else "left")
    figures: dict[str, float] = {}
    for trader in untimed.TRADERS:
        found = np.array([p_values(trader, untimed_markets.REACTIONS_PAY, number) for number in range(markets)])
        row = {
            "1": false_edges(found[:, :, 0], 1),
            "100": false_edges(found[:, :, 0], 100),
            "cost": false_edges(found[:, :, 2], 1),
        }
        table.add_row(trader, *(f"{100 * share:.1f}" for share in row.values()))
        figures |= {f"blocks_{named(trader)}_{name}": share for name, share in row.items()}
    CONSOLE.print(table)
    return figures


def false_edges(found: np.ndarray, looks: int) -> float:
    """(markets, KIND) p-values -> share of the groups of so many looks whose best is called an edge, all of them counted."""
    groups = found[:, : KIND // looks * looks].reshape(-1, looks)
    return float((groups.min(axis=1) <= level_of(looks)).mean())


def p_values(trader: str, market: str, number: int) -> np.ndarray:
    """float64 (KIND, 3): of an edge, of harm, and of an edge with costs, for as many traders of a kind on one market."""
    returns = untimed_markets.MARKETS[market](BARS, np.random.default_rng([0, number]))
    out = np.ones((KIND, 3))
    for look in range(KIND):
        target = untimed.TRADERS[trader](returns, np.random.default_rng([1, number, look]))
        free = played(target, returns, 0.0)
        if free is None:  # too few fills for any verdict
            continue
        paid = played(target, returns, COST)
        assert paid is not None
        out[look] = (
            edge_statistics(free).edge_p_value, harm_statistics(free).harm_p_value, edge_statistics(paid).edge_p_value,
        )  # fmt: skip
    return out


def played(target: np.ndarray, returns: np.ndarray, cost: float) -> ActiveReturn | None:
    """None for too few fills."""
    net, share, fills = untimed.held(target, returns, cost)
    return None if fills < MIN_FILLS else split_return(net, returns, share, share * returns, 1 - cost)


# --- power ------------------------------------------------------------------------------------------------------------------


def power(markets: int) -> dict[str, float]:
    """Share of skilled traders that get "evidence of an edge", beside the t-test's."""
    n = SKILLED_TO_A_MARKET * markets
    table = Table(title=f"evidence of an edge, % of {n} traders, {SKILLED_BARS:,} bars of GARCH-t: ours | t-test (HAC, Sidak)")
    for heading in ("fills", "skill, t", *(f"{looks} looks" for looks in LOOKS)):
        table.add_column(heading, justify="right")
    figures: dict[str, float] = {}
    for fills in FILLS:
        for skill in SKILLS:
            found = np.array([skilled(fills, skill, number) for number in range(n)])
            cells = []
            for looks in LOOKS:
                ours, theirs = float((found[:, 0] <= level_of(looks)).mean()), float((found[:, 1] <= sidak(looks)).mean())
                name = f"power_{fills}_{named(f'{skill:g}')}_{looks}"
                figures |= {name: ours, f"{name}_hac": theirs}
                cells.append(f"{ours:.0%} | {theirs:.0%}")
            table.add_row(f"{fills:,}", f"{skill:g}", *cells)
    CONSOLE.print(table)
    return figures


def skilled(fills: int, skill: float, number: int) -> tuple[float, float]:
    """p-values, ours and the t-test's, of a trader whose position tells something of the next return."""
    rng = np.random.default_rng([2, number])
    returns = untimed_markets.garch(SKILLED_BARS, rng)
    target = untimed.telegraph(SKILLED_BARS, fills, rng)
    stake = target - target.mean()
    returns = returns + skill * untimed_markets.SIZE / math.sqrt(SKILLED_BARS) * stake / stake.std()
    split = played(target, returns, 0.0)
    assert split is not None
    return edge_statistics(split).edge_p_value, t_test(split)


def t_test(split: ActiveReturn) -> float:
    """p-value of the active return against the mean exposure of the range."""
    return NORMAL.cdf(-newey_west_t(split.active[:, 0]))


def sidak(looks: int) -> float:
    return 1 - (1 - FALSE_EDGE) ** (1 / looks)


def newey_west_t(values: np.ndarray) -> float:
    """Mean over its standard error by Newey & West (1987), with 4 (n / 100)^(2/9) lags; float64 (n,)."""
    lags, centred = int(4 * (len(values) / 100) ** (2 / 9)), values - values.mean()
    variance = centred @ centred
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag])
    return float(values.sum() / math.sqrt(variance)) if variance > 0 else 0.0


# --- the test of superior predictive ability ----------------------------------------------------------------------------


def superior_ability(markets: int) -> dict[str, float]:
    """False edges of `arch.bootstrap.SPA` and of the t-test beside ours."""
    where = ", ".join(SPA_MARKETS)
    table = Table(title=f"false edges, {SPA_LOOKS} looks, no costs, {markets} markets of each kind ({where}), %")
    for heading in ("trader", "ours", "t-test (HAC, Sidak)", "SPA"):
        table.add_column(heading, justify="right" if heading != "trader" else "left")
    figures: dict[str, float] = {}
    for trader in untimed.TRADERS:
        found = np.mean([edges_found(trader, market, number) for market in SPA_MARKETS for number in range(markets)], axis=0)
        table.add_row(trader, *(f"{share:.0%}" for share in found))
        figures |= {f"spa_{named(trader)}_{who}": float(share) for who, share in zip(("ours", "hac", "spa"), found, strict=True)}
    CONSOLE.print(table)
    return figures


def edges_found(trader: str, market: str, number: int) -> tuple[bool, bool, bool]:
    """Whether ours, the t-test and SPA call the best of ten an edge."""
    from arch.bootstrap import SPA  # an extra

    returns = untimed_markets.MARKETS[market](BARS, np.random.default_rng([0, number]))
    targets = [untimed.TRADERS[trader](returns, np.random.default_rng([1, number, look])) for look in range(SPA_LOOKS)]
    splits = [split for target in targets if (split := played(target, returns, 0.0)) is not None]
    if not splits:
        return False, False, False
    ours = min(edge_statistics(split).edge_p_value for split in splits) <= level_of(SPA_LOOKS)
    test = SPA(np.zeros(BARS), -np.column_stack([split.active[:, 0] for split in splits]), reps=500, seed=number)
    test.compute()
    return ours, min(map(t_test, splits)) <= sidak(SPA_LOOKS), bool(test.pvalues["consistent"] <= FALSE_EDGE)


def named(words: str) -> str:
    """As a part of a figure's name."""
    return re.sub(r"\W+", "_", words)


if __name__ == "__main__":
    main()
