"""The rules of honest fills, on the outcomes of one decision: what may earn from the gap, the body and the wicks of the next bar.

Each rule compares actions after the same past, so it needs no knowledge of the account. While the next bar stands still, an order
moves no worth but by its costs; its `exposure` is what the body of the next bar adds, a unit of the bar's return.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from evaluation.audit.next_bars import BODY, FAR_GAPS, GAPS, HIGH, LOW, NARROW, SHOWN, SMALL, STILL, WIDE, bodies
from evaluation.audit.outcomes import Outcomes

SHARE = 0.2
"""of an order's exposure: what costs change by is far less, a fill at a known price is all of it"""
BENT = 0.15
"""of the steeper side: how much more an account may gain on one side of the open than it loses on the other"""
FLAT = 0.1
FILL_TOLERANCE = 0.05
"""relative: lots, least sizes and impact come out differently at other prices; a fill before the gap is off by far more"""


def exposure(outcomes: Outcomes) -> np.ndarray:
    """float64 (A,): what a body of the next bar adds, a unit of its return."""
    low, *_, high = bodies(NARROW)
    return (outcomes.of(high) - outcomes.of(low)) / (high.close - low.close)


def followed(outcomes: Outcomes, among: bool = True) -> bool:
    """Whether the body of the next bar pays; `among`: and differently after different actions."""
    spread = np.ptp(exposure(outcomes)) if among else np.abs(exposure(outcomes)).max()
    return bool(spread * NARROW > outcomes.noise)


def fill_prices(outcomes: Outcomes) -> Iterator[tuple[str, str]]:
    """Told prices move with a gap, and a fill does not hang on how the bar that it fills in closes."""
    for gap in (*GAPS, *FAR_GAPS):
        shape = (GAPS | FAR_GAPS)[gap]
        if shape not in outcomes.shapes:
            continue
        before, after = outcomes.fills(STILL), outcomes.fills(shape)
        moved = np.isfinite(before) & np.isfinite(after)
        tolerance = min(FILL_TOLERANCE, SHARE * abs(gap - 1))
        for k in np.flatnonzero(moved & (np.abs(after / (gap * np.where(moved, before, 1)) - 1) > tolerance))[:1]:
            yield (
                "fill_price",
                (
                    f"{_action(outcomes, k)} decided here fills at {before[k]:.6g}, and "
                    f"after a gap to {gap:g} times the price at {after[k]:.6g} instead of {gap * before[k]:.6g}"
                ),
            )
    prices = np.array([outcomes.fills(shape) for shape in bodies(NARROW)])  # (B, A)
    filled = np.isfinite(prices)
    for k in np.flatnonzero(filled.any(axis=0) & ~filled.all(axis=0)):
        told = prices[filled[:, k], k]
        if np.ptp(told) <= 1e-4 * NARROW * told[0] and len(told) > 1:  # it does not follow the close
            yield "fill_price", f"{_action(outcomes, k)} decided here is filled or refused by how the next bar closes"


def paid_for_gaps(outcomes: Outcomes) -> str | None:
    """The gap before the fill is earned by what was held before, so after the same past all actions earn the same."""
    held, spent = exposure(outcomes), _costs(outcomes)
    for gap, shape in GAPS.items():
        earned = (outcomes.of(shape) - outcomes.of(STILL)) / (gap - 1)
        earned = np.where(outcomes.lost(shape), np.nan, earned)
        for a, b in _pairs(held, outcomes.noise / SMALL):
            apart = earned[a] - earned[b]
            costs = spent[a] + spent[b]  # they move with the price, and an order may be refused after the gap
            if abs(apart) > SHARE * abs(held[a] - held[b]) + 2 * (costs + outcomes.noise) / SMALL:
                return (
                    f"a gap of {gap - 1:+.0%} before the next open adds {(gap - 1) * earned[a]:.6g} after {_action(outcomes, a)} "
                    f"and {(gap - 1) * earned[b]:.6g} after {_action(outcomes, b)}: an order was filled before the gap"
                )
    return None


def one_sided(outcomes: Outcomes) -> str | None:
    """The body is earned up and down alike: who gains on one side and is spared on the other has seen the close."""
    for half_range, least in ((NARROW, BENT), (WIDE, 1 - FLAT)):
        shapes = bodies(half_range)
        if shapes[0] not in outcomes.shapes:
            continue
        paid = np.array([outcomes.of(shape) for shape in shapes])
        lost = np.array([outcomes.lost(shape) for shape in shapes]).any(axis=0)
        slopes = np.diff(paid, axis=0) / (np.diff(BODY)[:, None] * half_range)  # (B - 1, A)
        bent, steep = slopes[-1] - slopes[0], np.abs(slopes[[0, -1]]).max(axis=0)
        if outcomes.worth == "reward":  # a reward may be bent as its author likes, but not flat on the one side alone
            least = 1 - FLAT
        odd = (bent > least * steep) & (steep * half_range > 10 * outcomes.noise) & ~lost & ~_wiped_out(outcomes, paid)
        for k in np.flatnonzero(odd):
            step = 0.4 * half_range
            return (
                f"after {_action(outcomes, k)} a next bar that closes {step:.2%} further up adds {slopes[-1, k] * step:.6g}, "
                f"and one that closes {step:.2%} further down takes {slopes[0, k] * step:.6g}: the close of that bar was known"
            )
    return None


def paid_for_wicks(outcomes: Outcomes) -> str | None:
    """Nobody who buys in a bar knows its low, and nobody who sells in it knows its high."""
    held = exposure(outcomes)
    for wicks, name, sign in ((LOW, "low", 1), (HIGH, "high", -1)):
        if wicks[2.0] not in outcomes.shapes:
            continue
        short, long = outcomes.of(wicks[2.0]), outcomes.of(wicks[8.0])
        for a, b in _pairs(held, outcomes.noise / SMALL):
            more, less = (a, b) if sign * (held[a] - held[b]) > 0 else (b, a)
            alone = long[more] - short[more]
            gain = min(alone, alone - (long[less] - short[less]))
            if gain > FILL_TOLERANCE * max(abs(long[more]), abs(long[less])) + outcomes.noise:
                return (
                    f"{short[more]:.6g} after {_action(outcomes, more)} became {long[more]:.6g} with a longer wick of the bar "
                    f"that it fills in: the {name} of that bar was known"
                )
    return None


def paid_for_known_bars(outcomes: Outcomes) -> str | None:
    """What the bar did that the observation shows already is paid to no order that is given after it."""
    if SHOWN[1 + SMALL] not in outcomes.shapes:
        return None
    held, spent = exposure(outcomes), _costs(outcomes)
    up, down = (outcomes.of(shape) for shape in SHOWN.values())
    for a in range(len(held)):
        for b in range(a):
            higher, lower = up[a] - up[b], down[a] - down[b]  # costs have the same sign in both
            costs, order = spent[a] + spent[b], abs(held[a] - held[b]) * SMALL
            if higher * lower < 0 and min(abs(higher), abs(lower)) > 2 * costs + SHARE * order + 4 * outcomes.noise:
                return (
                    f"if the bar that is known closes {SMALL:.0%} higher, {_action(outcomes, a)} given after it gets "
                    f"{higher:.6g} more than {_action(outcomes, b)}, and {lower:.6g} if "
                    "it closes lower: the return of a known bar is paid"
                )
    return None


def _costs(outcomes: Outcomes) -> np.ndarray:
    """float64 (A,): what each action costs while the price stands still."""
    calm = outcomes.of(STILL)
    return np.asarray(calm.max() - calm)


def _pairs(held: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Neighbours in exposure, and both ends: actions whose exposures differ."""
    order = np.argsort(held, kind="stable").tolist()
    pairs = [*pairwise(order), (order[0], order[-1])]
    return [(b, a) for a, b in pairs if abs(held[a] - held[b]) > 10 * least]


def _wiped_out(outcomes: Outcomes, paid: np.ndarray) -> np.ndarray:
    """Nobody owes more than the account holds, so the loss ends there."""
    if outcomes.worth == "reward":
        return np.zeros(paid.shape[1], bool)
    return np.asarray(paid.min(axis=0) <= 0.02 * np.abs(outcomes.of(STILL)))


def _action(outcomes: Outcomes, k: int | np.integer[Any]) -> str:
    before = f" (after {len(outcomes.decision.before)} others)" if outcomes.decision.before else ""
    action = outcomes.decision.actions[k]
    shown = np.array2string(np.asarray(action), precision=3, separator=" ") if np.ndim(action) else f"{action}"
    return f"action {shown}{before}"
