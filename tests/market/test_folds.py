import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.errors import InputError
from market.folds import backtest_paths, combinatorial_purged, walk_forward


@st.composite
def blocks(draw):
    """`(n_folds, n_test_folds)`, at most C(8, 4) = 70 choices."""
    n_folds = draw(st.integers(2, 8))
    return n_folds, draw(st.integers(1, n_folds - 1))


@st.composite
def combinatorial_arguments(draw):
    """Arguments that leave train rows in each fold: between two test blocks as well as at both ends."""
    n_folds, n_test_folds = draw(blocks())
    purge, embargo = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    n_rows = n_folds * (2 * purge + embargo + draw(st.integers(1, 6))) + draw(st.integers(0, n_folds))
    return n_rows, n_folds, n_test_folds, purge, embargo


@st.composite
def walk_forward_arguments(draw):
    train_rows, test_rows, purge = draw(st.integers(1, 30)), draw(st.integers(1, 20)), draw(st.integers(0, 10))
    n_rows = train_rows + purge + test_rows + draw(st.integers(0, 100))
    return {"n_rows": n_rows, "train_rows": train_rows, "test_rows": test_rows, "purge": purge, "expanding": draw(st.booleans())}


def trains(folds):
    return [fold.train.tolist() for fold in folds]


def blocks_tested(folds):
    return [[test.tolist() for test in fold.tests] for fold in folds]


# The vectors that skfolio 1.12 publishes in its tests (tests/test_model_selection).


@pytest.mark.parametrize(
    ("purge", "embargo", "expected"),
    [
        (0, 0, [[8, 9, 10, 11], [4, 5, 6, 7], [0, 1, 2, 3]]),
        (1, 0, [[9, 10, 11], [5, 6], [0, 1, 2]]),
        (0, 1, [[9, 10, 11], [5, 6, 7], [0, 1, 2, 3]]),
    ],
)
def test_twelve_rows_in_three_blocks_as_skfolio_has_them(purge, embargo, expected):
    folds = combinatorial_purged(12, n_folds=3, n_test_folds=2, purge=purge, embargo=embargo)
    first, second, third = [0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]
    assert trains(folds) == expected
    assert blocks_tested(folds) == [[first, second], [first, third], [second, third]]


def test_the_last_block_takes_the_rows_left_over_as_skfolio_has_it():
    folds = combinatorial_purged(12, n_folds=5, n_test_folds=2)
    parts = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9, 10, 11]]
    assert blocks_tested(folds) == [list(chosen) for chosen in combinations(parts, 2)]
    assert trains(folds)[3] == [2, 3, 4, 5, 6, 7]
    assert trains(folds)[9] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("n_folds", "paths_of_skfolio"),
    [
        (3, [[0, 1], [0, 2], [1, 2]]),
        (5, [[0, 1, 2, 3], [0, 4, 5, 6], [1, 4, 7, 8], [2, 5, 7, 9], [3, 6, 8, 9]]),
    ],
)
def test_paths_as_skfolio_has_them(n_folds, paths_of_skfolio):
    by_path = [[fold for fold, _ in path] for path in backtest_paths(n_folds, 2)]
    assert np.array_equal(np.transpose(by_path), paths_of_skfolio)


def test_the_five_paths_of_lopez_de_prado():
    """Section 12.3: six groups, two tested, 15 splits; counted from 1 there."""
    paths = backtest_paths(6, 2)
    assert len(paths) == 5
    assert [fold + 1 for fold, _ in paths[0]] == [1, 1, 2, 3, 4, 5]
    assert [fold + 1 for fold, _ in paths[1]] == [2, 6, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("train_rows", "test_rows", "purge", "expanding", "keep_rest", "expected_trains", "expected_tests"),
    [
        (1, 4, 1, True, True, [1, 5, 9], [(2, 6), (6, 10), (10, 12)]),
        (1, 4, 1, True, False, [1, 5], [(2, 6), (6, 10)]),
        (2, 4, 1, True, True, [2, 6, 10], [(3, 7), (7, 11), (11, 12)]),
        (2, 4, 0, True, True, [2, 6, 10], [(2, 6), (6, 10), (10, 12)]),
        (3, 6, 0, True, True, [3, 9], [(3, 9), (9, 12)]),
        (1, 4, 1, False, True, [1, 5, 9], [(2, 6), (6, 10), (10, 12)]),
        (1, 4, 1, False, False, [1, 5], [(2, 6), (6, 10)]),
    ],
)
def test_walk_forward_as_skfolio_has_it(train_rows, test_rows, purge, expanding, keep_rest, expected_trains, expected_tests):
    folds = walk_forward(12, train_rows, test_rows, purge, expanding, keep_rest)
    assert trains(folds) == [list(range(0 if expanding else end - train_rows, end)) for end in expected_trains]
    assert blocks_tested(folds) == [[list(range(*ends))] for ends in expected_tests]


# What must hold for all arguments.


@given(combinatorial_arguments())
def test_a_train_row_keeps_its_distance_from_each_test_row(arguments):
    n_rows, _, _, purge, embargo = arguments
    for fold in combinatorial_purged(*arguments):
        tested = set(fold.test.tolist())
        near = [
            any(row + ahead in tested for ahead in range(purge + 1))
            or any(row - behind in tested for behind in range(purge + embargo + 1))
            for row in range(n_rows)
        ]
        assert fold.train.tolist() == [row for row in range(n_rows) if not near[row]]  # and no row is lost without need


@given(combinatorial_arguments())
def test_each_choice_of_blocks_is_tested_once_and_each_row_equally_often(arguments):
    n_rows, n_folds, n_test_folds, _, _ = arguments
    folds = combinatorial_purged(*arguments)
    size = n_rows // n_folds
    choices = [tuple(int(test[0]) // size for test in fold.tests) for fold in folds]
    assert choices == list(combinations(range(n_folds), n_test_folds))
    times_tested = np.bincount(np.concatenate([fold.test for fold in folds]), minlength=n_rows)
    assert set(times_tested.tolist()) == {math.comb(n_folds - 1, n_test_folds - 1)}


@given(combinatorial_arguments())
def test_each_path_covers_each_row_once_and_each_test_is_in_one_path(arguments):
    n_rows, n_folds, n_test_folds, _, _ = arguments
    folds = combinatorial_purged(*arguments)
    paths = backtest_paths(n_folds, n_test_folds)
    for path in paths:
        assert np.array_equal(np.concatenate([folds[fold].tests[place] for fold, place in path]), np.arange(n_rows))
    used = [pair for path in paths for pair in path]
    assert len(paths) == math.comb(n_folds, n_test_folds) * n_test_folds // n_folds
    assert sorted(used) == [(fold, place) for fold in range(len(folds)) for place in range(n_test_folds)]


@given(walk_forward_arguments(), st.booleans())
def test_walk_forward_tests_what_follows_the_train_rows(arguments, keep_rest):
    n_rows, train_rows, purge = arguments["n_rows"], arguments["train_rows"], arguments["purge"]
    folds = walk_forward(**arguments, keep_rest=keep_rest)
    for fold in folds:
        assert fold.train[-1] + purge + 1 == fold.test[0]
        assert np.array_equal(fold.train, np.arange(fold.train[0], fold.train[-1] + 1))
        assert fold.train[0] == 0 if arguments["expanding"] else len(fold.train) == train_rows
    tested = np.concatenate([fold.test for fold in folds])
    assert np.array_equal(tested, np.arange(train_rows + purge, train_rows + purge + len(tested)))  # no overlap, no gap
    left = n_rows - train_rows - purge - len(tested)
    assert left == 0 if keep_rest else left < arguments["test_rows"]
    assert all(len(fold.test) == arguments["test_rows"] for fold in folds[: -1 if keep_rest else None])


def test_index_sets_are_int64():
    for fold in [*walk_forward(12, 3, 2), *combinatorial_purged(12, 3, 2)]:
        assert {fold.train.dtype, fold.test.dtype} == {np.dtype(np.int64)}


def test_a_fold_cannot_spoil_another_one():
    """Walk-forward folds share their memory, so it is read-only."""
    fold = walk_forward(12, 3, 2)[0]
    with pytest.raises(ValueError, match="read-only"):
        fold.train[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        fold.tests[0][0] = 5


# What is refused.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rows": 0}, "`n_rows` must be a whole number of 1 or more, but got 0"),
        ({"train_rows": 0}, "`train_rows` must be a whole number of 1 or more, but got 0"),
        ({"test_rows": 2.5}, "`test_rows` must be a whole number of 1 or more, but got 2.5"),
        ({"purge": -1}, "`purge` must be a whole number of 0 or more, but got -1"),
        ({"purge": 95}, r"`train_rows \+ purge \+ test_rows <= n_rows`, but got 10 \+ 95 \+ 5 > 100; give more rows"),
        ({"purge": 90, "keep_rest": True}, r"`train_rows \+ purge \+ 1 <= n_rows`, but got 10 \+ 90 \+ 1 > 100"),
    ],
)
def test_walk_forward_refuses_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        walk_forward(**{"n_rows": 100, "train_rows": 10, "test_rows": 5} | arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_folds": 1}, "`n_folds` must be a whole number of 2 or more, but got 1"),
        ({"n_test_folds": 0}, "`n_test_folds` must be a whole number of 1 or more, but got 0"),
        ({"n_test_folds": 3}, "`n_test_folds < n_folds` must hold so that blocks are left to train on, but got 3 of 3"),
        ({"n_rows": 2}, "`n_rows` must be a whole number of 3 or more, but got 2"),
        ({"purge": -1}, "`purge` must be a whole number of 0 or more, but got -1"),
        ({"embargo": 0.5}, "`embargo` must be a whole number of 0 or more, but got 0.5"),
        ({"purge": 2}, r"purge=2 and embargo=0 leave none where blocks \(0, 2\) of 3 are tested \(12 rows, 4 a block\)"),
        ({"n_folds": 20, "n_test_folds": 10}, "at most 10,000 folds, but 10 of 20 blocks make 184,756"),
    ],
)
def test_combinatorial_folds_refuse_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        combinatorial_purged(**{"n_rows": 12, "n_folds": 3, "n_test_folds": 2} | arguments)
    assert "\n" not in str(caught.value)


def test_paths_refuse_what_the_folds_refuse():
    with pytest.raises(InputError, match="`n_test_folds < n_folds`"):
        backtest_paths(3, 3)
