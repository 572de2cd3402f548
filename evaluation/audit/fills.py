"""The leak audit of fills: an order decided at the close of a bar gets a price of the next one."""

import itertools
from typing import Any, NamedTuple

from gymnasium import spaces

from evaluation.audit.futures import scaled_after, wicked_after
from evaluation.audit.report import Tally
from evaluation.audit.trading import Stage
from market import Candles

GAPS = (4.0, 0.25)
"""what the prices of all bars after the decision are multiplied with"""
WICKS = (2.0, 8.0)
MOST_PROBES = 16
"""actions that are tried"""
TOLERANCE = 0.05
"""relative: lots, least sizes and impact come out differently at other prices; a fill before the gap is off by far more"""

Plan = tuple[int, ...]
"""actions, by their number among the probes; the last one is decided at the bar in question"""


class Outcome(NamedTuple):
    """What a plan led to; None for what the environment does not tell."""

    fill_price: float | None
    net_worth: float | None
    reward: float


def next_bar_fills(stage: Stage, tally: Tally) -> None:
    """An order decided at the close of a bar fills at a price of the next bar, whatever gap lies between them.

    Behind the decision all prices are multiplied, so the returns within the bars stay. Whoever buys in the next bar gets
    another price and the same return; whoever was filled at the close before gets the old price, and the gap as his gain.
    Then the wicks of the next bar are made longer: nobody who buys knows its low. An environment that tells no
    `info["fill_price"]` is judged by its `info["net_worth"]`, or else its reward, after a buy from a flat account.
    """
    scene, matrix = stage.scene, stage.matrix
    for bar in sorted({matrix.warmup + 1, scene.train_bars, len(scene.candles) - 10}):
        calm = _outcomes(stage, scene.candles, bar)
        for gap in GAPS:
            others = _outcomes(stage, scaled_after(scene.candles, bar, gap), bar)
            _judge(stage, tally, bar, f"after a gap to {gap:g} times the price", gap, calm, others)
        short, long = (_outcomes(stage, wicked_after(scene.candles, bar, wick), bar) for wick in WICKS)
        _judge(stage, tally, bar, "with longer wicks of the bar it fills in", 1.0, short, long)


def _outcomes(stage: Stage, candles: Candles, bar: int) -> dict[Plan, Outcome]:
    """Of every action from a flat account at the bar, and of every two, the first of them one bar before."""
    outcomes = {}
    for before in (0, 1):
        env = stage.make_env(candles, stage.matrix.since(bar - before))
        probes = _probes(env.action_space, stage.scene.seed)
        for plan in itertools.product(range(len(probes)), repeat=before + 1):
            env.reset(seed=0)
            for k in plan:
                _, reward, *_, info = env.step(probes[k])
            outcomes[plan] = Outcome(_fill_price(info), info.get("net_worth"), float(reward))
    return outcomes


def _judge(
    stage: Stage, tally: Tally, bar: int, what: str, factor: float, calm: dict[Plan, Outcome], others: dict[Plan, Outcome]
) -> None:
    """Prices must move by the factor; what a buyer from flat has after the bar must not move, or not for the better by wicks."""
    for plan, one in calm.items():
        two = others[plan]
        tally.cases += 1
        if one.fill_price and two.fill_price and not _near(two.fill_price, factor * one.fill_price):
            detail = f"an order decided here fills at {one.fill_price:.6g}, and {what} at {two.fill_price:.6g}"
            tally.found("fill_price", f"{detail} instead of {factor * one.fill_price:.6g}", stage.scene.index, bar)
        if len(plan) > 1:
            continue
        name = "reward" if one.net_worth is None else "net_worth"
        before, after = getattr(one, name), getattr(two, name)
        if (after > before or factor != 1.0) and not _near(after, before):
            detail = f"{before:.6g} after the bar that follows this one, from a flat account, became {after:.6g} {what}"
            tally.found(name, detail, stage.scene.index, bar)


def _near(one: float, two: float) -> bool:
    return bool(abs(one - two) <= TOLERANCE * abs(two) + 1e-9)


def _fill_price(info: dict[str, Any]) -> float | None:
    """None where the environment tells none, or nothing was filled."""
    return float(info.get("fill_price") or 0.0) if info.get("fill_coin", True) else None


def _probes(space: Any, seed: int) -> list[Any]:
    """All actions of a small space; else its corners, its middle and some random ones."""
    space.seed(seed)
    if isinstance(space, spaces.Discrete) and space.n <= MOST_PROBES:
        return [int(space.start) + k for k in range(int(space.n))]
    drawn = [space.sample() for _ in range(MOST_PROBES // 2)]
    if isinstance(space, spaces.Box) and space.is_bounded():
        middle = ((space.low + space.high) / 2).astype(space.dtype)
        return [space.low, space.high, middle, *drawn]
    return drawn
