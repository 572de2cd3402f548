"""Index sets for judging a method over many ranges: walk-forward and combinatorial purged folds. They know rows, not candles.

Source: M. Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7 (purge, embargo) and chapter 12 (paths).
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from market.errors import InputError

MAX_FOLDS = 10_000
"""more combinations than this would be a training each: surely a slip, and the index sets alone would fill the memory"""

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """One way to divide the rows: what is fitted, and what it is judged on. Rows in neither are purged or left over."""

    train: Rows
    """int64 (n_train,), increasing"""
    tests: tuple[Rows, ...]
    """one int64 array for each test block, in time order; the rows of a block follow each other without a gap"""

    @property
    def test(self) -> Rows:
        """All test rows, int64 (n_test,), increasing."""
        return np.concatenate(self.tests)


def walk_forward(
    n_rows: int, train_rows: int, test_rows: int, purge: int = 0, expanding: bool = False, keep_rest: bool = False
) -> list[Fold]:
    """Train on the past, test on what follows, step on by the test's length, until the rows are used up.

    The first test starts at row `train_rows + purge`; tests follow each other without gap or overlap. There is no embargo:
    it leaves out train rows after a test, and here every train row comes before.

    Args:
        n_rows: length of the series.
        train_rows: train rows of each fold, or of the first one if `expanding`.
        test_rows: test rows of each fold.
        purge: rows left out between train and test; at least the longest forecast horizon.
        expanding: train from row 0 on, instead of on the last `train_rows`.
        keep_rest: also test on the last rows when they are fewer than `test_rows`, instead of leaving them out.

    Raises:
        InputError: an argument below its least value, or not enough rows for one fold.
    """
    _check_whole(1, n_rows=n_rows, train_rows=train_rows, test_rows=test_rows)
    _check_whole(0, purge=purge)
    first, needed = train_rows + purge, 1 if keep_rest else test_rows
    if first + needed > n_rows:
        raise InputError(
            f"a fold needs `train_rows + purge + {'1' if keep_rest else 'test_rows'} <= n_rows`, but got "
            f"{train_rows} + {purge} + {needed} > {n_rows}; give more rows or shorter ranges"
        )
    rows = _rows(n_rows)
    return [
        Fold(rows[0 if expanding else start - first : start - purge], (rows[start : start + test_rows],))
        for start in range(first, n_rows - needed + 1, test_rows)
    ]


def combinatorial_purged(n_rows: int, n_folds: int, n_test_folds: int, purge: int = 0, embargo: int = 0) -> list[Fold]:
    """Cut the rows into `n_folds` blocks and test on every choice of `n_test_folds` of them, C(n_folds, n_test_folds) in all.

    The choices come in lexicographic order. Every block has `n_rows // n_folds` rows; the last one takes what is left over too.
    A train row keeps more than `purge` rows' distance from a test block that follows it, and more than `purge + embargo` rows'
    from one that it follows.

    Args:
        n_rows: length of the series.
        n_folds: number of blocks.
        n_test_folds: test blocks in each fold.
        purge: rows left out on both sides of a test block; at least the longest forecast horizon.
        embargo: further rows left out after a test block, because their features still look back on it.

    Raises:
        InputError: an argument out of its range, a fold without train rows, or more than 10,000 folds.
    """
    _check_blocks(n_folds, n_test_folds)
    _check_whole(n_folds, n_rows=n_rows)
    _check_whole(0, purge=purge, embargo=embargo)
    rows, size = _rows(n_rows), n_rows // n_folds
    edges = [*range(0, size * n_folds, size), n_rows]
    folds = []
    for chosen in combinations(range(n_folds), n_test_folds):
        free = np.ones(n_rows, dtype=bool)
        for block in chosen:
            free[max(edges[block] - purge, 0) : edges[block + 1] + purge + embargo] = False
        if not free.any():
            raise InputError(
                f"each fold needs train rows, but {purge=} and {embargo=} leave none where blocks {chosen} of {n_folds} are "
                f"tested ({n_rows} rows, {size} a block); lower them, or give more rows"
            )
        folds.append(Fold(rows[free], tuple(rows[edges[block] : edges[block + 1]] for block in chosen)))
    return folds


def backtest_paths(n_folds: int, n_test_folds: int) -> list[list[tuple[int, int]]]:
    """The complete histories that the tests of `combinatorial_purged` make: C(n_folds, n_test_folds) * n_test_folds / n_folds.

    Each block is tested in that many folds; path number p takes the p-th of them for every block (section 12.3 of the source). So

        for path in backtest_paths(6, 2):
            np.concatenate([folds[fold].tests[place] for fold, place in path])   # rows 0 .. n_rows - 1, each once

    Returns:
        For each path, `(fold, place)` for each block in time order: the position in the list of folds and in its `tests`.

    Raises:
        InputError: as `combinatorial_purged`.
    """
    _check_blocks(n_folds, n_test_folds)
    tested: list[list[tuple[int, int]]] = [[] for _ in range(n_folds)]
    for fold, chosen in enumerate(combinations(range(n_folds), n_test_folds)):
        for place, block in enumerate(chosen):
            tested[block].append((fold, place))
    return [list(path) for path in zip(*tested, strict=True)]


def _rows(n_rows: int) -> Rows:
    """All rows, read-only: the folds share them as views, so that thousands of expanding ranges take no memory."""
    rows = np.arange(n_rows, dtype=np.int64)
    rows.flags.writeable = False
    return rows


def _check_whole(least: int, **values: int) -> None:
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"`{name}` must be a whole number of {least} or more, but got {value!r}; raise or round it")


def _check_blocks(n_folds: int, n_test_folds: int) -> None:
    _check_whole(2, n_folds=n_folds)
    _check_whole(1, n_test_folds=n_test_folds)
    if n_test_folds >= n_folds:
        raise InputError(
            f"`n_test_folds < n_folds` must hold so that blocks are left to train on, but got {n_test_folds} of {n_folds}; "
            f"test on fewer blocks"
        )
    if (count := comb(n_folds, n_test_folds)) > MAX_FOLDS:
        raise InputError(
            f"at most {MAX_FOLDS:,} folds, but {n_test_folds} of {n_folds} blocks make {count:,}, each a training of its own; "
            f"lower `n_folds`, or move `n_test_folds` away from its half"
        )
