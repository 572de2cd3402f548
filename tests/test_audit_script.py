"""`python audit.py`, as a user runs it."""

import functools
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from scripts import Ran, run_script, run_well, start

import evaluation.audit
from evaluation.audit import another_future
from features import INDICATORS, FeaturePipeline, FittedFeatures
from market import simulate, split, write_candles

EXPERIMENT = """
name: small
market: {bars: 1000}
features: {indicators: [rsi, ema_8, ema_24, obv_diff], keep_indicators: 3, sarimax: {forecast_len: 0}}
agent: {n_envs: 4, n_steps: 16, n_epochs: 1, lstm_size: 8}
train: {steps: 256, validations: 1}
"""


FEW_CHECKS = ("fitted on train", "causal features", "start dates", "causal env", "frozen agent")
"""those that would show what the candles are, without those that take longest"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of a user's, with a small experiment."""
    (tmp_path / "small.yaml").write_text(EXPERIMENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of `train.py`."""
    place = tmp_path_factory.mktemp("user")
    (place / "small.yaml").write_text(EXPERIMENT)
    run_well(place, "train", "--config", "small.yaml")
    return place / "runs" / "small-sortino-001"


def audit(*arguments: str, config: bool = True) -> Ran:
    """In the current folder."""
    return run_script(Path(), "audit", *(["--config", "small.yaml"] if config else []), "--cuts", "1", *arguments)


@pytest.fixture
def make_only(monkeypatch):
    """Leaves out the other checks, which take longer than what a test is about."""
    leak_audit = evaluation.audit.leak_audit

    def limit(*names: str) -> None:
        monkeypatch.setattr(evaluation.audit, "leak_audit", functools.partial(leak_audit, only=names))

    return limit


@pytest.mark.slow
def test_the_default_experiment_has_no_leak(place):
    everything = ["--features.indicators", ",".join(INDICATORS), "--features.keep_indicators", "40"]
    run = audit(*everything, "--features.sarimax.forecast_len", "1", "--market.bars", "1500", "--out", "runs/audit.json")
    told = run.stdout
    assert run.returncode == 0, told + run.stderr
    assert "LEAK" not in told
    assert "no leak found: 13 checks" in told
    written = json.loads((place / "runs/audit.json").read_text())
    assert written["passed"]
    assert [check["verdict"] for check in written["checks"]] == [
        "clean",
        "-",
        *["clean"] * 12,
    ]  # no forecaster, so nothing is out of fold
    assert len(written["drift"]) == 56
    assert sorted(path.name for path in place.iterdir()) == ["runs", "small.yaml"]  # no cache, no opening of the test range


def test_a_leak_is_printed_with_its_column_and_bar_and_ends_with_1(place, make_only):
    make_only("next-bar fills")
    run = audit("--env.fill", "same_close", "--train-steps", "0", "--out", "audit.json")
    told = run.stdout
    assert run.returncode == 1
    assert "LEAK: next-bar fills: fill_price at 2017-" in told
    assert "(bar " in told
    findings = [finding for check in json.loads((place / "audit.json").read_text())["checks"] for finding in check["findings"]]
    assert {finding["column"] for finding in findings} == {"fill_price", "net_worth"}


@pytest.mark.slow
def test_the_command_runs_as_a_process_and_its_code_is_the_verdict(place):
    for fill, code in (("next_open", 0), ("same_close", 1)):
        process = start(place, "audit", "--config", "small.yaml", "--cuts", "1", "--train-steps", "0", "--env.fill", fill)
        _, error = process.communicate(timeout=240)
        assert (process.returncode, error) == (code, "")


def test_the_test_range_stays_locked(place, monkeypatch):
    """Neither what is audited nor what is printed depends on it, and the ledger has nothing to write down."""
    candles = simulate("bitcoin", bars=1_000, seed=0)
    last = len(split(candles).validation.candles) - 1
    told, audited, leak_audit = [], [], evaluation.audit.leak_audit

    def noted(candles, *arguments, **options):
        audited.append(candles)
        return leak_audit(candles, *arguments, **options, only=FEW_CHECKS)

    monkeypatch.setattr(evaluation.audit, "leak_audit", noted)
    for name, series in (("one", candles), ("two", another_future(candles, last, "a thousandfold", seed=5))):
        (place / name).mkdir()
        write_candles(series, place / name / "candles.csv")
        os.chdir(place / name)
        arguments = ["--config", "../small.yaml", "--market.file", "candles.csv", "--cuts", "1", "--out", "audit.json"]
        run_well(place / name, "audit", *arguments)
        written = json.loads(Path("audit.json").read_text())
        told.append([written["subject"], written["drift"], [(check["cases"], check["notes"]) for check in written["checks"]]])
        assert not Path("studies").exists()
    assert told[0] == told[1]
    one, two = audited
    assert one.frame.equals(two.frame)
    assert one.frame["close"].iloc[: last + 1].to_numpy() == pytest.approx(candles.frame["close"].iloc[: last + 1].to_numpy())
    assert not np.isin(one.frame["close"].iloc[last + 1 :].round(6), candles.frame["close"].round(6)).any()


@pytest.mark.slow
def test_a_run_is_audited_as_it_was_trained(trained, place):
    os.chdir(trained.parents[1])
    run = audit("--run", str(trained), config=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no leak found: 13 checks" in run.stdout


def test_a_run_whose_features_were_fitted_on_more_than_train_is_caught(trained, place, make_only):
    make_only("fitted on train")
    leaky = place / "runs" / "leaky"
    shutil.copytree(trained, leaky)
    settings = FittedFeatures.load(leaky / "agent").settings
    FeaturePipeline(settings).fit(simulate("bitcoin", bars=1_000, seed=0)).save(leaky / "agent")
    run = audit("--run", str(leaky), "--train-steps", "0", config=False)
    assert run.returncode == 1
    assert "LEAK: fitted on train: " in run.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cuts", "0"], "an audit needs 1 cut or more, but got 0"),
        (["--seed", "-1"], "an audit needs `seed >= 0`, but got -1"),
        (["--run", "nowhere"], "`--run` needs the folder of a trained agent, but nowhere holds none"),
        (["--market.file", "nowhere.csv"], "nowhere.csv"),
        (["--env.fee_bps", "-1"], "`env.fee_bps`"),
        (["--market.bars", "300"], "300"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(place, arguments, words):
    run = run_script(place, "audit", *arguments)
    assert run.returncode == 2
    assert words in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_run_cannot_be_audited_on_other_settings_or_data(trained, place):
    refused = audit("--run", str(trained), "--features.clip", "3", config=False)
    assert refused.returncode == 2
    assert "`features.clip` cannot be changed" in refused.stderr
    other = place / "other"
    shutil.copytree(trained, other)
    (other / "data.sha256").write_text("0" * 64 + "\n")
    refused = audit("--run", str(other), config=False)
    assert refused.returncode == 2
    assert "data.sha256 was edited by hand" in refused.stderr
    (other / "seals.json").unlink()  # as in a run of an older version
    refused = audit("--run", str(other), config=False)
    assert refused.returncode == 2
    assert "was trained on 000000000000" in refused.stderr
