import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from common import InputError
from features import INDICATORS
from features.correlation import apportion, keep_least_correlated, rank_correlation
from features.correlation_heatmap import draw_heatmap
from features.indicators import compute_indicators
from market import read_candles, simulate

GROUPS = {name: indicator.group for name, indicator in INDICATORS.items()}
WARM = max(indicator.warmup for indicator in INDICATORS.values())
TABLE = compute_indicators(simulate("bitcoin", bars=1_500, seed=4).frame, tuple(INDICATORS)).iloc[WARM:]


def noise(columns, rows=400, seed=0):
    values = np.random.default_rng(seed).normal(size=(rows, len(columns)))
    return pd.DataFrame(values, columns=list(columns))


def one_group(table):
    return dict.fromkeys(table.columns, "all")


def test_the_correlation_is_spearmans():
    table = noise("abcd")
    table["b"] = np.exp(table["a"]).round(1)  # monotonic, and with ties
    expected = spearmanr(table.to_numpy()).statistic
    np.testing.assert_allclose(rank_correlation(table), expected, rtol=0, atol=1e-12)


def test_the_correlation_is_the_same_to_the_bit_in_any_order_of_rows_and_columns():
    one, two = rank_correlation(TABLE), rank_correlation(TABLE.iloc[::-1, ::-1])
    assert np.array_equal(one.to_numpy(), two.to_numpy()[::-1, ::-1])
    assert np.array_equal(one.to_numpy(), one.to_numpy().T)


def test_planted_twins_are_dropped():
    table = noise("abcd")
    table["twin"] = table["b"]
    table["mirror"] = -(table["c"] ** 3)  # of the same ranks, backwards
    choice = keep_least_correlated(table, one_group(table), 4)
    assert {name for name, _ in choice.dropped} == {"twin", "mirror"}
    assert choice.kept == ("a", "b", "c", "d")


def test_each_drop_is_the_most_redundant_of_what_remains():
    table = noise("abcdef")
    for name, weight in {"b": 2.0, "c": 1.0, "d": 0.5}.items():
        table[name] += weight * table["a"]
    strengths = rank_correlation(table).abs()
    left = list(table.columns)
    for name, figure in keep_least_correlated(table, one_group(table), 2).dropped:
        means = (strengths.loc[left, left].sum() - 1) / (len(left) - 1)
        assert (name, figure) == (means.idxmax(), pytest.approx(means.max()))
        left.remove(name)


def test_of_equally_redundant_columns_the_later_goes():
    table = noise("ab")
    table["a2"], table["b2"] = table["a"], table["b"]
    assert keep_least_correlated(table, one_group(table), 2).kept == ("a", "b")
    backwards = table.iloc[:, ::-1]
    assert keep_least_correlated(backwards, one_group(table), 2).kept == ("b2", "a2")


def test_a_constant_column_goes_first():
    table = noise("abc")
    table["c"] = table["a"]
    table.insert(0, "constant", 4.2)
    choice = keep_least_correlated(table, one_group(table), 2)
    assert choice.dropped == (("constant", 1.0), ("c", choice.dropped[1][1]))
    assert choice.correlation["constant"].isna().all()
    assert keep_least_correlated(table, one_group(table), 4).kept == tuple(table.columns)


def test_another_group_has_no_say():
    table = noise("abc")
    table["twin"] = table["a"]
    groups = {"a": "one", "b": "one", "c": "two", "twin": "two"}
    table["b"] += 0.3 * table["a"]
    together = keep_least_correlated(table, one_group(table), 3)
    apart = keep_least_correlated(table, groups, 2)
    assert [name for name, _ in together.dropped] in (["a"], ["twin"])
    assert {groups[name] for name in apart.kept} == {"one", "two"}
    changed = table.assign(twin=noise("x", seed=1)["x"])
    kept = [name for name in keep_least_correlated(changed, groups, 2).kept if groups[name] == "one"]
    assert kept == [name for name in apart.kept if groups[name] == "one"]


@pytest.mark.parametrize(
    ("sizes", "keep", "expected"),
    [
        ({"a": 6, "b": 3, "c": 1}, 5, {"a": 3, "b": 1, "c": 1}),  # quotas 3, 1.5, 0.5: c has its one, and none is left for b
        ({"a": 5, "b": 3, "c": 2}, 5, {"a": 3, "b": 1, "c": 1}),  # quotas 2.5, 1.5, 1: the tie is the first one's
        ({"a": 10, "b": 1, "c": 1}, 4, {"a": 2, "b": 1, "c": 1}),  # quotas 3.3, 0.3, 0.3: each has one, which a pays
        ({"a": 10, "b": 1, "c": 1}, 3, {"a": 1, "b": 1, "c": 1}),
        ({"a": 2, "b": 3}, 5, {"a": 2, "b": 3}),
        ({"a": 2, "b": 3}, 99, {"a": 2, "b": 3}),
    ],
)
def test_groups_keep_in_proportion_to_their_size(sizes, keep, expected):
    assert apportion(sizes, keep) == expected


@pytest.mark.parametrize("keep", [5, 12, 40, 92, 93])
def test_as_many_columns_remain_as_asked(keep):
    choice = keep_least_correlated(TABLE, GROUPS, keep)
    assert len(choice.kept) == keep
    assert sorted([*choice.kept, *(name for name, _ in choice.dropped)]) == sorted(TABLE.columns)
    assert list(choice.kept) == [name for name in TABLE.columns if name in choice.kept]
    assert {GROUPS[name] for name in choice.kept} == set(GROUPS.values())


def test_the_same_rows_give_the_same_choice():
    one, two = (keep_least_correlated(TABLE.copy(), GROUPS, 40) for _ in range(2))
    assert (one.kept, one.dropped) == (two.kept, two.dropped)
    pd.testing.assert_frame_equal(one.correlation, two.correlation, check_exact=True)


def test_only_the_rows_given_decide():
    other = TABLE.copy()
    other.iloc[800:] = noise(TABLE.columns, len(TABLE) - 800).to_numpy()
    assert keep_least_correlated(other[:800], GROUPS, 40).dropped == keep_least_correlated(TABLE[:800], GROUPS, 40).dropped
    assert keep_least_correlated(other, GROUPS, 40).dropped != keep_least_correlated(TABLE, GROUPS, 40).dropped


@pytest.mark.parametrize(
    ("table", "groups", "keep", "message"),
    [
        (noise("ab"), {"a": "one"}, 1, "every column needs a group, but 'b' has none"),
        (noise("ab"), {"a": "one", "b": "two"}, 1, "`keep >= 2` must hold, but got 1"),
        (noise("ab", rows=2), {"a": "one", "b": "one"}, 1, "3 rows or more, but got 2"),
        (noise("ab").assign(b=np.nan), {"a": "one", "b": "one"}, 1, "'b' holds NaN; leave out the warm-up rows"),
    ],
)
def test_a_bad_table_gets_one_line(table, groups, keep, message):
    with pytest.raises(InputError) as caught:
        keep_least_correlated(table, groups, keep)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_heatmap_is_a_png_and_the_same_each_time(tmp_path):
    table = TABLE.assign(constant=1.0)
    choice = keep_least_correlated(table, GROUPS | {"constant": "others"}, 40)
    for name in ("one.png", "two.png"):
        draw_heatmap(choice, tmp_path / "figures" / name)
    one, two = ((tmp_path / "figures" / name).read_bytes() for name in ("one.png", "two.png"))
    assert one.startswith(b"\x89PNG")
    assert one == two
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"one.png", "two.png"}


def test_the_real_indicators_leave_forty(coinbase_hourly):
    train = read_candles(coinbase_hourly)[:10_549]
    table = compute_indicators(train.frame, tuple(INDICATORS)).iloc[WARM:]
    choice = keep_least_correlated(table, GROUPS, 40)
    assert len(choice.kept) == 40
    strengths = choice.correlation.abs()
    for group in ("volume", "volatility", "trend", "momentum"):
        columns = [name for name in GROUPS if GROUPS[name] == group]
        kept = [name for name in choice.kept if GROUPS[name] == group]
        assert strengths.loc[kept, kept].to_numpy().mean() < strengths.loc[columns, columns].to_numpy().mean()
