"""Which columns to keep: within each group the ones that say what the others already say are dropped, and the picture of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common import InputError


@dataclass(frozen=True, eq=False)
class Choice:
    """What was kept of a table's columns, what was dropped, and why.

    Args:
        kept: names of the columns that remain, in the table's order.
        dropped: (name, mean absolute correlation with what then remained of its group), in the order of dropping; a constant
            column has no correlation and counts as 1.
        groups: each column's group.
        correlation: float64 (F, F) Spearman correlations of all columns, the mean over the tables; NaN beside a constant one.
    """

    kept: tuple[str, ...]
    dropped: tuple[tuple[str, float], ...]
    groups: dict[str, str]
    correlation: pd.DataFrame


def keep_least_correlated(tables: pd.DataFrame | Sequence[pd.DataFrame], groups: dict[str, str], keep: int) -> Choice:
    """Drop, one by one, the column of a group that has the highest mean absolute rank correlation with the rest of its group.

    Each group keeps a share of `keep` in proportion to its size (largest remainders), and at least 1. Constant columns go first;
    of equally correlated ones the later in the table goes. The same table gives the same choice to the bit.

    Args:
        tables: float64 (R, F) without NaN: rows of train after the warm-up. Of several coins one each, with the same columns; the
            correlations are averaged, so each coin counts alike, whatever its length and its prices.
        groups: the group of each column.
        keep: number of columns to keep; all are kept if there are no more than that.

    Raises:
        InputError: a column without a group, a NaN, fewer than 3 rows, or a `keep` below the number of groups.
    """
    tables = [tables] if isinstance(tables, pd.DataFrame) else tables
    names = list(tables[0].columns)
    groups = {name: groups[name] for name in names if name in groups}
    members = {group: [name for name in names if groups.get(name) == group] for group in dict.fromkeys(groups.values())}
    for table in tables:
        _check(table, groups, keep, len(members))
    correlation = rank_correlation(tables[0])
    for table in tables[1:]:
        correlation += rank_correlation(table)
    correlation /= len(tables)
    shares = apportion({group: len(columns) for group, columns in members.items()}, keep)
    dropped = [drop for group, columns in members.items() for drop in _drop(correlation, columns, shares[group])]
    gone = {name for name, _ in dropped}
    return Choice(tuple(name for name in names if name not in gone), tuple(dropped), groups, correlation)


def rank_correlation(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlations, float64 (F, F); NaN beside a constant column.

    Twice the centred ranks are integers, so up to 190,000 rows every sum below is exact and no order of summation shows.
    """
    ranks = 2 * table.rank().to_numpy() - (len(table) + 1)
    products = ranks.T @ ranks
    sizes = np.sqrt(products.diagonal())
    with np.errstate(invalid="ignore"):
        correlation = products / np.outer(sizes, sizes)
    return pd.DataFrame(correlation, table.columns, table.columns)


def apportion(sizes: dict[str, int], keep: int) -> dict[str, int]:
    """Seats in proportion to the sizes, by largest remainders and at least 1 each: `keep` in all, or as many as there are."""
    if keep >= sum(sizes.values()):
        return dict(sizes)
    quotas = {group: keep * size / sum(sizes.values()) for group, size in sizes.items()}
    seats = {group: max(int(quota), 1) for group, quota in quotas.items()}
    while sum(seats.values()) < keep:
        seats[max(seats, key=lambda group: quotas[group] - seats[group])] += 1
    while sum(seats.values()) > keep:
        seats[min((g for g in seats if seats[g] > 1), key=lambda group: quotas[group] - seats[group])] -= 1
    return seats


def _check(table: pd.DataFrame, groups: dict[str, str], keep: int, n_groups: int) -> None:
    ungrouped = [name for name in table.columns if name not in groups]
    if ungrouped:
        raise InputError(f"every column needs a group, but {ungrouped[0]!r} has none; name it in `groups`")
    if len(table) < 3:
        raise InputError(f"correlations need 3 rows or more, but got {len(table)}; give more bars")
    missing = table.isna().any()
    if missing.any():
        raise InputError(f"correlations need numbers, but {missing.idxmax()!r} holds NaN; leave out the warm-up rows")
    if keep < n_groups:
        raise InputError(f"each group keeps 1 column or more, so `keep >= {n_groups}` must hold, but got {keep}; raise it")


def _drop(correlation: pd.DataFrame, names: list[str], keep: int) -> list[tuple[str, float]]:
    """(name, mean absolute correlation) of what a group loses until `keep` are left."""
    strengths = np.abs(correlation.loc[names, names].to_numpy())
    constants = np.flatnonzero(np.isnan(strengths.diagonal()))[::-1][: len(names) - keep].tolist()
    left = [column for column in range(len(names)) if column not in constants]
    dropped = [(names[column], 1.0) for column in constants]
    np.fill_diagonal(strengths, 0.0)
    while len(left) > keep:
        means = strengths[np.ix_(left, left)].sum(axis=1) / (len(left) - 1)
        means = means.round(12)  # so that twins tie, though their sums are added up in another order
        worst = len(left) - 1 - int(np.argmax(means[::-1]))
        dropped.append((names[left.pop(worst)], float(means[worst])))
    return dropped
