"""Which columns to keep: within each group the ones that say what the others already say are dropped, and the picture of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit

from common import InputError, cached

BLOCK = 65_536
"""rows whose products are summed at a time"""


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
    for table in tables:
        missing = table.isna().any()
        if missing.any():
            raise InputError(f"correlations need numbers, but {missing.idxmax()!r} holds NaN; leave out the warm-up rows")
    return choose_by_ranks(list(tables[0].columns), (ranks_of(table) for table in tables), groups, keep)


def choose_by_ranks(names: list[str], ranks: Iterable[np.ndarray], groups: dict[str, str], keep: int) -> Choice:
    """As `keep_least_correlated`, from the ranks alone: a quarter of the memory, and the columns can be ranked one by one.

    Args:
        names: of the F columns.
        ranks: for each table int32 (F, R), a row of `centred_ranks` for each column.
        groups: the group of each column.
        keep: number of columns to keep.
    """
    groups = {name: groups[name] for name in names if name in groups}
    members = {group: [name for name in names if groups.get(name) == group] for group in dict.fromkeys(groups.values())}
    correlations = []
    for one in ranks:
        _check(names, one.shape[1], groups, keep)
        correlations.append(_correlation(names, one))
    correlation = correlations[0]
    for other in correlations[1:]:
        correlation += other
    correlation /= len(correlations)
    shares = apportion({group: len(columns) for group, columns in members.items()}, keep)
    dropped = [drop for group, columns in members.items() for drop in _drop(correlation, columns, shares[group])]
    gone = {name for name, _ in dropped}
    return Choice(tuple(name for name in names if name not in gone), tuple(dropped), groups, correlation)


def rank_correlation(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlations, float64 (F, F); NaN beside a constant column."""
    return _correlation(list(table.columns), ranks_of(table))


def ranks_of(table: pd.DataFrame) -> np.ndarray:
    """int32 (F, R): `centred_ranks` of each column of a table (R, F)."""
    return np.stack([centred_ranks(table.iloc[:, column].to_numpy()) for column in range(table.shape[1])])


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """Twice the rank less twice the mean rank, int32 (R,), of a column without NaN; equal values share their mean rank."""
    return _centred_ranks(values, np.argsort(values))


@cached(njit)
def _centred_ranks(values, order):  # type: ignore[no-untyped-def]
    ranks, first = np.empty(len(values), np.int32), 0
    while first < len(values):
        last = first + 1
        while last < len(values) and values[order[last]] == values[order[first]]:
            last += 1
        for place in range(first, last):
            ranks[order[place]] = first + last - len(values)
        first = last
    return ranks


def _correlation(names: list[str], ranks: np.ndarray) -> pd.DataFrame:
    """Twice the centred ranks are integers, so up to 190,000 rows every sum is exact and no order of summation shows."""
    products = np.zeros((len(ranks), len(ranks)))
    for first in range(0, ranks.shape[1], BLOCK):
        block = ranks[:, first : first + BLOCK].astype(np.float64)
        products += block @ block.T
    sizes = np.sqrt(products.diagonal())
    with np.errstate(invalid="ignore"):
        correlation = products / np.outer(sizes, sizes)
    return pd.DataFrame(correlation, names, names)


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


def _check(names: list[str], rows: int, groups: dict[str, str], keep: int) -> None:
    ungrouped = [name for name in names if name not in groups]
    if ungrouped:
        raise InputError(f"every column needs a group, but {ungrouped[0]!r} has none; name it in `groups`")
    if rows < 3:
        raise InputError(f"correlations need 3 rows or more, but got {rows}; give more bars")
    if keep < (n_groups := len(set(groups.values()))):
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
