"""The tests of stationarity, their picture, and `python -m features stationarity` (in this process, but for one)."""

import subprocess
import sys
import warnings

import matplotlib.image
import numpy as np
import pytest
from statsmodels.tsa.stattools import adfuller, kpss

from features.__main__ import main
from features.fractional import filter_differences
from features.log_differences import log_differences
from features.stationarity_tests import (
    KPSS_RANGE,
    Stationarity,
    adf_statistic,
    draw_stationarity,
    judge,
    p_in_words,
    schwert_lags,
    smallest_order,
)
from market import read_candles, simulate, write_candles

CANDLES = simulate("bitcoin", bars=900, seed=11)
NOISE = np.random.default_rng(5).standard_normal(2_000)


def test_a_random_walk_has_a_unit_root_and_its_difference_has_none():
    walk = np.cumsum(NOISE)
    assert judge(walk).verdict == "unit root"
    assert judge(np.diff(walk)).verdict == "stationary"


def test_white_noise_and_a_mean_reverting_series_are_stationary():
    reverting = np.zeros_like(NOISE)
    for t in range(1, len(NOISE)):
        reverting[t] = 0.8 * reverting[t - 1] + NOISE[t]
    assert judge(NOISE).verdict == "stationary"
    assert judge(reverting).verdict == "stationary"


def test_a_trend_is_not_stationary_around_a_constant_but_its_difference_is():
    trend = 0.01 * np.arange(len(NOISE)) + NOISE
    assert judge(trend).verdict != "stationary"
    assert judge(np.diff(trend)).verdict == "stationary"


@pytest.mark.parametrize("values", [NOISE, np.cumsum(NOISE), CANDLES.column("close"), CANDLES.column("volume")])
def test_the_figures_are_those_of_statsmodels(values):
    for part in (values, values[:150], values[:40]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adf, adf_p, *_ = adfuller(part, maxlag=schwert_lags(len(part)), autolag=None)
            statistic, kpss_p, *_ = kpss(part, regression="c", nlags="auto")
        result = judge(part)
        np.testing.assert_allclose((result.adf, result.adf_p), (adf, adf_p), rtol=1e-8, atol=1e-300)
        assert (result.kpss, result.kpss_p) == (statistic, kpss_p)


@pytest.mark.parametrize("lags", [0, 1, 5, 30])
def test_the_adf_statistic_is_that_of_statsmodels_at_any_number_of_lags(lags):
    for values in (NOISE[:300], np.cumsum(NOISE[:300]), 1e6 + np.cumsum(NOISE[:300])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected, *_ = adfuller(values, maxlag=lags, autolag=None)
        assert adf_statistic(values, lags) == pytest.approx(expected, rel=1e-6)


def test_the_lags_follow_the_rule_and_fit_a_short_series():
    assert [schwert_lags(n) for n in (100, 400, 17_583)] == [12, 16, 43]
    assert schwert_lags(20) == 8


@pytest.mark.parametrize(
    ("adf_p", "kpss_p", "verdict"),
    [
        (0.01, 0.10, "stationary"),
        (0.30, 0.01, "unit root"),
        (0.01, 0.01, "tests disagree"),
        (0.30, 0.10, "tests disagree"),
        (0.05, 0.01, "unit root"),
    ],
)
def test_the_verdict_needs_both_tests(adf_p, kpss_p, verdict):
    assert Stationarity(0.0, adf_p, 1, 0.0, kpss_p).verdict == verdict


@pytest.mark.parametrize("values", [np.full(200, 3.0), np.sin(np.arange(400.0)), np.arange(300.0)])
def test_a_series_without_noise_is_called_so(values):
    assert judge(values).verdict == "no noise"
    assert smallest_order(np.diff(values, prepend=np.nan)) == 0


def test_no_warning_reaches_the_screen():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in (NOISE, np.cumsum(NOISE), simulate("sine", 400).column("close")):
            judge(values)


@pytest.mark.parametrize(
    ("p", "limits", "words"),
    [
        (0.01, KPSS_RANGE, "< 0.01"),
        (0.1, KPSS_RANGE, "> 0.10"),
        (0.046, KPSS_RANGE, "0.046"),
        (0.0, (), "< 0.0001"),
        (0.4587, (), "0.459"),
        (np.nan, (), "-"),
    ],
)
def test_a_p_value_off_the_table_is_told_as_such(p, limits, words):
    assert p_in_words(p, *limits) == words


def test_the_smallest_order_is_0_where_nothing_needs_differencing():
    assert smallest_order(np.diff(NOISE, prepend=np.nan)) == 0


def test_the_smallest_order_of_a_random_walk_passes_with_all_above_it():
    differences = np.concatenate([[np.nan], NOISE])
    order = smallest_order(differences)
    assert order is not None
    assert 0 < order < 1

    def p_at(order):
        values = filter_differences(differences[:, None], order)[:, 0]
        return judge(values[~np.isnan(values)]).adf_p

    assert all(p_at(step / 20) < 0.05 for step in range(round(20 * order), 21))
    assert order == 0.05 or p_at(order - 0.05) >= 0.05
    stricter = smallest_order(differences, p_value=1e-6)
    assert stricter is not None
    assert stricter > order


def test_there_is_no_order_for_a_walk_of_a_walk():
    assert smallest_order(np.concatenate([[np.nan], np.cumsum(NOISE)])) is None


def test_there_is_no_order_where_too_few_values_are_left_to_test():
    assert smallest_order(np.diff(NOISE[500:600], prepend=np.nan)) is None  # though the level itself passes


def test_the_picture_is_large_the_same_each_time_and_leaves_nothing_beside_it(tmp_path):
    for name in ("one.png", "two.png"):
        draw_stationarity(CANDLES, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    height, width, _ = matplotlib.image.imread(tmp_path / "one.png").shape
    assert width >= 1600
    assert height >= 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]


def test_the_command_shows_every_column_before_and_after(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["stationarity", "--simulate", "martingale", "--bars", "2000"]) == 0
    out, err = capsys.readouterr()
    table, after = out.split("ADF: the null hypothesis")
    assert err == ""
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80
    for form in ("level", "log difference", "fractional 0.4"):
        assert table.count(form) == 6
    close = next(row for row in table.splitlines() if row.startswith("close"))
    expected = judge(simulate("martingale", 2000, 0).column("close"))
    assert f"{expected.adf:.2f}" in close
    assert close.rstrip().endswith("unit root")
    assert "> 0.10" in table
    assert "KPSS: the null hypothesis" in after
    assert "first 1,200 bars (train): close 0." in after
    assert (tmp_path / "runs" / "stationarity.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_reads_a_file_and_its_last_bars(tmp_path, capsys):
    write_candles(CANDLES, tmp_path / "hours.csv")
    arguments = ["stationarity", f"{tmp_path / 'hours.csv'}", "--out", f"{tmp_path / 'picture.png'}", "--bars", "101"]
    assert main([*arguments, "--order", "1"]) == 0
    out = capsys.readouterr().out
    assert f"101 bars of 1h, {CANDLES.index[-101]:%Y-%m-%d %H:%M}" in out
    rows = [row.split()[2:] for row in out.splitlines() if "log difference" in row or "fractional 1" in row]
    assert rows[::2] == rows[1::2]  # order 1 is the log difference
    assert (tmp_path / "picture.png").exists()


def test_more_bars_than_the_tests_can_take_are_cut_off_aloud(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("features.__main__.MOST_BARS", 600)
    assert main(["stationarity", "--simulate", "ou", "--bars", "900", "--out", f"{tmp_path / 'picture.png'}"]) == 0
    out = capsys.readouterr().out
    assert "tested are the last 600 of 900 bars" in out
    assert "600 bars of 1h" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "there is no candle file none.csv"),
        ([], "name either a candle file or `--simulate NAME`"),
        (["some.csv", "--simulate", "ou"], "name either a candle file or `--simulate NAME`"),
        (["--simulate", "outs"], "there is no simulated market 'outs'; did you mean 'ou'"),
        (["--simulate", "ou", "--bars", "380"], "the tests need 381 bars, 100 after a warm-up of 281, but got 380"),
        (["--simulate", "ou", "--bars", "0"], "`--bars` must be 1 or more"),
        (["--simulate", "ou", "--order", "0"], "`0 < order <= 1` must hold"),
        (["--simulate", "ou", "--threshold", "0.9"], "threshold <= order` must hold"),
    ],
)
def test_wrong_input_gets_one_line_and_code_2(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["stationarity", *arguments]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_user_in_a_shell_gets_the_same_line(tmp_path):
    command = [sys.executable, "-m", "features", "stationarity", "none.csv"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no candle file none.csv")
    assert done.stderr.count("\n") == 1


def test_real_prices_have_a_unit_root_and_their_log_differences_none(coinbase_hourly):
    candles = read_candles(coinbase_hourly)
    for name, differences in zip(map(str, candles.frame), log_differences(candles).to_numpy()[1:].T, strict=True):
        assert judge(differences).verdict == "stationary"
        assert judge(candles.column(name)).verdict == ("tests disagree" if "volume" in name else "unit root")
