"""The tutorial of docs/plugins.md as a reader follows it: own column, reward and strategy in every script and process."""

import contextlib
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import psutil
import pytest
from scripts import ROOT, SETTINGS, run_script, run_well, start, study_of, wait_for

import agents
from common import InputError
from configs import load_experiment, load_plugins, load_plugins_of, plugins_of, unload_plugins
from evaluation import TrainedRun
from features import load_features
from market import simulate
from search import finished_trials, settings_of

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "plugins.md").read_text()
IDEAS, MORE_IDEAS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
LONGER = ["--config", "small.yaml", "--train.steps", "8192", "--train.validations", "2"]
QUICK = [
    "--config",
    "small.yaml",
    "--search.steps",
    "512",
    "--search.validations",
    "1",
    "--train.steps",
    "256",
    "--train.validations",
    "2",
]


@pytest.fixture(autouse=True)
def _without_plugins():
    """Scripts are run within this process, and each is a new one to its user."""
    unload_plugins()
    yield
    unload_plugins()


def written(place: Path, **files: str) -> Path:
    (place / "small.yaml").write_text(SETTINGS.replace("indicators: [rsi, ema_8]", "keep_indicators: 6"))
    for name, content in files.items():
        (place / f"{name}.py").write_text(content)
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder where a run with a plugin was trained."""
    place = written(tmp_path_factory.mktemp("tutorial"), tutorial_ideas=IDEAS)
    unload_plugins()
    (place / "train.out").write_text(run_well(place, "train", *QUICK, "--plugin", "tutorial_ideas.py", "--reward", "calm").stdout)
    unload_plugins()
    return place


def names_of(place: Path, run: str) -> tuple[str, ...]:
    """The columns that the agent of a run sees."""
    with contextlib.chdir(place):
        load_plugins_of(Path("runs", run))
        return load_features(Path("runs", run, "agent")).names


def commands(text: str) -> list[list[str]]:
    """The lines of the page that start a script."""
    return [line.split()[1:] for line in re.findall(r"^    (python \w+\.py .*|python backtest.py)$", text, re.MULTILINE)]


@pytest.mark.slow
def test_the_tutorial_of_plugins_runs_with_workers_seeds_a_kill_and_a_backtest(tmp_path):
    place = written(tmp_path, my_ideas=IDEAS)
    search, train, backtest, audit = commands(PAGE)[:4]
    assert (search[0], train[0], backtest, audit[0]) == ("optimize.py", "train.py", ["backtest.py"], "audit.py")
    begun = start(place, "optimize", *search[1:], *QUICK)
    out, error = begun.communicate(timeout=280)
    assert begun.returncode == 0, out + error
    study = study_of(f"sqlite:///{place}/studies/coindojo.db", "small-calm")
    assert finished_trials(study) == 4
    assert len({trial.user_attrs["worker"] for trial in study.trials}) == 2
    assert list(plugins_of(study)) == ["my_ideas.py"]
    with contextlib.chdir(place):
        load_plugins(plugins_of(study))
    assert "below_high" in settings_of(study.trials[0]).features.indicators

    training = start(place, "train", *train[1:], *LONGER, "--train.checkpoint_steps", "512")
    wait_for(lambda: list(place.glob("runs/small-calm-001/seed-*/checkpoints/*")))
    for process in [*psutil.Process(training.pid).children(recursive=True), training]:
        process.kill()
    resumed = start(place, "train", "--resume", "runs/small-calm-001")
    out, error = resumed.communicate(timeout=280)
    assert resumed.returncode == 0, out + error
    assert len(list(place.glob("runs/small-calm-001/seed-*/agent/agent.safetensors"))) == 3

    played = start(place, *[word.removesuffix(".py") for word in backtest], "--no-bootstrap")
    out, error = played.communicate(timeout=280)
    assert played.returncode == 0, out + error
    assert "weekend" in out
    assert "weekend" in json.loads((place / "runs/small-calm-001/metrics.json").read_text())["strategies"]


def test_a_plugins_column_reward_and_strategy_are_in_the_run_and_its_backtest(place):
    assert "below_high" in names_of(place, "small-calm-001")
    unload_plugins()  # the backtest is a new process to its user
    ran = run_well(place, "backtest", "--no-bootstrap")
    assert "weekend" in ran.stdout


def test_a_run_keeps_a_copy_of_its_plugins_and_the_hash_of_their_code(place):
    run = place / "runs" / "small-calm-001"
    assert (run / "plugins" / "tutorial_ideas.py").read_text() == IDEAS
    assert "tutorial_ideas.py: " in (run / "config.yaml").read_text()


@pytest.mark.parametrize("script", [["backtest"], ["train", "--resume", "runs/small-calm-001"]], ids=["backtest", "resume"])
def test_a_changed_or_missing_plugin_is_refused_by_name(place, script):
    plugin = place / "tutorial_ideas.py"
    plugin.write_text(IDEAS.replace("10.0 * loss", "11.0 * loss"))
    try:
        ran = run_script(place, *script)
        assert ran.returncode == 2
        assert "the plugin tutorial_ideas.py has changed" in ran.stderr
        plugin.unlink()
        ran = run_script(place, *script)
        assert ran.returncode == 2
        assert "there is no plugin tutorial_ideas.py" in ran.stderr
    finally:
        plugin.write_text(IDEAS)


def test_an_agent_in_python_is_not_asked_with_other_code_than_it_was_trained_with(place, monkeypatch):
    """What is fitted knows the code of its columns, on every road: not loaded, loaded with other code, edited afterwards."""
    monkeypatch.chdir(place)
    run, plugin = Path("runs/small-calm-001"), place / "tutorial_ideas.py"
    with pytest.raises(InputError, match=r"use `below_high` of the plugin tutorial_ideas.py, which is not loaded"):
        agents.load(run)
    load_plugins(["tutorial_ideas.py"])
    loaded, later = agents.load(run), simulate("bitcoin", bars=400, seed=3)
    assert loaded.decide(later).words
    try:
        plugin.write_text(IDEAS.replace("rolling(48)", "rolling(12)"))
        load_plugins(["tutorial_ideas.py"])
        for asked in (lambda: loaded.decide(later), lambda: agents.load(run), lambda: TrainedRun.load(run)):
            with pytest.raises(InputError, match=r"other code of `below_high`: the plugin tutorial_ideas.py has changed"):
                asked()
    finally:
        plugin.write_text(IDEAS)


FAULTY = {
    "lambda c, s, e: 1 / 0": "'faulty' of the plugin faulty_ideas.py failed: line 3: ZeroDivisionError: division by zero",
    "lambda c, s, e: 1": "a strategy needs a `predict`, but 'faulty' gave 1",
    "lambda c, s, e: SignalStrategy(np.zeros(len(c), np.int64))": "has one side for each bar from `start` on, but 'faulty' gave",
    "lambda c, s, e: Waits()": "'faulty' of the plugin faulty_ideas.py failed: line 6: KeyError",
}


@pytest.mark.parametrize("made", FAULTY)
def test_a_faulty_strategy_costs_no_look_at_the_test_range(place, made):
    head = "import numpy as np\nfrom agents import SignalStrategy\n"
    waits = "class Waits:\n    def predict(self, *given, **more):\n        return {}['action']\n"
    (place / "faulty_ideas.py").write_text(f"{head}STRATEGIES = {{'faulty': {made}}}\n{waits}")
    before = openings(place)
    ran = run_script(place, "backtest", "--no-bootstrap", "--plugin", "faulty_ideas.py")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1), ran.stderr
    assert FAULTY[made] in ran.stderr
    assert openings(place) == before


def test_a_strategy_with_anothers_name_costs_no_look_either(place):
    (place / "faulty_ideas.py").write_text("STRATEGIES = {'agent': lambda c, s, e: 1}\n")
    before = openings(place)
    assert run_script(place, "backtest", "--no-bootstrap", "--plugin", "faulty_ideas.py").returncode == 2
    assert openings(place) == before


def openings(place: Path) -> int:
    ledger = place / "studies" / "test_ledger.jsonl"
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


WRONG = {
    "INDICATORS = {'bad': Indicator(lambda b: b.nothing, 0, 0.0)}": "'bad' of the plugin wrong_ideas.py failed: line 4: Attr",
    "INDICATORS = {'d_log_close': Indicator(lambda b: b.close / b.open, 0, 0.0)}": "there are two called `d_log_close`",
    "REWARDS = {'calmest': bad}": "a reward must compile",
}


@pytest.mark.parametrize("held", WRONG)
def test_a_faulty_column_or_reward_is_told_in_one_line_before_a_run_or_a_study_is_made(tmp_path, held):
    reward = "@njit\ndef bad(returns, account, annualization):\n    return account.nothing\n"
    head = "from numba import njit\nfrom features import Indicator\n"
    place = written(tmp_path, wrong_ideas=f"{head}\n{held}\n" if "INDICATORS" in held else f"{head}{reward}{held}\n")
    asked = [*QUICK, "--plugin", "wrong_ideas.py", *(["--reward", "calmest"] if "REWARDS" in held else [])]
    for script in ("train", "optimize"):
        ran = run_script(place, script, *asked)
        assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1), ran.stderr
        assert WRONG[held] in ran.stderr
        assert not (place / "runs").exists()
        assert not (place / "studies").exists()


def test_a_plugin_that_was_moved_is_named_where_it_lies_now(place):
    (place / "moved").mkdir()
    (place / "tutorial_ideas.py").rename(place / "moved" / "tutorial_ideas.py")
    try:
        assert "--plugin says where" in run_script(place, "backtest", "--no-bootstrap").stderr
        run_well(place, "backtest", "--no-bootstrap", "--plugin", "moved/tutorial_ideas.py")
    finally:
        (place / "moved" / "tutorial_ideas.py").rename(place / "tutorial_ideas.py")


def test_a_search_with_a_changed_plugin_is_refused(tmp_path):
    place = written(tmp_path, searched_ideas=IDEAS)
    asked = [*QUICK, "--plugin", "searched_ideas.py", "--reward", "calm", "--trials"]
    run_well(place, "optimize", *asked, "1")
    (place / "searched_ideas.py").write_text(IDEAS.replace("10.0 * loss", "11.0 * loss"))
    ran = run_script(place, "optimize", *asked, "2")
    assert ran.returncode == 2
    assert "plugins.searched_ideas.py: " in ran.stderr


def test_a_strategy_can_join_the_backtest_of_a_trained_run(place):
    (place / "more_strategies.py").write_text(
        IDEAS.split("INDICATORS =")[0] + 'STRATEGIES = {"at leisure": lambda c, s, _: Weekend(c, s)}\n'
    )
    ran = run_well(place, "backtest", "--no-bootstrap", "--plugin", "more_strategies.py")
    assert "weekend" in ran.stdout
    assert "at leisure" in ran.stdout


@pytest.mark.slow
def test_a_task_of_a_cluster_loads_the_plugins_of_its_experiment(tmp_path):
    """As Dask does it: the experiment arrives pickled in a process that knows no plugin."""
    place = written(tmp_path, cluster_ideas=IDEAS)
    os.chdir(place)
    overrides = {"plugins": ["cluster_ideas.py"], "env.reward": "calm", "search.steps": 128, "search.trials": 1}
    experiment = load_experiment(Path("small.yaml"), overrides)
    (place / "task.pickle").write_bytes(pickle.dumps(experiment))
    code = "import pickle, optimize; optimize.work(pickle.load(open('task.pickle', 'rb')), 1e99, lambda step: None)"
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=place, env=variables, check=True, timeout=240)
    assert finished_trials(study_of(f"sqlite:///{place}/studies/coindojo.db", "small-calm")) == 1


def test_train_takes_the_plugins_of_the_study_that_it_takes_its_settings_from(tmp_path):
    place = written(tmp_path, studied_ideas=IDEAS)
    run_well(place, "optimize", *QUICK, "--plugin", "studied_ideas.py", "--name", "own", "--trials", "1")
    unload_plugins()
    ran = run_well(place, "train", *QUICK, "--study", "own-sortino", "--seeds", "1")
    assert "studied_ideas.py: " in (place / ran.folder / "config.yaml").read_text()


@pytest.mark.slow
def test_the_page_shows_one_of_each_list_and_all_of_them_work(tmp_path):
    place = written(tmp_path, more_ideas=MORE_IDEAS)
    asked = [
        "--plugin",
        "more_ideas.py",
        "--market.simulate",
        "staircase",
        "--features.forecasts.models",
        "half_back",
        "--agent.algorithm",
        "patient_ppo",
    ]
    run_well(place, "train", *QUICK, *asked, "--name", "all", "--features.forecasts.first_fit_bars", "400",
             "--features.forecasts.past_bars", "16", "--features.forecasts.future_bars", "4")  # fmt: skip
    names = names_of(place, "all-sortino-001")
    assert {"wide"} <= set(names)
    assert any("half_back" in name for name in names)
    assert "The oracle" in run_well(place, "backtest", "--no-bootstrap").stdout
    times = pd.date_range("2024-01-01", periods=60, freq="h")
    lines = [f"{time:%Y-%m-%dT%H:%MZ} O 100 H 101 L 99 C 100 V 5" for time in times]
    (place / "bars.txt").write_text("\n".join(["#bars", *lines]))
    done = subprocess.run(
        [sys.executable, "-m", "market", "check", "--plugin", "more_ideas.py", "bars.txt"],
        cwd=place, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "OHLC words, 60 rows" in done.stdout, done.stdout + done.stderr
    run_well(
        place,
        "optimize",
        *QUICK,
        "--plugin",
        "more_ideas.py",
        "--name",
        "dims",
        "--search.dimensions",
        "clip,learning_rate",
        "--trials",
        "1",
    )
    assert "clip" in study_of(f"sqlite:///{place}/studies/coindojo.db", "dims-sortino").trials[0].params
