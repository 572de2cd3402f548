"""The rules of honest fills, on the outcomes of one decision: what may earn from the gap, the body and the wicks of the next bar.

Each rule compares actions after the same past, so it needs no knowledge of the account. While the next bar stands still, an order
moves no worth but by its costs; its `exposure` is what the body of the next bar adds, a unit of the bar's return.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from evaluation.audit.next_bars import BODY, DEEP, FAR_GAPS, GAPS, HIGH, LOW, NARROW, SHOWN, SMALL, STILL, WIDE, bodies
from evaluation.audit.outcomes import Outcomes

SHARE = 0.2
"""of an order's exposure: what costs change by is far less, a fill at a known price is all of it"""
SAME = 0.005
"""of the largest exposure: what less differs by is costs, as after orders that fill at the close of the bar"""
BENT = 0.15
"""of the steeper side: how much more an account may gain on one side of the open than it loses on the other, beside its costs"""
BENT_IN_MONEY = 0.007
"""the same in a narrow bar, of the steepest action too, where the worth is known to be in money: 0.0096 for dollars turned into
coin at the close of the bar that the order fills in; 0.0048 at the mean of its open and close, which is honest"""
BENT_OF_ALL = 0.4
"""of the steepest action in a wide bar: from long to short at a price that the bar makes, which is honest, comes to 0.3"""
IN_MONEY = 0.03
"""relative: by how much less two opposite gaps may differ; a worth in coins differs by 0.1"""
FLAT = 0.1
WICK = 0.25
"""of what the wick that moves the account more does to it: how much both together may add"""
WICK_OF_ALL = 0.15
"""of what it does after the action that it moves most: dollars that are held at the price that the bar makes come to 0.1"""
ZERO = 1e-3
"""relative to what the other shapes of the bar pay: nothing was earned"""
EXACTLY = 1e-12
"""relative: the rounding of a reward; a Sortino ratio without any loss is a thousand million times that of a loss"""
NO_MOVE = 0.002
"""relative to the price: a stop or a limit order that the wick reached has moved the account by more"""
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
    narrow = BENT_IN_MONEY if _in_money(outcomes) else BENT
    for half_range, least, of_all in ((NARROW, narrow, BENT_IN_MONEY), (WIDE, 1 - FLAT, BENT_OF_ALL)):
        shapes = bodies(half_range)
        if shapes[0] not in outcomes.shapes:
            continue
        paid = np.array([outcomes.of(shape) for shape in shapes])
        lost = np.array([outcomes.lost(shape) for shape in shapes]).any(axis=0)
        slopes = np.diff(paid, axis=0) / (np.diff(BODY)[:, None] * half_range)  # (B - 1, A)
        bent, steep = slopes[-1] - slopes[0], np.abs(slopes[[0, -1]]).max(axis=0)
        odd = bent > np.maximum(least * steep, of_all * steep.max()) + 2 * _costs(outcomes)
        odd &= steep * half_range > 10 * outcomes.noise
        if outcomes.worth == "reward":  # a reward may be bent as its author likes, but not be 0 on the one side alone
            odd &= _one_side_is_flat(outcomes, paid)
        odd &= ~lost & ~_wiped_out(outcomes, paid)
        for k in np.flatnonzero(odd):
            step = 0.4 * half_range
            return (
                f"after {_action(outcomes, k)} a next bar that closes {step:.2%} further up adds {slopes[-1, k] * step:.6g}, "
                f"and one that closes {step:.2%} further down takes {slopes[0, k] * step:.6g}: the close of that bar was known"
            )
    return None


def paid_for_wicks(outcomes: Outcomes) -> str | None:
    """Nobody who trades in a bar knows its low or its high.

    Both wicks are judged together: a fill at the middle of the bar gains by the one what it loses by the other.
    """
    if LOW[0] not in outcomes.shapes:
        return None
    low, high = (outcomes.of(long) - outcomes.of(short) for short, long in (LOW, HIGH))
    most = np.maximum(np.abs(low), np.abs(high))
    costs = 2 * _costs(outcomes) * (HIGH[1].high - HIGH[0].high)  # of an order at the end of the wick
    least = np.maximum(WICK * most, WICK_OF_ALL * most.max())
    for k in np.flatnonzero((low + high > least + costs + outcomes.noise) & (most > 10 * outcomes.noise)):
        return (
            f"after {_action(outcomes, k)} a longer lower wick of the bar that it fills in adds {low[k]:.6g}, and a longer "
            f"upper one {high[k]:.6g}: the {'low' if low[k] > high[k] else 'high'} of that bar was known"
        )
    return None


def chosen_by_wicks(outcomes: Outcomes) -> str | None:
    """An account follows the body as much if the bar has a deep wick, unless that moved its worth, as the fill of a stop does."""
    if DEEP[0][0] not in outcomes.shapes:
        return None
    low, *_, high = bodies(NARROW)
    costs, body = _costs(outcomes), high.close - low.close
    calm, middle = outcomes.of(high) - outcomes.of(low), (outcomes.of(high) + outcomes.of(low)) / 2
    for name, (down, up) in zip(("low", "high"), DEEP, strict=True):
        follows = outcomes.of(up) - outcomes.of(down)
        most = np.maximum(np.abs(calm), np.abs(follows))
        odd = np.abs(follows - calm) > FLAT * most + 4 * outcomes.noise + SHARE * body * costs
        if outcomes.worth == "reward":  # it may be divided by the range of the bar, but not be 0
            odd &= np.abs(follows) <= ZERO * np.abs(calm)
        moved = np.abs((outcomes.of(up) + outcomes.of(down)) / 2 - middle)
        odd &= moved <= 3 * costs + NO_MOVE * np.abs(calm) / body + outcomes.noise
        odd &= (most > 20 * outcomes.noise) & ~outcomes.lost(down) & ~outcomes.lost(up)
        for k in np.flatnonzero(odd):
            return (
                f"after {_action(outcomes, k)} a next bar that closes {body:.2%} further up adds {calm[k]:.6g}, but "
                f"{follows[k]:.6g} if its {name} is far away, which was not paid for: the {name} of that bar was known"
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
            costs, order = 2 * spent.max(), abs(held[a] - held[b]) * SMALL
            if higher * lower < 0 and min(abs(higher), abs(lower)) > 2 * costs + SHARE * order + 4 * outcomes.noise:
                return (
                    f"if the bar that is known closes {SMALL:.0%} higher, {_action(outcomes, a)} given after it gets "
                    f"{higher:.6g} more than {_action(outcomes, b)}, and {lower:.6g} if "
                    "it closes lower: the return of a known bar is paid"
                )
    return None


def _one_side_is_flat(outcomes: Outcomes, paid: np.ndarray) -> np.ndarray:
    """bool (A,): closes on one side of the open pay what a bar without a body pays, and closes on the other side do not."""
    apart = np.abs(paid - outcomes.of(STILL))  # (B, A)
    lower, higher = apart[:2].max(axis=0), apart[2:].max(axis=0)
    return np.minimum(lower, higher) <= EXACTLY * (1 + np.maximum(lower, higher))


def _in_money(outcomes: Outcomes) -> bool:
    """Whether what is held earns a gap up as steeply as a gap down: then a bent worth comes from the order, not from its unit.

    The worth of an inverse contract in coins is bent by itself, and so is that of dollars.
    """
    if outcomes.worth == "reward":
        return False
    up, down = ((outcomes.of(shape) - outcomes.of(STILL)) / (gap - 1) for gap, shape in GAPS.items())
    return bool((np.abs(up - down) <= IN_MONEY * np.abs(up)).all() and (np.abs(up) * SMALL > 100 * outcomes.noise).all())


def _costs(outcomes: Outcomes) -> np.ndarray:
    """float64 (A,): what each action costs while the price stands still."""
    calm = outcomes.of(STILL)
    return np.asarray(calm.max() - calm)


def _pairs(held: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Neighbours in exposure, and both ends: actions whose exposures differ."""
    least = max(10 * least, SAME * float(np.abs(held).max()))
    order = np.argsort(held, kind="stable").tolist()
    pairs = [*pairwise(order), (order[0], order[-1])]
    return [(b, a) for a, b in pairs if abs(held[a] - held[b]) > least]


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
