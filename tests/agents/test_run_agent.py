"""`agents.load`: what a run's agent does at the last candle of a frame."""

import re
import shutil
from pathlib import Path

import pytest
from scripts import SETTINGS, run_script

import agents
from agents import EnsembleAgent, RunAgent
from common import InputError
from envs import Account, BitcoinTradingEnv, EnvSettings, Replay
from evaluation import play
from features import load_features
from market import Candles, simulate, write_candles

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"


def trained(place: Path, *options: str) -> Path:
    """A run folder, after a few steps."""
    (place / "small.yaml").write_text(SETTINGS)
    steps = "--steps", "64", "--train.validations", "1"
    ran = run_script(place, "train", "--config", "small.yaml", "--no-study", *steps, *options)
    assert ran.returncode == 0, ran.stderr
    return place / ran.folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return trained(tmp_path_factory.mktemp("run"), "--env.fee_bps", "7")


@pytest.fixture(scope="module")
def later() -> Candles:
    """Bars that the run was not trained on."""
    return simulate("bitcoin", bars=600, seed=11)


def test_the_decision_is_that_of_an_env_in_which_it_has_not_traded(run, later):
    """The memory has gone through all rows, with the account that it was told of."""
    loaded = agents.load(run)
    assert isinstance(loaded, RunAgent)
    assert loaded.settings == EnvSettings(fee_bps=7)
    matrix = load_features(run / "agent").transform(later)
    replay = Replay(later, matrix, loaded.settings)
    state, start = None, True
    for _ in range(replay.decisions):
        action, state = loaded.agent.predict(replay.observe(), state, start, True)
        replay.step(8)
        start = False
    action, _ = loaded.agent.predict(replay.observe(), state, False, True)
    decision = loaded.decide(later)
    assert decision.action == action
    assert decision.bar == later.index[-1]
    for seen in (later.frame, matrix, matrix.values):
        assert loaded.decide(seen).action == action
    assert str(decision) == f"at the close of the bar of {later.index[-1]}: {decision.words}"


def test_any_row_of_features_can_be_asked_for(run, later):
    loaded = agents.load(run)
    matrix = loaded.features.transform(later)
    for row in (matrix.values[0], matrix.values[17]):
        seen = loaded.observe(row)
        assert seen.shape == (len(row) + 5,)
        action, _ = loaded.predict(seen, None, True, True)
        assert loaded.decide(row).action == action
        assert loaded.decide(row).bar is None
    assert loaded.observe(matrix).shape == (len(matrix), matrix.values.shape[1] + 5)
    assert loaded.predict(loaded.observe(matrix))[0].shape == (len(matrix),)


def test_the_account_is_an_argument(run, later):
    loaded = agents.load(run)
    matrix = loaded.features.transform(later)
    account = Account(cash=1_000.0, coin=2.0, entry=float(later.column("close")[0]))
    prices = later.column("close")[matrix.warmup :]
    seen = loaded.observe(matrix, account, prices)
    assert seen[-1, -5] == pytest.approx(2 * prices[-1] / (1_000 + 2 * prices[-1]))
    state = None
    for k in range(len(seen)):
        action, state = loaded.predict(seen[k], state, k == 0)
    assert loaded.decide(later, account).action == loaded.decide(matrix, account, prices).action == action
    with pytest.raises(InputError, match="the prices of the rows"):
        loaded.decide(matrix, account)


def test_it_trades_like_any_agent(run, later):
    loaded = agents.load(run)
    matrix = loaded.features.transform(later)
    one, two = (play(later, matrix, loaded.settings, each).table for each in (loaded, loaded.agent))
    assert one.equals(two)
    assert loaded.action_space == BitcoinTradingEnv(later, matrix).action_space


def test_several_seeds_are_an_ensemble_and_the_agent_folder_is_enough(run, later, tmp_path):
    together = tmp_path / "run"
    for seed in range(2):
        shutil.copytree(run, together / f"seed-{seed}")
    loaded = agents.load(together)
    assert isinstance(loaded.agent, EnsembleAgent)
    assert loaded.decide(later).action == agents.load(str(run / "agent")).decide(later).action  # twice the same agent


def test_what_is_no_run_gets_one_line(run, later, tmp_path):
    edited = tmp_path / "edited"
    shutil.copytree(run, edited)
    config = edited / "config.yaml"
    config.write_text(config.read_text().replace("fee_bps: 7", "fee_bps: 8"))
    bare = tmp_path / "bare"
    shutil.copytree(run / "agent", bare / "agent")
    for folder, rule in ((tmp_path / "none", "needs a trained agent"), (edited, "fee_bps"), (bare, "name the run folder")):
        with pytest.raises(InputError, match=rule):
            agents.load(folder)
    with pytest.raises(InputError, match=r"more than .* bars to warm up"):
        agents.load(run).decide(later[:5])


def test_the_example_of_the_page_runs(run, later, tmp_path, monkeypatch, capsys):
    """What it does at the last candle of a frame, in ten lines of docs/agents.md."""
    code = re.search(r"## What does it do now\?\n\n((?:    .*\n|\n)+)", PAGE.read_text())
    assert code
    lines = [line[4:] for line in code[1].splitlines() if line.strip()]
    assert len(lines) <= 10
    shutil.copytree(run, tmp_path / "runs" / "default-sortino-001")
    (tmp_path / "data").mkdir()
    write_candles(later, tmp_path / "data" / "btc.parquet")
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})
    told = capsys.readouterr().out.splitlines()
    assert told[0] == str(agents.load(run).decide(later))
    assert len(told) == 2
