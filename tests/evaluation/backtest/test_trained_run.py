"""What a backtest reads of a run folder."""

import json
import shutil

import pytest

from agents import AgentSettings, EnsembleAgent, LearnedAgent, build_learner
from common import RunError, write_json_and_seal
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation.backtest import TrainedRun
from features import FeaturePipeline, FeatureSettings

SMALL = AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8)
LOOK = {"step": 64, "mark": 1, "log_growth": 0.1, "standard_error": 0.2, "best": True}
ORIGIN = {"study": "default-sortino", "trials": 30, "sharpe_spread": 0.01, "overfitting": 0.4}


@pytest.fixture(scope="module")
def fitted(parts):
    return FeaturePipeline(FeatureSettings(indicators=("rsi",))).fit(parts.train.candles)


@pytest.fixture
def make_seed(tmp_path, fitted, parts):
    rows = fitted.transform(parts.train.candles)

    def make(name, seed, origin=ORIGIN):
        place = tmp_path / "run" / name
        vector = BitcoinTradingVecEnv(parts.train.candles, rows, EnvSettings(), n_envs=4, seed=0)
        LearnedAgent(build_learner(SMALL, vector, seed).policy, SMALL).save(place / "agent")
        fitted.save(place / "agent")
        (place / "training.json").write_text(json.dumps({"origin": origin, "finished": True, "validation": [LOOK]}))
        return tmp_path / "run"

    return make


def test_a_run_of_one_seed_is_its_agent(make_seed):
    trained = TrainedRun.load(make_seed("", 0))
    assert list(trained.agents) == ["agent"]
    assert isinstance(trained.agents["agent"], LearnedAgent)
    assert trained.seeds == ()
    assert trained.learning == {"agent": [LOOK]}
    assert (trained.trials, trained.sharpe_spread, trained.overfitting) == (30, 0.01, 0.4)


def test_a_run_of_several_is_their_ensemble_and_each_alone(make_seed):
    for seed in (3, 4, 11):
        folder = make_seed(f"seed-{seed}", seed)
    trained = TrainedRun.load(folder)
    assert list(trained.agents) == ["agent", "seed 3", "seed 4", "seed 11"]
    assert trained.seeds == ("seed 3", "seed 4", "seed 11")
    ensemble = trained.agents["agent"]
    assert isinstance(ensemble, EnsembleAgent)
    assert ensemble.agents == tuple(trained.agents[name] for name in trained.seeds)
    assert list(trained.learning) == list(trained.seeds)
    assert trained.place == folder / "seed-3"


def test_without_a_readable_record_the_trials_are_unknown(make_seed):
    folder = make_seed("", 0)
    for content in ("{", "[]", '{"origin": 3}', '{"validation": []}'):
        (folder / "training.json").write_text(content)
        trained = TrainedRun.load(folder)
        assert (trained.trials, trained.sharpe_spread, trained.overfitting, trained.learning) == (None, None, None, {})
    (folder / "training.json").unlink()
    assert TrainedRun.load(folder).trials is None


def test_a_run_of_before_the_spread_was_recorded_still_counts_its_trials(make_seed):
    trained = TrainedRun.load(make_seed("", 0, origin={"study": None, "trials": 7}))
    assert (trained.trials, trained.sharpe_spread, trained.overfitting) == (7, None, None)


def test_an_edited_trials_count_is_refused(make_seed):
    """In each of the seeds, since any may be the one whose record counts."""
    for seed in (0, 1):
        folder = make_seed(f"seed-{seed}", seed)
        write_json_and_seal(folder / f"seed-{seed}" / "training.json", {"origin": ORIGIN, "finished": True, "validation": [LOOK]})
    assert TrainedRun.load(folder).sealed
    record = folder / "seed-1" / "training.json"
    record.write_text(record.read_text().replace('"trials": 30', '"trials": 1'))
    with pytest.raises(RunError, match=r"seed-1.training\.json was edited by hand: origin\.trials: 30 -> 1"):
        TrainedRun.load(folder)
    (folder / "seed-1" / "seals.json").unlink()
    assert not TrainedRun.load(folder).sealed


def test_the_openings_that_the_last_backtest_knew_of_are_known_even_if_its_file_is_gone(make_seed):
    folder = make_seed("", 0)
    metrics = folder / "metrics.json"
    assert TrainedRun.load(folder).openings_before == 0
    metrics.write_text(json.dumps({"test_range_openings": 2}))  # of before runs were sealed
    assert TrainedRun.load(folder).openings_before == 2
    write_json_and_seal(metrics, {"test_range_openings": None, "test_range_openings_written": 3})
    assert TrainedRun.load(folder).openings_before == 3
    metrics.write_text(metrics.read_text().replace("3", "0"))
    with pytest.raises(RunError, match=r"metrics\.json was edited by hand: test_range_openings_written: 3 -> 0"):
        TrainedRun.load(folder)
    metrics.unlink()
    assert TrainedRun.load(folder).openings_before == 3
    (folder / "seals.json").unlink()
    metrics.write_text("{")
    with pytest.raises(RunError, match=r"cannot read .*metrics\.json: .*delete it, and run the backtest again"):
        TrainedRun.load(folder)


def test_a_seed_without_an_agent_is_named_with_what_to_do(make_seed, tmp_path):
    with pytest.raises(RunError, match=r"but .*nothing holds none; run `python train.py` first"):
        TrainedRun.load(tmp_path / "nothing")
    make_seed("seed-0", 0)
    folder = make_seed("seed-1", 1)
    shutil.rmtree(folder / "seed-1" / "agent")
    with pytest.raises(RunError, match=r"seed-1 holds none; run `python train.py --resume .*run` first"):
        TrainedRun.load(folder)


def test_seeds_that_see_different_features_are_refused(make_seed, parts):
    make_seed("seed-0", 0)
    folder = make_seed("seed-1", 1)
    other = FeaturePipeline(FeatureSettings(indicators=("ema_8",))).fit(parts.train.candles)
    other.save(folder / "seed-1" / "agent")
    with pytest.raises(RunError, match=r"must see the same features, but features\.json of .*seed-1"):
        TrainedRun.load(folder)
