"""The three scripts as a user runs them, in an empty folder; as processes where signals and exit codes matter."""

import contextlib
import html
import json
import shutil
import signal

import numpy as np
import pandas as pd
import pytest
from scripts import ROOT, SETTINGS, run_script, run_well, start, studied, study_of, wait_for

from configs import load_experiment
from search import finished_trials, settings_of

SMALL = ["--config", "small.yaml"]
QUICK_SEARCH = ["--search.steps", "512", "--search.validations", "1"]
QUICK_TRAINING = ["--train.steps", "256", "--train.validations", "2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which all three scripts have run once."""
    place = tmp_path_factory.mktemp("user")
    (place / "small.yaml").write_text(SETTINGS)
    for name, arguments in (
        ("optimize", [*SMALL, *QUICK_SEARCH, "--reward", "sortino", "--trials", "2"]),
        ("train", [*SMALL, *QUICK_TRAINING, "--reward", "sortino"]),
        ("backtest", []),
    ):
        (place / f"{name}.out").write_text(run_well(place, name, *arguments).stdout)
    return place


def test_optimize_keeps_its_study_and_goes_on_with_it(place):
    storage = f"sqlite:///{place}/studies/coindojo.db"
    assert finished_trials(study_of(storage, "small-sortino")) == 2
    run = run_script(place, "optimize", *SMALL, *QUICK_SEARCH, "--reward", "sortino", "--trials", "3")
    assert "2 of 3 trials finished" in run.stdout
    assert finished_trials(study_of(storage, "small-sortino")) == 3
    assert "nothing to do" in run_script(place, "optimize", *SMALL, *QUICK_SEARCH, "--trials", "3").stdout


def test_every_finished_trial_stands_in_the_trial_ledger_once(place):
    """As the worker wrote it, and as whoever reads the study later would."""
    study = study_of(f"sqlite:///{place}/studies/coindojo.db", "small-sortino")
    trials = [json.loads(line) for line in (place / "studies/trial_ledger.jsonl").read_text().splitlines()]
    assert [trial["trial"] for trial in trials if trial["study"] == "small-sortino"] == list(range(finished_trials(study)))
    run_well(place, "optimize", *SMALL, *QUICK_SEARCH, "--trials", "1")
    assert len((place / "studies/trial_ledger.jsonl").read_text().splitlines()) == len(trials)


def test_train_takes_the_best_trial_and_writes_the_run_folder(place):
    run = place / "runs" / "small-sortino-001"
    assert "of study small-sortino" in (place / "train.out").read_text()
    origin = json.loads((run / "training.json").read_text())["origin"]
    study = study_of(f"sqlite:///{place}/studies/coindojo.db", "small-sortino")
    trial = study.trials[origin["trial"]]
    assert (origin["study"], origin["trials"]) == ("small-sortino", 2)
    assert "after a search of 2 trials" in (place / "backtest.out").read_text()
    assert load_experiment(run / "config.yaml").trial_settings == settings_of(trial)
    assert (run / "command.txt").read_text().startswith("python ")
    assert (run / "train.log").read_text().count("log growth on validation") == len(
        json.loads((run / "training.json").read_text())["validation"]
    )
    assert {path.name for path in (run / "agent").iterdir()} == {
        "agent.safetensors", "features.json", "features.safetensors",
    }  # fmt: skip


@pytest.mark.slow
def test_a_trial_of_a_study_is_trained_on_train_and_validation_with_three_seeds(place):
    study = study_of(f"sqlite:///{place}/studies/coindojo.db", "small-sortino")
    asked = ["--study", "small-sortino", "--trial", "1", "--env.reward", "omega"]  # the study's name, not the reward, names it
    run = run_well(place, "train", *SMALL, *QUICK_TRAINING, *asked)
    assert "trial 1 of study small-sortino" in run.stdout
    folder = place / run.folder
    assert [path.name for path in sorted(folder.iterdir())] == ["seed-0", "seed-1", "seed-2"]
    for own in folder.iterdir():
        experiment = load_experiment(own / "config.yaml")
        assert experiment.agent == settings_of(study.trials[1]).agent
        assert (experiment.train.range, experiment.env.reward) == ("train+validation", "omega")
        looks = json.loads((own / "training.json").read_text())["validation"]
        assert len(looks) == 1  # at the end: nothing is chosen on bars that were trained on
    assert run.stdout.count("it is trained on validation, too") == 3
    assert "train 1,200 bars" in run.stdout  # all bars before the purge


def test_train_without_a_study_says_so_and_the_command_line_wins_over_one_that_is_there(place):
    run = run_script(place, "train", *SMALL, *QUICK_TRAINING, "--reward", "profit")
    assert "study small-profit has no finished trial" in run.stdout
    run = run_script(place, "train", *SMALL, *QUICK_TRAINING, "--agent.learning_rate", "0.00123")
    assert "from the command line instead" in run.stdout
    newest = sorted((place / "runs").glob("small-sortino-*"))[-1]
    assert load_experiment(newest / "config.yaml").agent.learning_rate == 0.00123
    run = run_script(place, "train", *SMALL, *QUICK_TRAINING, "--market.seed", "5")
    assert "was searched on other data" in run.stdout


@pytest.mark.parametrize("arguments", [[], ["--no-study"]])
def test_all_rewards_cannot_be_trained_for_without_a_study(tmp_path, arguments):
    run = run_script(tmp_path, "train", *QUICK_TRAINING, "--reward", "all", *arguments)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    assert "with `--reward all` a training takes the reward of the best trial" in run.stderr
    assert "or name one: profit, log_return, sortino" in run.stderr
    assert not (tmp_path / "runs").exists()


def test_trials_count_whatever_study_they_were_in_and_whether_it_was_used(place):
    run = run_script(place, "train", *SMALL, *QUICK_TRAINING, "--reward", "profit", "--no-study")
    folder = place / run.folder
    assert json.loads((folder / "training.json").read_text())["origin"]["trials"] >= 2


def test_too_few_bars_leave_neither_a_run_nor_a_study(tmp_path):
    for name in ("train", "optimize"):
        run = run_script(tmp_path, name, "--market.bars", "600", "--split.train", "0.3")
        assert "fitting needs 100 bars" in run.stderr
        assert list(tmp_path.iterdir()) == []


STRATEGIES = [
    "agent", "buy and hold", "buy and hold, same exposure", "RSI divergence", "SMA crossover", "flat", "random, same turnover",
    "perfect foresight",
]  # fmt: skip
TABLES = ["net_worth.csv", "trades.csv", "monthly.csv"]
FIGURES = ["net_worth", "trades", "drawdown", "exposure", "monthly", "distribution", "costs", "learning"]


def test_backtest_prints_the_verdict_and_the_table_and_fills_the_run_folder(place):
    printed = (place / "backtest.out").read_text()
    for text in (*STRATEGIES, "turnover", "Verdict: ", "evidence of", "random traders with its turnover"):
        assert text in printed
    table = printed.split("The agent made")[0]
    assert max(len(line) for line in table.splitlines()) <= 80
    run = place / "runs" / "small-sortino-001"
    outcome = json.loads((run / "metrics.json").read_text())
    assert list(outcome["strategies"]) == STRATEGIES
    assert (outcome["verdict"]["trials"], outcome["verdict"]["openings"]) == (2, 1)
    assert (outcome["test_range_openings"], outcome["test_range_looks"]) == (1, 1)
    assert outcome["data_sha256"] == (run / "data.sha256").read_text().strip()
    assert outcome["trials_searched"] == 2
    assert {path.stem for path in (run / "figures").iterdir()} == set(FIGURES)
    assert (run / "monthly.csv").read_text().startswith("month,agent,buy and hold")
    assert "report.html, metrics.json, net_worth.csv, trades.csv, monthly.csv, figures/" in printed
    assert (run / "trades.csv").read_text().startswith("time,reason,side,coin,price,value,fee,holding,profit,return,")
    worth = pd.read_csv(run / "net_worth.csv", index_col="time", parse_dates=True)
    assert list(worth.filter(like="return")) == ["return", *(f"return: {name}" for name in STRATEGIES[1:])]
    made = {name: row["total_return"] for name, row in outcome["strategies"].items()}
    assert np.prod(1 + worth["return"]) == pytest.approx(1 + made["agent"])
    assert np.prod(1 + worth["return: buy and hold"]) == pytest.approx(1 + made["buy and hold"])


def test_the_report_is_one_self_contained_page(place):
    page = (place / "runs" / "small-sortino-001" / "report.html").read_text()
    outcome = json.loads((place / "runs" / "small-sortino-001" / "metrics.json").read_text())
    for told in (*outcome["verdict"]["reasons"], *outcome["notes"]):
        assert html.escape(told) in page
    assert 'src="http' not in page
    assert "not investment advice" in page


def test_the_ledger_counts_every_backtest_and_nothing_else(place):
    ledger = place / "studies" / "test_ledger.jsonl"
    before = len(ledger.read_text().splitlines())
    run = run_script(place, "backtest", "--run", "runs/small-sortino-001", "--no-bootstrap")
    assert f"has been opened {before + 1} times" in run.stdout
    run_script(place, "train", *SMALL, *QUICK_TRAINING)
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert len(entries) == before + 1
    assert entries[-1]["caller"] == "backtest.py runs/small-sortino-001"


@pytest.mark.slow
def test_a_backtest_can_be_repeated_and_its_costs_changed(place):
    def strategies(*arguments):
        run_well(place, "backtest", "--run", "runs/small-sortino-001", "--no-bootstrap", *arguments)
        return json.loads((place / "runs/small-sortino-001/metrics.json").read_text())["strategies"]

    once = strategies()
    assert strategies() == once
    dear = strategies("--env.fee_bps", "100")
    assert dear["buy and hold"]["total_return"] < once["buy and hold"]["total_return"]


@pytest.mark.slow
def test_a_backtest_at_a_known_price_says_so_in_all_that_it_writes(place):
    run = run_script(place, "backtest", "--run", "runs/small-sortino-001", "--no-bootstrap", "--env.fill", "same_close")
    folder = place / "runs/small-sortino-001"
    assert run.stdout.count("OPTIMISTIC") == 2  # title and notes
    assert "a price that was known when they were decided" in run.stdout.split("Verdict: ")[1]
    assert json.loads((folder / "metrics.json").read_text())["optimistic"] is True
    assert (folder / "report.html").read_text().count("OPTIMISTIC") >= 2
    assert run_script(place, "backtest", "--run", "runs/small-sortino-001", "--no-bootstrap").stdout.count("OPTIMISTIC") == 0


def test_a_backtest_never_changes_what_an_action_means(place):
    run = run_script(place, "backtest", "--run", "runs/small-sortino-001", "--env.max_leverage", "2")
    assert (run.returncode, run.stdout) == (2, "")
    assert "trades by the actions it was trained on, so `env.max_leverage` cannot be changed" in run.stderr


def run_here(place, name, *arguments, **_):
    """Without the intervals, which take most of the time."""
    return run_well(place, name, *arguments, *(["--no-bootstrap"] if name == "backtest" else [])).stdout


def run_as_process(place, name, *arguments, seed=0):
    """With an order of its own of what a set of words holds."""
    process = start(place, name, *arguments, environment={"PYTHONHASHSEED": str(seed)})
    out, error = process.communicate(timeout=240)
    assert (process.returncode, error) == (0, ""), out + error
    return out


def without_clock(line):
    """The one line that says how fast it went."""
    return "" if "a second, validation included" in line else line


@pytest.mark.parametrize("run", [run_here, pytest.param(run_as_process, marks=pytest.mark.slow)])
def test_the_same_command_on_the_same_data_gives_the_same_files(run, tmp_path, monkeypatch):
    """A training and a backtest in two folders: every file, and all that is printed. Only the opening ledger and the events of
    TensorBoard hold the time. Each folder has a user's ledger of its own, or the second backtest would be the second look."""
    files, told = [], []
    for seed in (1, 2):
        place = tmp_path / str(seed)
        place.mkdir()
        monkeypatch.setenv("COINDOJO_LEDGER", str(tmp_path / f"user {seed}"))
        (place / "small.yaml").write_text(SETTINGS.replace("[rsi, ema_8]", "[rsi, ema_8, ema_24, adx, obv_diff]"))
        bold = ["--features.keep_indicators", "3", "--train.caution", "0"]
        printed = [run(place, "train", *SMALL, *QUICK_TRAINING, *bold, seed=seed)]
        printed.append(run(place, "backtest", seed=seed))
        told.append([without_clock(line) for text in printed for line in text.splitlines()])
        kept = [path for path in (place / "runs").rglob("*") if path.is_file() and path.parent.name != "tensorboard"]
        files.append({str(path.relative_to(place)): path.read_bytes() for path in kept})
    one, two = files
    folder = "runs/small-sortino-001/"
    wanted = ("agent/agent.safetensors", "training.json", "train.log", "metrics.json", "report.html", *TABLES)
    assert {folder + name for name in (*wanted, *(f"figures/{name}.png" for name in FIGURES))} <= one.keys()
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("train", ["--env.fee_bps", "-1"], "`env.fee_bps`: must be greater"),
        ("train", ["--market.file", "none.csv"], "there is no candle file none.csv"),
        ("optimize", ["--reward", "sharp"], "there is no reward"),
        ("backtest", ["--run", "runs/none"], "needs a trained agent, but runs/none holds none"),
        ("backtest", ["--train.steps", "3"], "there is no option `--train.steps`"),
        ("train", ["--env.lot", "1000"], "must be able to buy one lot, but 1000 of BTC/USD cost "),
        ("optimize", ["--env.lot", "1000"], "must be able to buy one lot, but 1000 of BTC/USD cost "),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(tmp_path, name, arguments, message):
    run = run_script(tmp_path, name, *arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def edited(run, name, before, now):
    """A file of the run folder, edited by hand for a while."""
    kept = (run / name).read_text()
    assert before in kept
    (run / name).write_text(kept.replace(before, now) if before else kept + now)
    yield
    (run / name).write_text(kept)


@pytest.mark.parametrize(
    ("name", "before", "now", "said"),
    [
        ("config.yaml", "train: 0.6", "train: 0.4", "config.yaml was edited by hand: split.train: 0.6 -> 0.4 (as written -> "),
        ("training.json", '"trials": 2', '"trials": 0', "training.json was edited by hand: origin.trials: 2 -> 0 (as written"),
        ("metrics.json", '"trials_searched": 2', '"trials_searched": 0', "was edited by hand: trials_searched: 2 -> 0 (as"),
        ("data.sha256", "", "0", "data.sha256 was edited by hand"),
    ],
)
def test_an_edited_run_is_refused_with_the_difference_before_the_test_range_opens(place, name, before, now, said):
    run, ledger = place / "runs" / "small-sortino-001", (place / "studies/test_ledger.jsonl").read_text()
    with edited(run, name, before, now):
        refused = run_script(place, "backtest", "--run", str(run))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert said in refused.stderr
    assert "restore that, or begin a new run" in refused.stderr
    assert (place / "studies/test_ledger.jsonl").read_text() == ledger


def test_a_run_of_before_runs_were_sealed_is_backtested_on_its_own_data_and_says_so(place):
    run, old = place / "runs" / "small-sortino-001", place / "runs" / "old"
    shutil.copytree(run, old)
    (old / "seals.json").unlink()
    assert "not sealed: this run was made before" in run_well(place, "backtest", "--run", "runs/old", "--no-bootstrap").stdout
    ledger = (place / "studies/test_ledger.jsonl").read_text()
    with edited(old, "config.yaml", "bars: 1500", "bars: 1600"):
        refused = run_script(place, "backtest", "--run", "runs/old")
    assert refused.returncode == 2
    assert "must use the data of its training" in refused.stderr
    assert (place / "studies/test_ledger.jsonl").read_text() == ledger
    shutil.rmtree(old)


def test_openings_that_the_run_knows_of_and_no_ledger_are_unknown(place, tmp_path, monkeypatch):
    """All ledgers were deleted; so the verdict finds no edge, and says why."""
    here = tmp_path / "here"
    shutil.copytree(place, here)
    shutil.rmtree(here / "studies")
    monkeypatch.setenv("COINDOJO_LEDGER", str(tmp_path / "user"))
    for _ in range(2):
        run = run_well(here, "backtest", "--run", "runs/small-sortino-001", "--no-bootstrap")
        assert "How often this test range was opened is unknown: when backtest.py runs/small-sortino-001 opened" in run.stdout
        outcome = json.loads((here / "runs/small-sortino-001/metrics.json").read_text())
        assert outcome["test_range_openings"] is outcome["test_range_looks"] is outcome["verdict"]["openings"] is None


@pytest.mark.slow
def test_ctrl_c_ends_a_search_cleanly_and_it_goes_on_later(tmp_path):
    (tmp_path / "small.yaml").write_text(SETTINGS)
    search = [*SMALL, "--search.steps", "4000", "--search.validations", "1"]
    process = start(tmp_path, "optimize", *search, "--trials", "500")
    storage = f"sqlite:///{tmp_path}/studies/coindojo.db"
    wait_for(lambda: (now := studied(storage, "small-sortino")).finished >= 1 and now.running)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "the same command goes on from here" in out
    assert "Traceback" not in out + err
    stopped = studied(storage, "small-sortino")
    assert stopped.running == {}
    assert [trial.user_attrs["failure"] for trial in stopped.trials if trial.state.name == "FAIL"] == ["interrupted"]
    (params,) = (trial.params for trial in stopped.trials if trial.state.name == "FAIL")
    waiting = [trial.system_attrs["fixed_params"] for trial in stopped.trials if trial.state.name == "WAITING"]
    assert params in waiting  # the trial that was interrupted is in line again
    done = stopped.finished
    again = run_script(tmp_path, "optimize", *search, "--trials", str(done + len(waiting)))
    assert f"{done} of {done + len(waiting)} trials finished" in again.stdout
    assert again.returncode == 0
    ended = studied(storage, "small-sortino").trials
    assert ended[: done + 1] == stopped.trials[: done + 1]  # none is made twice, and none is lost
    assert params in [trial.params for trial in ended if trial.state.is_finished() and trial.state.name != "FAIL"]


def test_ctrl_c_in_training_leaves_the_best_agent_so_far(tmp_path):
    (tmp_path / "small.yaml").write_text(SETTINGS)
    process = start(tmp_path, "train", *SMALL, "--steps", "100000000", "--train.validations", "100000")
    wait_for(lambda: list(tmp_path.glob("runs/*/agent/agent.safetensors")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert "the best agent so far is kept there; go on with: python train.py --resume runs/small-sortino-001" in out
    assert run_script(tmp_path, "backtest").returncode == 0


@pytest.mark.slow
def test_a_killed_training_goes_on_by_its_folder(place):
    """From the command line: the same files as the run that was never killed, and one line for each mistake."""
    steps = [*SMALL, "--train.steps", "6400", "--train.validations", "10", "--no-study"]
    whole = place / run_script(place, "train", *steps).folder
    process = start(place, "train", *steps)
    assert process.stdout
    folder = place / next(line for line in process.stdout if line.startswith("run folder: ")).split(": ")[1].strip()
    wait_for(lambda: list(folder.glob("checkpoints/*.safetensors")))
    process.kill()
    process.wait()
    name = str(folder.relative_to(place))
    resumed = run_script(place, "train", "--resume", name)
    assert "resumed at step" in resumed.stdout
    for file in ("agent/agent.safetensors", "training.json", "train.log"):
        assert (folder / file).read_bytes() == (whole / file).read_bytes(), file
    assert "nothing to do: it is trained" in run_script(place, "train", "--resume", name).stdout
    refused = run_script(place, "train", "--resume", name, "--train.steps", "9")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "`train.steps` cannot be given with --resume" in refused.stderr


def unfinished(place, *steps):
    """A run that stopped before its end, of the time before runs were sealed."""
    folder = place / run_script(place, "train", *SMALL, *steps, "--no-study").folder
    record = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps(record | {"finished": False}))
    (folder / "seals.json").unlink()
    return folder


def test_other_settings_in_the_run_folder_are_refused_with_the_difference(place):
    folder = unfinished(place, "--train.steps", "640", "--train.validations", "4")
    with edited(folder, "config.yaml", "gamma: 0.98", "gamma: 0.9"):
        refused = run_script(place, "train", "--resume", str(folder))
    assert refused.returncode == 2
    assert "agent.gamma: 0.98 -> 0.9; restore them, or begin a new run" in refused.stderr


def test_a_run_without_a_checkpoint_goes_on_with_its_own_data_alone(place):
    folder = unfinished(place, *QUICK_TRAINING)
    shutil.rmtree(folder / "checkpoints")
    with edited(folder, "config.yaml", "bars: 1500", "bars: 1501"):
        refused = run_script(place, "train", "--resume", str(folder))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "a run must use the data of its training" in refused.stderr


@pytest.mark.slow
def test_several_seeds_train_side_by_side_and_keep_their_own_results(place):
    run = run_well(place, "train", *SMALL, *QUICK_TRAINING, "--no-study", "--seeds", "2", "--seed", "3")
    folder = place / run.folder
    assert {path.name for path in folder.iterdir()} == {"seed-3", "seed-4"}
    for seed in (3, 4):
        own = folder / f"seed-{seed}"
        assert load_experiment(own / "config.yaml").train.seed == seed
        assert f"seed-{seed}: best on validation" in run.stdout
    agents = [(folder / f"seed-{seed}/agent/agent.safetensors").read_bytes() for seed in (3, 4)]
    assert agents[0] != agents[1]
    alone = run_script(place, "train", *SMALL, *QUICK_TRAINING, "--no-study", "--seed", "4")
    single = place / alone.folder
    assert (single / "agent/agent.safetensors").read_bytes() == agents[1]  # as if it had been alone
    judged = run_script(place, "backtest", "--run", str(folder.relative_to(place)))
    assert judged.returncode == 0, judged.stdout + judged.stderr
    outcome = json.loads((folder / "metrics.json").read_text())  # one report of both
    assert list(outcome["strategies"])[:4] == ["agent", "seed 3", "seed 4", "buy and hold"]
    assert outcome["over_seeds"]["total_return"][1] <= outcome["over_seeds"]["total_return"][2]
    assert not (folder / "seed-3/metrics.json").exists()
    ledger = (place / "studies/test_ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["caller"] for line in ledger].count(f"backtest.py {folder.relative_to(place)}") == 1


@pytest.mark.slow
def test_walk_forward_trains_before_each_window_and_plays_beside_the_others(place):
    run = run_well(place, "backtest", "--run", "runs/small-sortino-001", "--no-bootstrap", "--walk-forward", "2")
    assert "walk-forward, window 2 of 2: training on " in run.stdout
    outcome = json.loads((place / "runs/small-sortino-001/metrics.json").read_text())
    assert list(outcome["strategies"])[-1] == "agent, walk-forward"
    worth = pd.read_csv(place / "runs" / "small-sortino-001" / "net_worth.csv")
    made = outcome["strategies"]["agent, walk-forward"]["total_return"]
    assert np.prod(1 + worth["return: agent, walk-forward"]) == pytest.approx(1 + made)
    assert [set(window) for window in outcome["windows"]] == [{"first", "last", "agent, walk-forward", "buy and hold"}] * 2
    refused = run_script(place, "backtest", "--run", "runs/small-sortino-001", "--walk-forward", "40")
    assert refused.returncode == 2
    assert "each window needs at least 50 bars" in refused.stderr


@pytest.mark.slow
def test_the_real_coinbase_file_goes_the_whole_way(tmp_path, coinbase_hourly):
    mine = ["--config", str(ROOT / "configs/coinbase-hourly.yaml"), "--market.file", str(coinbase_hourly)]
    tiny = ["--agent.n_envs", "16", "--agent.n_steps", "64", "--agent.n_epochs", "1"]
    for name, arguments in (
        ("optimize", [*mine, *tiny, "--trials", "1", "--search.steps", "1024", "--search.validations", "1"]),
        ("train", [*mine, *tiny, "--train.steps", "1024", "--train.validations", "1"]),
        ("backtest", []),
    ):
        process = start(tmp_path, name, *arguments)
        out, error = process.communicate(timeout=240)
        assert (process.returncode, error) == (0, ""), out + error
    outcome = json.loads((tmp_path / "runs/coinbase-hourly-sortino-001/metrics.json").read_text())
    assert outcome["test_range"]["last"] == "2019-07-04 01:00:00+00:00"
    assert outcome["strategies"]["buy and hold"]["total_return"] == pytest.approx(2.5, abs=0.1)  # 3.5x on this range
