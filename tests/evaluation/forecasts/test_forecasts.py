"""Forecasters as experiments: scores by hand, words that say what was shown, runs that go on where they stood."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import make_candles

from common import InputError, RunError
from evaluation import forecasts
from evaluation.forecasts.scores import Comparison, ForecastScore
from features.forecasters import FORECASTERS, FittedForecaster, ForecastSettings, fit_forecaster
from market import Candles, LockedTestRange, Split, SplitSettings, simulate, split

TINY = ForecastSettings(past_bars=32, future_bars=4, units=4, epochs=3, conv_layers=4, threads=1)
PARTS = split(simulate("bitcoin", bars=1_500, seed=5))


def planted(bars: int = 6_000, seed: int = 0, strength: float = 0.5) -> Split:
    """Log returns that follow an AR(2)."""
    noise = np.random.default_rng(seed).normal(0, 0.01, bars)
    returns = np.zeros(bars)
    for bar in range(2, bars):
        returns[bar] = strength * returns[bar - 1] - 0.6 * strength * returns[bar - 2] + noise[bar]
    return split(make_candles(list(100 * np.exp(np.cumsum(returns)))))


def fitted(names: list[str], parts: Split, settings: ForecastSettings = TINY) -> dict[str, FittedForecaster]:
    found = {name: fit_forecaster(name, parts.train.own, parts.validation.own, settings) for name in names}
    return {forecasts.LAST_VALUE if name == "last_value" else name: forecaster for name, forecaster in found.items()}


def score(low: float, high: float) -> ForecastScore:
    return ForecastScore(1.0, 1.0 + low, (low + high) / 2, (low, high), (low, high), 0.5)


def test_scores_are_those_of_a_plain_loop():
    own = PARTS.validation.own
    compared = forecasts.compare(PARTS, PARTS.validation, fitted(["last_value", "lag"], PARTS))
    close, sides = own.column("close"), []
    errors: dict[str, list[float]] = {"last": [], "lag": []}
    for end in range(31, len(close) - 4):
        for horizon in range(1, 5):
            errors["last"].append((close[end] - close[end + horizon]) ** 2)
            errors["lag"].append((close[end - 4 + horizon] - close[end + horizon]) ** 2)
        sides.append((close[end], close[end + 4]))
    assert compared.windows == len(sides)
    assert compared.rising == pytest.approx(np.mean([then > now for now, then in sides]))
    assert compared.scores["last value"].mse == pytest.approx(np.mean(errors["last"]))
    assert compared.scores["lag"].mse == pytest.approx(np.mean(errors["lag"]))
    assert compared.scores["lag"].skill == pytest.approx(1 - np.mean(errors["lag"]) / np.mean(errors["last"]))
    assert compared.scores["last value"].direction is None
    assert (compared.scores["last value"].skill, compared.scores["last value"].interval) == (0.0, (0.0, 0.0))


def test_direction_counts_the_forecasts_on_the_right_side():
    """The price rises in every window, and `linear` is made to say so, and then the contrary."""
    parts = split(make_candles(list(100 * 1.001 ** np.arange(600))))
    linear = fit_forecaster("linear", parts.train.own, parts.validation.own, TINY)
    shifted = {key: array.copy() for key, array in linear.estimates.items()}
    for sign, expected in ((1.0, 1.0), (-1.0, 0.0)):
        shifted["weights/head.weight"] = 0 * shifted["weights/head.weight"]
        shifted["weights/head.bias"] = np.full(4, sign, np.float32)
        told = replace(linear, estimates=shifted | {"scaling/target_center": np.zeros(4), "scaling/target_scale": np.ones(4)})
        both = {"last value": FittedForecaster("last_value", TINY, {}), "linear": told}
        assert forecasts.compare(parts, parts.validation, both).scores["linear"].direction == expected


def test_the_validation_loss_is_what_the_training_reached(tmp_path):
    network = {"gru": forecasts.train(tmp_path, "gru", PARTS, TINY), **fitted(["last_value"], PARTS)}
    losses = [float(line.split(",")[2]) for line in (tmp_path / "epochs.csv").read_text().splitlines()[1:]]
    compared = forecasts.compare(PARTS, PARTS.validation, network)
    assert compared.scores["gru"].validation_loss == pytest.approx(min(losses), rel=1e-5)


def test_a_planted_autoregression_is_found_beyond_doubt():
    parts = planted()
    compared = forecasts.compare(parts, parts.validation, fitted(["last_value", "lag", "linear"], parts))
    assert compared.scores["linear"].sure[0] > 0
    assert compared.scores["lag"].sure[1] < 0
    assert compared.in_words.startswith("linear (+")
    assert "beats the last value" in compared.in_words
    assert "Worse than it: lag (-" in compared.in_words


def guess(candles: Candles, settings: ForecastSettings, estimates: dict[str, np.ndarray]) -> np.ndarray:
    """Up or down by a little, by lot; or, for who knows the future, on the right side."""
    seed, size = int(estimates["seed"][0]), float(estimates["size"][0])
    sides = np.random.default_rng(seed).choice([-1.0, 1.0], len(candles))
    if seed == KNOWING:
        sides = np.sign(np.diff(candles.column("close"), append=candles.column("close")[-1]))
    paths = size * sides[:, None]
    paths[: settings.past_bars - 1] = np.nan
    return paths


KNOWING = 1_000
"""the seed of who knows the future"""
ONE_BAR = ForecastSettings(past_bars=2, future_bars=1)


def test_on_noise_nothing_is_shown_to_beat_the_last_value(monkeypatch):
    """Of 60 guessers on each of five markets the luckiest is sure by its own interval; beside them, one who knows is found.

    The interval for all at once is wrong in one market of twenty.
    """
    monkeypatch.setitem(FORECASTERS, "lag", FORECASTERS["lag"]._replace(forecast=guess))
    found = lucky = 0
    for market in range(5):
        parts = split(simulate("martingale", bars=2_500, seed=market))
        small = 0.005 * np.diff(np.log(parts.validation.own.column("close"))).std()
        names = {f"guess {seed}": 61 * market + seed for seed in range(60)} | {"knowing": KNOWING}
        guessers = {
            name: FittedForecaster("lag", ONE_BAR, {"seed": np.array([seed]), "size": np.array([small])})
            for name, seed in names.items()
        }
        both = {"last value": FittedForecaster("last_value", ONE_BAR, {})} | guessers
        compared = forecasts.compare(parts, parts.validation, both)
        beaten = compared.in_words[: compared.in_words.index("the last value")]
        assert "knowing (+" in beaten, compared.in_words
        found += "guess" in beaten
        lucky += any(compared.scores[f"guess {seed}"].interval[0] > 0 for seed in range(60))
    assert found <= 1
    assert lucky >= 3  # so it is the correction that stops it


@pytest.mark.slow
def test_on_noise_no_real_forecaster_is_shown_to_beat_the_last_value():
    """Ten markets, four forecasters each: the interval for all at once is wrong in one of twenty, so one may slip through."""
    found = 0
    for seed in range(10):
        parts = split(simulate("martingale", bars=2_500, seed=seed))
        compared = forecasts.compare(parts, parts.validation, fitted(["last_value", "lag", "linear", "sarimax"], parts))
        found += "No forecaster is shown to beat" not in compared.in_words
    assert found <= 1


BY = "the last value, by squared error over 90 overlapping windows, sure to 95%"


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"lstm": score(0.01, 0.05)}, f"lstm (+3.0%) beats {BY}."),
        ({"lstm": score(-0.01, 0.05)}, f"No forecaster is shown to beat {BY}. No difference is shown for lstm."),
        (
            {"a": score(0.01, 0.03), "b": score(0.02, 0.04), "c": score(-0.4, -0.2), "d": score(-0.1, 0.2)},
            f"a (+2.0%) and b (+3.0%) beat {BY} for all 4 at once. Worse than it: c (-30.0%). No difference is shown for d.",
        ),
    ],
)
def test_the_words_say_who_beats_the_last_value_and_who_does_not(scores, words):
    assert Comparison({"last value": score(0, 0)} | scores, 90, 0.5).in_words == words


def test_forecasters_that_say_the_same_are_named():
    scores = {"last value": score(0, 0), "cnn relu": score(0.1, 0.2), "cnn leaky": score(0.1, 0.2)}
    assert Comparison(scores, 90, 0.5).in_words.endswith("The same forecasts: cnn relu and cnn leaky.")


def test_the_interval_for_all_at_once_is_wider_than_that_of_each():
    compared = forecasts.compare(PARTS, PARTS.validation, fitted(["last_value", "lag", "linear", "sarimax"], PARTS))
    for name in ("lag", "linear", "sarimax"):
        of_one, of_all = compared.scores[name].interval, compared.scores[name].sure
        assert of_all[0] < of_one[0] <= compared.scores[name].skill <= of_one[1] < of_all[1]


def test_forecasters_of_other_windows_are_not_compared():
    other = FittedForecaster("last_value", TINY.model_copy(update={"past_bars": 16}), {})
    with pytest.raises(InputError, match="compared on the same windows, but other has others"):
        forecasts.compare(PARTS, PARTS.validation, {"last value": FittedForecaster("last_value", TINY, {}), "other": other})


def test_no_window_of_a_score_holds_a_bar_of_another_range():
    """Other candles before the validation range change no score there."""
    own = PARTS.validation.own
    alone = Split(PARTS.train, replace(PARTS.validation, candles=own, start=0), own, 0)
    names = fitted(["last_value", "lag", "linear"], PARTS)
    assert forecasts.compare(alone, alone.validation, names) == forecasts.compare(PARTS, PARTS.validation, names)


def test_bars_that_were_filled_in_are_in_no_window():
    own = PARTS.validation.own
    filled = np.zeros(len(own), bool)
    filled[100:110] = True
    holed = Candles(own.frame, own.bar, own.symbol, own.source, filled)
    part = replace(PARTS.validation, candles=holed, start=0)
    last = fitted(["last_value"], PARTS)
    whole = forecasts.compare(PARTS, PARTS.validation, last).windows
    assert forecasts.compare(replace(PARTS, validation=part), part, last).windows == whole - 10 - 35


def test_a_run_that_was_stopped_goes_on_with_the_same_files(tmp_path):
    class Stopped(Exception):
        pass

    def stop(epoch):
        if epoch.number == 2:
            raise Stopped

    forecasts.train(tmp_path / "whole", "cnn", PARTS, TINY)
    with pytest.raises(Stopped):
        forecasts.train(tmp_path / "stopped", "cnn", PARTS, TINY, stop)
    assert not (tmp_path / "stopped" / "forecaster.safetensors").exists()
    forecasts.train(tmp_path / "stopped", "cnn", PARTS, TINY)
    for name in ("forecaster.safetensors", "epochs.csv", "figures/loss.png"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes(), name


def test_what_is_trained_is_not_trained_again(tmp_path, monkeypatch):
    first = forecasts.train(tmp_path, "cnn", PARTS, TINY)
    monkeypatch.setitem(FORECASTERS, "cnn", FORECASTERS["cnn"]._replace(estimate=lambda *given: pytest.fail("trained again")))
    second = forecasts.train(tmp_path, "cnn", PARTS, TINY)
    assert second.forecast(PARTS.train.own).tobytes() == first.forecast(PARTS.train.own).tobytes()


def test_the_test_range_opens_through_the_ledger(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert forecasts.range_of(PARTS, "validation", "config", tmp_path) is PARTS.validation
    assert not (tmp_path / "studies").exists()
    with pytest.raises(LockedTestRange):
        _ = PARTS.test
    assert forecasts.range_of(PARTS, "test", "config", tmp_path).name == "test"
    assert len((tmp_path / "studies" / "test_ledger.jsonl").read_text().splitlines()) == 1


# --- regularisation --------------------------------------------------------------------------------------------------------


def test_every_penalty_is_tried_on_each_group_and_none_once_for_all():
    jobs = forecasts.jobs_of("lstm", 3)
    assert len(jobs) == 3 * (4 * 8 + 1)
    assert {job.group for job in jobs} == {"all", "kernel", "bias", "recurrent", "activity"}
    assert {(job.l1, job.l2) for job in jobs if job.group == "bias"} == {
        *((weight, 0.0) for weight in (0.1, 0.01, 0.001, 0.0001)), *((0.0, weight) for weight in (0.1, 0.01, 0.001, 0.0001)),
    }  # fmt: skip
    assert len({job.file_name for job in jobs}) == len(jobs)
    assert len(forecasts.jobs_of("cnn", 1)) == 3 * 8 + 1


def test_a_penalty_reaches_the_training_and_results_are_kept(tmp_path):
    jobs = [job for job in forecasts.jobs_of("cnn", 2) if job.penalty in ("none", "l2 0.1") and job.group in ("all", "kernel")]
    forecasts.run_jobs(tmp_path, "cnn", PARTS, TINY, jobs, lambda name: None)
    results = {job: json.loads((tmp_path / "results" / job.file_name).read_text()) for job in jobs}
    assert len({result["mse"] for result in results.values()}) == 4  # two penalties, two seeds
    again = fit_forecaster("cnn", PARTS.train.own[:720], PARTS.train.own[720:], TINY.model_copy(update={"l2": 0.1, "seed": 1}))
    both = {"last value": FittedForecaster("last_value", TINY, {}), "cnn": again}
    by_hand = forecasts.compare(PARTS, PARTS.validation, both).scores["cnn"].mse
    penalised = next(job for job in jobs if job.penalty == "l2 0.1" and job.repeat == 1)
    assert results[penalised]["mse"] == pytest.approx(by_hand, rel=1e-12)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "results").iterdir()}
    forecasts.run_jobs(tmp_path, "cnn", PARTS, TINY, jobs, lambda name: None)
    assert kept == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "results").iterdir()}


def write_results(folder, jobs, mse):
    (folder / "results").mkdir()
    for job in jobs:
        (folder / "results" / job.file_name).write_text(json.dumps({"mse": mse(job)}))


def test_the_table_describes_each_group_beside_no_penalty(tmp_path):
    jobs = forecasts.jobs_of("gru", 4)
    errors = {job: float(number) for number, job in enumerate(jobs)}
    write_results(tmp_path, jobs, errors.get)
    described = forecasts.describe(forecasts.read_results(tmp_path, jobs))
    assert list(described.index.get_level_values(0).unique()) == ["kernel", "bias", "recurrent", "activity"]
    assert list(described.loc["bias"].index) == [
        "none", "l1 0.1", "l1 0.01", "l1 0.001", "l1 0.0001", "l2 0.1", "l2 0.01", "l2 0.001", "l2 0.0001",
    ]  # fmt: skip
    of_one = pd.Series([errors[job] for job in jobs if (job.group, job.penalty) == ("bias", "l2 0.01")])
    assert described.T[("bias", "l2 0.01")].tolist() == of_one.describe().tolist()
    plain = pd.Series([errors[job] for job in jobs if job.penalty == "none"])
    assert all(described.T[(group, "none")].tolist() == plain.describe().tolist() for group in ("kernel", "activity"))


def test_a_training_that_diverged_is_not_counted(tmp_path):
    jobs = forecasts.jobs_of("gru", 3)
    write_results(tmp_path, jobs, lambda job: None if job.penalty == "l1 0.1" and job.repeat == 0 else 100.0 + job.repeat)
    described = forecasts.describe(forecasts.read_results(tmp_path, jobs))
    assert described.loc[("kernel", "l1 0.1"), "count"] == 2
    assert described.loc[("kernel", "l1 0.01"), "count"] == 3


def test_a_missing_result_is_named(tmp_path):
    jobs = forecasts.jobs_of("gru", 1)
    write_results(tmp_path, jobs, lambda job: 1.0)
    (tmp_path / "results" / jobs[5].file_name).write_text("{")
    with pytest.raises(RunError, match=f"cannot read .*{jobs[5].file_name}: .*; delete it and resume the run"):
        forecasts.read_results(tmp_path, jobs)


@pytest.mark.parametrize(("gain", "least", "most"), [(0.0, 0, 2), (500.0, 20, 20)])
def test_the_best_of_many_penalties_must_beat_chance(tmp_path, gain, least, most):
    """Twenty tables of 32 penalties that do nothing, or of which one does."""
    jobs, found = forecasts.jobs_of("lstm", 8), 0
    for seed in range(20):
        rng, folder = np.random.default_rng(seed), tmp_path / str(seed)
        folder.mkdir()
        write_results(folder, jobs, lambda job: rng.normal(10_000, 100) - gain * (job.file_name[:11] == "bias-l2-0.1"))  # noqa: B023
        told = forecasts.penalties_in_words(forecasts.read_results(folder, jobs))
        assert told.startswith("Of 32 penalties the lowest mean error is that of ")
        found += "which is more than chance" in told
    assert least <= found <= most


def test_l1_and_l2_are_for_networks():
    with pytest.raises(RunError, match="l1 and l2 are for cnn, lstm, gru, but got linear"):
        forecasts.require_network("linear")


def test_the_split_decides_what_forecasters_are_trained_on(tmp_path):
    """Two splits of the same candles give other weights: train is all that is seen."""
    other = split(simulate("bitcoin", bars=1_500, seed=5), SplitSettings(train=0.5))
    one = forecasts.train(tmp_path / "one", "linear", PARTS, TINY)
    two = forecasts.train(tmp_path / "two", "linear", other, TINY)
    assert one.estimates["weights/head.weight"].tobytes() != two.estimates["weights/head.weight"].tobytes()
