"""The trading kernel: the only place where an order fills. Pure njit on arrays of records; imports nothing of ours.

Time at step t -> t+1:   decide at the close of bar t  ->  fill at the open of bar t+1  ->  mark at the close of bar t+1.
The order uses only bars up to t, so it cannot fill at a price of bar t: the first price after the decision is the next open.

Cash and coin may fall below 0 only where the rules give margin. Fractions are of 1, money is USD, prices are USD a coin.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

ORDERS, EXPOSURE = 0, 1  # how `step` reads an action: one of 12 orders, or the exposure to have after the fill
BUY, SELL, HOLD = 0, 1, 2  # `action // 4` of an order
N_ORDERS = 12  # 3 sides x 4 amounts
NEXT_OPEN, NEXT_CLOSE, SAME_CLOSE = 0, 1, 2
FILLED, HELD, NO_CASH, NO_COIN, NO_MARGIN, BELOW_MIN_TRADE, BELOW_LOT, NO_VOLUME, LIQUIDATED = range(9)
OUTCOMES = (
    "filled", "held", "refused: no cash", "refused: no coin", "refused: no margin", "refused: below min_trade",
    "refused: below one lot", "refused: too large for the volume", "refused: liquidated before the fill",
)  # fmt: skip
NOTHING, STOP_LOSS, TAKE_PROFIT, LIQUIDATION = range(4)
EVENTS = ("", "stop-loss", "take-profit", "liquidation")
ACCOUNT_COLUMNS = ("position", "cash", "unrealised_return", "drawdown", "bars_since_trade")
IDLE_HALF_BARS = 24.0  # `bars_since_trade` reads 1/2 after these
MAX_ADVERSE = 0.5  # of the price: an order that would move it so far is refused, a forced close pays no more
DUST = 1e-12  # what rounding leaves of a balance that was spent whole, as a fraction of the trade


def compiled(function: Callable[..., Any]) -> Any:
    """Compiled once for all later processes, or for this one where numba finds no folder to keep its cache in."""
    try:
        return njit(cache=True, error_model="numpy")(function)  # a division by 0 gives inf, without a check at each
    except RuntimeError:
        return njit(error_model="numpy")(function)


Record = Any  # one element of an array of these types: its fields are attributes, and writing to them writes to the array

BAR = np.dtype([(name, np.float64) for name in ("open", "high", "low", "close", "impact")], align=True)
"""One bar. `impact`: trailing volatility / sqrt(trailing volume in USD), known before the bar opens; inf without volume."""

RULES = np.dtype(
    [(name, np.int64) for name in ("scheme", "fill_at", "margin", "window", "stride")]  # `margin`: cash and coin may fall below 0
    + [
        (name, np.float64)
        for name in (
            "initial_cash", "fee", "adverse", "impact", "borrow", "funding",  # `borrow` and `funding`: a bar
            "min_trade", "lot", "lowest", "highest", "maintenance", "stop_loss", "take_profit",  # `lowest`, `highest`: exposure
            "ruin_fraction", "annualization",
        )
    ],
    align=True,
)  # fmt: skip
"""What every account trades under. The kernel takes an array of one such record."""

ACCOUNT = np.dtype(
    [
        ("bar", np.int64),  # the last bar whose close is known
        ("last_bar", np.int64),  # where the episode is cut off
        ("over", np.int64),  # 1: the episode has ended or not begun, and `step` passes the account by
        ("steps", np.int64),  # since the episode began
        ("slot", np.int64),  # of the window that the next return goes to
        ("idle", np.int64),  # bars since the last trade
        ("trades", np.int64),  # fills so far, forced ones included
        ("outcome", np.int64),  # what became of the last order
        ("event", np.int64),  # what the market forced in the last bar
        ("cash", np.float64),
        ("coin", np.float64),
        ("net_worth", np.float64),  # at the close of `bar`
        ("peak", np.float64),  # highest net worth so far
        ("entry", np.float64),  # what a coin held cost on average (or brought, if sold short), fee and slippage included
        ("fees", np.float64),  # paid so far
        ("slippage", np.float64),  # lost to half-spread, slippage and impact so far
        ("borrow", np.float64),  # interest paid so far
        ("funding", np.float64),  # funding paid (+) or earned (-) so far
        ("fill_price", np.float64),  # of the last order, 0 if it did not fill
        ("fill_coin", np.float64),  # bought (+) or sold (-) by the last order
        ("forced_price", np.float64),  # of the forced fill, 0 if there was none
        ("forced_coin", np.float64),
        ("reward_sum", np.float64),  # over the episode
        ("memory", np.float64, (4,)),  # what the reward carries from bar to bar
    ],
    align=True,
)
"""One account, from the start of its episode to the close of `bar`."""

TRACE = np.dtype(
    [
        (name, ACCOUNT[name])
        for name in (
            "bar", "event", "outcome", "cash", "coin", "net_worth", "fees", "slippage", "borrow", "funding",
            "fill_price", "fill_coin", "forced_price", "forced_coin",
        )
    ],
    align=True,
)  # fmt: skip
"""What `replay` writes down of an account after each bar."""


@compiled
def step(
    bars: np.ndarray,
    features: np.ndarray,
    rules: np.ndarray,
    accounts: np.ndarray,
    returns: np.ndarray,
    actions: np.ndarray,
    observations: np.ndarray,
    terminated: np.ndarray,
    truncated: np.ndarray,
    ended: np.ndarray,
) -> int:
    """Take every account that is not over one bar on, then write what is known at that bar's close.

    Args:
        bars: BAR (T,). features: float32 (T, F). rules: RULES (1,). accounts: ACCOUNT (N,).
        returns: simple returns of the net worth. With a `stride` of 1 float64 (N, 2 * window), a ring written twice, so that
            every window is one slice; else (N, stride * window): the first of each `stride` is a return, the rest the reward's.
        actions: float64 (N,), orders 0 to 11 or exposures.
        observations: float32 (N, F + 5), written. terminated, truncated: bool (N,), written.
        ended: int64 (N,), written: the accounts whose episode ended, in order.

    Returns:
        How many those are.
    """
    rule = rules[0]
    window = rule.window
    n_ended = 0
    for i in range(len(actions)):
        account = accounts[i]
        terminated[i] = truncated[i] = False
        if account.over:
            continue
        before = account.net_worth
        advance(account, bars[account.bar], bars[account.bar + 1], actions[i], rule)
        slot = account.slot
        change = account.net_worth / before - 1.0
        returns[i, slot * rule.stride] = change
        if rule.stride == 1:
            returns[i, slot + window] = change
        account.slot = slot + 1 if slot + 1 < window else 0
        account.bar += 1
        account.steps += 1
        terminated[i] = ruined(account, rule)
        truncated[i] = account.bar >= account.last_bar and not terminated[i]
        account.over = terminated[i] or truncated[i]
        if account.over:
            ended[n_ended] = i
            n_ended += 1
    # Only now, in a loop of its own: copies without branches between them overlap in the processor.
    observe(bars, features, rules, accounts, observations, 0, len(accounts))
    return n_ended


@compiled
def replay(
    bars: np.ndarray, rules: np.ndarray, accounts: np.ndarray, actions: np.ndarray, trace: np.ndarray, first: int, last: int
) -> int:
    """Take account 0 through actions first to last - 1, or to where its episode ends: `step` without rewards and observations.

    Args:
        bars, rules, accounts: as for `step`.
        actions: float64 (K,), orders 0 to 11 or exposures.
        trace: TRACE (K,), written: row k is the account after action k.

    Returns:
        How many actions of all have been played: `last`, or fewer where the episode ended.
    """
    rule = rules[0]
    account = accounts[0]
    for k in range(first, last):
        if account.over:
            return k
        advance(account, bars[account.bar], bars[account.bar + 1], actions[k], rule)
        account.bar += 1
        account.steps += 1
        account.over = ruined(account, rule) or account.bar >= account.last_bar
        record_trace(account, trace[k])
    return last


@compiled
def record_trace(account: Record, row: Record) -> None:
    """Write the account into one record of TRACE."""
    row.bar, row.event, row.outcome = account.bar, account.event, account.outcome
    row.cash, row.coin, row.net_worth = account.cash, account.coin, account.net_worth
    row.fees, row.slippage, row.borrow, row.funding = account.fees, account.slippage, account.borrow, account.funding
    row.fill_price, row.fill_coin = account.fill_price, account.fill_coin
    row.forced_price, row.forced_coin = account.forced_price, account.forced_coin


@compiled
def ruined(account: Record, rules: Record) -> bool:
    """True where the net worth ends the episode: a debt, nothing, or less than `ruin_fraction` of the start."""
    return account.net_worth <= 0.0 or account.net_worth < rules.ruin_fraction * rules.initial_cash


@compiled
def advance(account: Record, known: Record, bar: Record, action: float, rules: Record) -> None:
    """One bar of one account: its order, what the bar forces on it, the carry, the mark. `known`: the bar it decided at."""
    account.event = NOTHING
    account.fill_price = account.fill_coin = account.forced_price = account.forced_coin = 0.0
    account.idle += 1
    if rules.fill_at == NEXT_CLOSE:
        apply_stops_and_liquidation(account, bar, rules)
        charge_interest_and_funding(account, bar.close, rules)
        execute_order(account, action, bar.close, bar.impact, rules)
    else:
        if rules.fill_at == NEXT_OPEN and below_maintenance(account, bar.open, rules):
            apply_stops_and_liquidation(account, bar, rules)  # the open has broken the margin: the order comes too late
        execute_order(account, action, bar.open if rules.fill_at == NEXT_OPEN else known.close, bar.impact, rules)
        apply_stops_and_liquidation(account, bar, rules)
        charge_interest_and_funding(account, bar.close, rules)
    account.net_worth = account.cash + account.coin * bar.close
    account.peak = max(account.peak, account.net_worth)


@compiled
def execute_order(account: Record, action: float, price: float, impact: float, rules: Record) -> None:
    """Turn an action into coins to trade around `price`, and fill them unless a rule refuses."""
    held = account.coin * price
    worth = account.cash + held
    goal, parts, sign = target_exposure(action, held, worth, rules)
    account.outcome = HELD
    if parts == 0:
        return
    if account.event == LIQUIDATION:
        account.outcome = LIQUIDATED
        return
    distance = sign * (goal * worth - held)  # in USD, before costs
    if distance <= DUST * abs(worth):
        account.outcome = at_the_limit(sign, rules)
        return

    # The whole way is the value that solves held + sign * value = goal * (worth - cost * value); the order goes a part of it.
    adverse = slippage_fraction(distance / parts, impact, rules)
    cost = adverse + rules.fee * (1.0 + sign * adverse)  # of each USD traded; paid from the worth, so it moves the exposure
    shrink = 1.0 + sign * goal * cost
    quantity = distance / (shrink * parts * price)
    if goal == 0.0 and parts == 1:
        quantity = abs(account.coin)  # to the last digit
    moved = adverse
    if rules.lot > 0.0:
        quantity = np.floor(quantity / rules.lot * (1.0 + DUST / 2.0)) * rules.lot
        moved = slippage_fraction(quantity * price, impact, rules)  # what is rounded off moves nothing

    too_dear = goal != 0.0 and (shrink <= 0.0 or cost * distance >= worth * shrink)  # no worth would be left to hold it with
    if too_dear or adverse >= MAX_ADVERSE:
        account.outcome = NO_VOLUME
    elif quantity == 0.0:
        account.outcome = BELOW_LOT
    elif quantity * price < rules.min_trade:
        account.outcome = BELOW_MIN_TRADE
    else:
        account.outcome = FILLED
        account.fill_coin = sign * quantity
        account.fill_price = fill(account, sign * quantity, price, moved, rules)


@compiled
def foresee_outcomes(
    bars: np.ndarray, rules: np.ndarray, accounts: np.ndarray, actions: np.ndarray, outcomes: np.ndarray
) -> None:
    """What would become of each action of each account if it filled at the last close, which alone is known now.

    Args:
        bars, rules, accounts: as for `step`; the accounts stay as they are.
        actions: float64 (A,), orders 0 to 11 or exposures.
        outcomes: int64 (N, A), written: `FILLED`, `HELD`, ...; all `HELD` for an account that is over.
    """
    rule = rules[0]
    scratch = np.empty(1, accounts.dtype)
    for i in range(len(accounts)):
        for k in range(len(actions)):
            outcomes[i, k] = HELD
            if not accounts[i].over:
                scratch[0] = accounts[i]
                scratch[0].event = NOTHING
                bar = accounts[i].bar
                execute_order(scratch[0], actions[k], bars[bar].close, bars[bar + 1].impact, rule)  # known before that bar opens
                outcomes[i, k] = scratch[0].outcome


@compiled
def target_exposure(action: float, held: float, worth: float, rules: Record) -> tuple[float, int, float]:
    """The exposure that an action is on the way to, into how many parts the way is cut, and its side; 0 parts is a hold."""
    if rules.scheme == EXPOSURE:
        return action, 1, 1.0 if action * worth > held else -1.0
    side, parts = int(action) // 4, int(action) % 4 + 1
    if side == HOLD:
        return 0.0, 0, 1.0
    sign = 1.0 if side == BUY else -1.0
    goal = rules.highest if side == BUY else rules.lowest
    return (0.0 if held * sign < 0.0 else goal), parts, sign  # what is open on the other side is closed first


@compiled
def at_the_limit(sign: float, rules: Record) -> int:
    """Why there is nothing to trade: an exposure is held already, an order finds nothing more to buy with, or to sell."""
    if rules.scheme == EXPOSURE:
        return HELD
    if sign < 0.0 and rules.lowest == 0.0:
        return NO_COIN
    return NO_MARGIN if rules.margin else NO_CASH


@compiled
def fill(account: Record, quantity: float, price: float, adverse: float, rules: Record) -> float:
    """Buy (quantity > 0) or sell coins around `price`; returns the price paid, which is always the worse one."""
    sign = 1.0 if quantity > 0.0 else -1.0
    paid = price * (1.0 + sign * adverse)
    value = abs(quantity) * paid
    fee = value * rules.fee
    held = account.coin
    coin = held + quantity
    coin = 0.0 if abs(coin) <= DUST * abs(quantity) else coin
    cash = account.cash - sign * value - fee
    cash = 0.0 if abs(cash) <= DUST * value else cash

    each = paid * (1.0 + sign * rules.fee)  # what a coin cost, or brought
    average = (account.entry * abs(held) + each * abs(quantity)) / abs(coin)
    entry = average if held * quantity >= 0.0 else (each if held * coin < 0.0 else account.entry)  # more of it, turned, or less
    account.entry = 0.0 if coin == 0.0 else entry
    account.coin = coin
    account.cash = cash
    account.fees += fee
    account.slippage += abs(quantity) * price * adverse
    account.trades += 1
    account.idle = 0
    return paid


@compiled
def apply_stops_and_liquidation(account: Record, bar: Record, rules: Record) -> None:
    """Within the bar: liquidation at its worst price, stop-loss, take-profit. Where the order of events is unknown, the worse."""
    if not (rules.margin or rules.stop_loss > 0.0 or rules.take_profit > 0.0) or account.coin == 0.0:
        return
    sign = 1.0 if account.coin > 0.0 else -1.0
    worst = bar.low if sign > 0.0 else bar.high
    best = bar.high if sign > 0.0 else bar.low
    stop = account.entry * (1.0 - sign * rules.stop_loss)
    target = account.entry * (1.0 + sign * rules.take_profit)
    at_stop = sign * min(sign * stop, sign * bar.open)  # a bar that opens beyond the level fills at its open
    if rules.stop_loss > 0.0 and sign * worst <= sign * stop and not below_maintenance(account, at_stop, rules):
        close_position(account, STOP_LOSS, at_stop, bar.impact, rules)
    elif below_maintenance(account, worst, rules):
        close_position(account, LIQUIDATION, worst, bar.impact, rules)
    elif rules.take_profit > 0.0 and sign * best >= sign * target:
        close_position(account, TAKE_PROFIT, sign * max(sign * target, sign * bar.open), bar.impact, rules)


@compiled
def close_position(account: Record, event: int, price: float, impact: float, rules: Record) -> None:
    """Close the whole position: no minimum, no lot, no refusal."""
    adverse = slippage_fraction(abs(account.coin) * price, impact, rules)
    account.event = event
    account.forced_coin = -account.coin
    account.forced_price = fill(account, -account.coin, price, adverse, rules)


@compiled
def slippage_fraction(value: float, impact: float, rules: Record) -> float:
    """Fraction of the price lost to half-spread and slippage, and to impact by the square-root law: Y sigma sqrt(Q / V)."""
    if rules.impact == 0.0:
        return rules.adverse
    return min(rules.adverse + rules.impact * impact * np.sqrt(value), MAX_ADVERSE)


@compiled
def below_maintenance(account: Record, price: float, rules: Record) -> bool:
    """True if at this price the net worth no longer covers the maintenance margin."""
    return rules.margin != 0 and account.cash + account.coin * price < rules.maintenance * abs(account.coin) * price


@compiled
def charge_interest_and_funding(account: Record, price: float, rules: Record) -> None:
    """A bar's interest on what is borrowed, cash or coin, and its funding: longs pay shorts if it is positive."""
    if rules.margin:
        interest = (max(-account.cash, 0.0) + max(-account.coin, 0.0) * price) * rules.borrow
        funding = account.coin * price * rules.funding
        account.borrow += interest
        account.funding += funding
        account.cash -= interest + funding


@compiled
def observe(
    bars: np.ndarray, features: np.ndarray, rules: np.ndarray, accounts: np.ndarray, out: np.ndarray, first: int, last: int
) -> None:
    """Write the rows of accounts first to last - 1, float32 (N, F + 5): the features of the bar, then `ACCOUNT_COLUMNS`."""
    n = features.shape[1]
    bound = 2.0 if rules[0].margin else 1.0
    for i in range(first, last):
        account = accounts[i]
        t = account.bar
        for column in range(n):
            out[i, column] = features[t, column]
        price = bars[t].close
        entry = account.entry if account.coin != 0.0 else price
        side = 1.0 if account.coin > 0.0 else -1.0
        scale = 1.0 / (max(account.net_worth, DUST) * rules[0].highest)
        out[i, n] = min(max(account.coin * price * scale, -bound), bound)
        out[i, n + 1] = min(max(account.cash * scale, -bound), bound)
        out[i, n + 2] = min(max(side * (price / entry - 1.0), -1.0), 1.0)
        out[i, n + 3] = min(1.0 - account.net_worth / account.peak, 1.0)
        out[i, n + 4] = account.idle / (account.idle + IDLE_HALF_BARS)


@compiled
def open_account(accounts: np.ndarray, returns: np.ndarray, i: int, rules: np.ndarray, first_bar: int, last_bar: int) -> None:
    """Begin an episode: all in cash at the close of `first_bar`; no trace of an earlier episode stays."""
    account = accounts[i]
    account.bar = first_bar
    account.last_bar = last_bar
    account.over = account.steps = account.slot = account.idle = account.trades = 0
    account.outcome = HELD
    account.event = NOTHING
    account.cash = account.net_worth = account.peak = rules[0].initial_cash
    account.coin = account.entry = 0.0
    account.fees = account.slippage = account.borrow = account.funding = 0.0
    account.fill_price = account.fill_coin = account.forced_price = account.forced_coin = 0.0
    account.reward_sum = 0.0
    account.memory[:] = 0.0
    returns[i] = 0.0
