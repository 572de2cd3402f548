"""An account outside of any env: what an agent would see of it, by the kernel's own columns."""

from dataclasses import dataclass

import numpy as np

from common import InputError
from envs import kernel
from envs.accounts import DAY, rules_of
from envs.settings import EnvSettings


@dataclass(frozen=True)
class Account:
    """What somebody holds, and has held since the first of the rows that an agent is shown.

    Args:
        cash: USD; below 0 if it is borrowed.
        coin: below 0 if it is sold short.
        entry: what a coin cost on average, costs included (or brought, if sold short); needed with any coin.
        peak: highest net worth so far, in USD; None takes that of the rows.
        bars_since_trade: at the last row; None for no trade since the first.
    """

    cash: float
    coin: float = 0.0
    entry: float = 0.0
    peak: float | None = None
    bars_since_trade: int | None = None


def observe_account(
    rows: np.ndarray, settings: EnvSettings, account: Account | None = None, prices: np.ndarray | float | None = None
) -> np.ndarray:
    """What an env of these settings would show at each row: the features and the account's columns.

    Args:
        rows: features, float32 (n, F), oldest first.
        account: None is flat, `settings.initial_cash` and no coin.
        prices: closes of the rows' bars, float64 (n,) or one for all; needed with any coin.

    Returns:
        float32 (n, F + 5).

    Raises:
        InputError: coin without a price or an entry, or an account that is worth nothing.
    """
    account = Account(settings.initial_cash) if account is None else account
    if account.coin and (prices is None or account.entry <= 0):
        raise InputError(
            f"an account that holds coin needs `entry` above 0 and the prices of the rows, but got {account} and "
            f"{'no prices' if prices is None else 'prices'}; give both, or candles instead of features"
        )
    n = len(rows)
    bars, accounts = np.zeros(n, kernel.BAR), np.zeros(n, kernel.ACCOUNT)
    bars["close"] = 1.0 if prices is None else prices
    worth = account.cash + account.coin * bars["close"]
    if not (worth > 0).all():
        raise InputError(f"an account that trades is worth more than 0, but {account} is worth {worth.min():,.2f} USD")
    accounts["bar"] = np.arange(n)
    accounts["cash"], accounts["coin"], accounts["entry"] = account.cash, account.coin, account.entry
    accounts["net_worth"] = worth
    accounts["peak"] = np.maximum(np.maximum.accumulate(worth), account.peak or 0.0)
    idle = n - 1 if account.bars_since_trade is None else account.bars_since_trade
    accounts["idle"] = np.maximum(idle - np.arange(n)[::-1], 0)
    out = np.empty((n, rows.shape[1] + len(kernel.ACCOUNT_COLUMNS)), np.float32)
    kernel.observe(bars, np.ascontiguousarray(rows, np.float32), rules_of(settings, DAY), accounts, out, 0, n)
    return out
