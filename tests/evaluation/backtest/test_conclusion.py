"""A whole backtest, put together and told as JSON."""

import json

import numpy as np
import pytest

from agents import Agent, SignalStrategy, StrategySettings
from common import write_json
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation.backtest import Contest, TrainedRun, as_json, conclude
from evaluation.statistics import FIGURES, metrics
from features import FeaturePipeline, FeatureSettings
from market import OpeningLedger

SIDES = {"agent": [BUY, HOLD, SELL, HOLD], "seed 0": [BUY, SELL], "seed 1": [BUY, HOLD, HOLD, SELL]}


@pytest.fixture(scope="module")
def stage(parts, tmp_path_factory):
    features = FeaturePipeline(FeatureSettings(indicators=("rsi",))).fit(parts.train.candles)
    test = parts.open_test(OpeningLedger(tmp_path_factory.mktemp("studies") / "ledger.jsonl"), "config", "a test")

    def make(names, env=None, **known):
        agents: dict[str, Agent] = {name: SignalStrategy(np.resize(SIDES[name], 300)) for name in names}
        known = {"trials": 12, "sharpe_spread": None, "overfitting": None} | known
        trained = TrainedRun(tmp_path_factory.mktemp("run"), agents, features, {"agent": [{"step": 1}]}, **known)
        rules = StrategySettings(sma_short_bars=5, sma_long_bars=20)
        return Contest.on(test, features, env or EnvSettings(), rules, agents), trained

    return make


@pytest.fixture(scope="module")
def of_seeds(stage):
    contest, trained = stage(SIDES)
    return conclude(contest, trained, openings=2, notes=("a last line",))


def test_an_outcome_is_whole_and_of_one_order(of_seeds, parts):
    names = list(of_seeds.episodes)
    assert names[:4] == ["agent", "seed 0", "seed 1", "buy and hold"]
    for table in (of_seeds.figures, of_seeds.intervals, of_seeds.costs.index, of_seeds.monthly.columns):
        assert list(table) == names
    assert of_seeds.candles.index.equals(of_seeds.episodes["agent"].table.index)
    assert of_seeds.seeds == ("seed 0", "seed 1")
    assert len(of_seeds.windows) == 4
    assert of_seeds.notes[0].startswith("The agent made")
    assert "The oracle" in of_seeds.notes[1]
    assert of_seeds.notes[-1] == "a last line"
    assert (of_seeds.verdict.evidence.trials, of_seeds.verdict.evidence.openings) == (12, 2)


def test_figures_over_seeds_are_those_that_all_of_them_have(of_seeds):
    each = [metrics(of_seeds.episodes[name]) for name in of_seeds.seeds]
    middle, low, high = of_seeds.over_seeds["total_return"]
    assert middle == pytest.approx(np.mean([one["total_return"] for one in each]))
    assert low <= middle <= high
    assert set(of_seeds.over_seeds) == {name for name in FIGURES if None not in [one[name] for one in each]}


def test_of_one_seed_there_is_nothing_over_seeds_and_the_bootstrap_can_be_left_out(stage):
    contest, trained = stage(["agent"], EnvSettings(fill="same_close"))
    alone = conclude(contest, trained, openings=1, bootstrap=False)
    assert alone.over_seeds == {}
    assert alone.intervals == {}
    assert alone.seeds == ()
    assert alone.optimistic
    assert "OPTIMISTIC" in alone.notes[0]


def test_what_is_known_of_the_search_reaches_the_verdict(stage):
    def verdict(**known):
        contest, trained = stage(["agent"], **known)
        return conclude(contest, trained, openings=1, bootstrap=False).verdict

    assert verdict(trials=None).evidence.trials is None
    wide = verdict(sharpe_spread=10.0, overfitting=0.75)
    narrow = verdict(sharpe_spread=0.0, overfitting=0.25)
    assert wide.evidence.dsr < narrow.evidence.dsr
    assert (wide.evidence.overfitting, narrow.evidence.overfitting) == (0.75, 0.25)


def test_the_json_is_strict_and_tells_what_the_outcome_does(of_seeds, tmp_path):
    write_json(tmp_path / "metrics.json", as_json(of_seeds))
    told = json.loads((tmp_path / "metrics.json").read_text())
    assert list(told["strategies"]) == list(of_seeds.episodes)
    assert told["verdict"]["verdict"] == of_seeds.verdict.verdict
    assert told["total_return_by_fee_multiple"]["agent"]["1.0"] == told["strategies"]["agent"]["total_return"]
    assert set(told["monthly_returns"]["flat"].values()) == {0.0}
    assert told["windows"][0]["first"] == str(of_seeds.windows["first"][0])
    assert told["test_range"]["bars"] == len(of_seeds.candles)
    assert told["intervals"]["agent"]["sharpe"][0] < told["intervals"]["agent"]["sharpe"][1]
