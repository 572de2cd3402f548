"""forecast.py as a user runs it: in an empty folder."""

import json
import os
import signal
import time
from pathlib import Path

import h5py
import pandas as pd
import pytest
from scripts import run_script, run_well, start

from features.forecasters import RISES

FORECASTS = """
name: small
market: {bars: 1500}
features:
  indicators: [rsi]
  forecasts: {past_bars: 72, future_bars: 4, units: 4, epochs: 2, threads: 1, models: [linear, cnn], first_fit_bars: 500,
              refit_bars: 200, ensemble: 2, charts: {bars: 5, filters: 2, epochs: 2}}
agent: {n_envs: 4, n_steps: 16, n_epochs: 1, lstm_size: 8}
"""
SMALL = ["--config", "small.yaml"]
ROWS = ["cnn-2-relu", "cnn-2-leaky", "cnn-3-relu", "cnn-3-leaky", "cnn-4-relu", "cnn-4-leaky", "lstm-relu", "lstm-leaky",
        "gru-relu", "gru-leaky", "last-value", "lag", "linear", "sarimax", *RISES]  # fmt: skip


def forecast(place: Path, *arguments: str) -> str:
    return run_well(place, "forecast", *arguments).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("user")
    (place / "small.yaml").write_text(FORECASTS)
    for command, *arguments in (("train", "--model", "lstm", "--activation", "leaky_relu"), ("compare",)):
        (place / f"{command}.out").write_text(forecast(place, command, *SMALL, *arguments))
    return place


@pytest.fixture(scope="module")
def agent(place):
    """The run folder of an agent beside them, as the command line names it."""
    return str(run_well(place, "train", *SMALL, "--no-study", "--train.steps", "256", "--train.validations", "1").folder)


def test_train_writes_a_run_folder_and_leaves_the_test_range_locked(tmp_path):
    (tmp_path / "small.yaml").write_text(FORECASTS)
    told = forecast(tmp_path, "train", *SMALL, "--model", "gru", "--activation", "relu")
    run = tmp_path / "runs" / "small-forecast-train-001"
    assert {path.name for path in run.iterdir()} == {
        "config.yaml", "command.txt", "data.sha256", "seals.json", "forecast.json", "epochs.csv", "seconds.csv",
        "checkpoint.safetensors", "forecaster.safetensors", "scores.json", "figures",
    }  # fmt: skip
    assert list(pd.read_csv(run / "epochs.csv")) == ["epoch", "loss", "validation_loss", "best"]
    assert len(pd.read_csv(run / "epochs.csv")) == len(pd.read_csv(run / "seconds.csv")) == 2
    assert "activation: relu" in (run / "config.yaml").read_text()
    assert "validation range: " in told
    assert "the last value, by squared error over" in told
    assert not (tmp_path / "studies").exists()


def test_training_twice_gives_the_same_files(place):
    forecast(place, "train", *SMALL, "--model", "lstm", "--activation", "leaky_relu")
    one, two = (place / "runs" / f"small-forecast-train-00{number}" for number in (1, 2))
    for name in ("forecaster.safetensors", "epochs.csv", "scores.json", "config.yaml", "figures/loss.png", "figures/skill.png"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_compare_trains_all_forecasters_and_opens_the_test_range_once(place):
    told, run = (place / "compare.out").read_text(), place / "runs" / "small-forecast-compare-001"
    table = told.partition("test range: ")[2].splitlines()[2:]
    assert [line.split("  ")[0] for line in table[: len(ROWS)]] == [name.replace("-", " ") for name in ROWS]
    rises = told.partition("test range, probability of ")[2]
    assert all(f"\n{name} " in rises for name in ("base rate", *RISES))
    assert "Better than the base rate of " in rises
    order = rises.partition("test range, order of these probabilities")[2]
    assert all(f"\n{name} " in order for name in ("base rate", *RISES))
    assert {"skill.png", "calibration.png"} <= {path.name for path in (run / "figures").iterdir()}
    assert "test range: " in told
    assert "the last value, by squared error over" in told
    assert all((run / name / "forecaster.safetensors").exists() for name in ROWS)
    scores = json.loads((run / "scores.json").read_text())
    assert set(scores["scores"]) == {name.replace("-", " ") for name in ROWS}
    openings = [json.loads(line) for line in (place / "studies" / "test_ledger.jsonl").read_text().splitlines()]
    assert [opening["caller"] for opening in openings].count("forecast.py runs/small-forecast-compare-001") == 1


def test_a_comparison_that_is_done_is_told_again_without_opening_the_test_range(place):
    before = (place / "studies" / "test_ledger.jsonl").read_bytes()
    again = forecast(place, "compare", "--resume", "runs/small-forecast-compare-001")
    assert again == (place / "compare.out").read_text()
    assert (place / "studies" / "test_ledger.jsonl").read_bytes() == before


def between_epochs(run: Path) -> set[str]:
    """The networks whose training has made its first epoch and not its last."""
    begun = {path.parent for path in run.glob("*/epochs.csv") if len(path.read_text().splitlines()) == 2}
    return {place.name for place in begun if not (place / "forecaster.safetensors").exists()}


@pytest.mark.slow
def test_a_comparison_that_is_killed_goes_on_with_the_same_weights(place, tmp_path):
    """SIGKILL between two epochs; what it ends with is what the comparison that was never killed ended with."""
    (tmp_path / "small.yaml").write_text(FORECASTS)
    run, arguments, hit = Path("runs/small-forecast-compare-001"), SMALL, set[str]()
    for _ in range(3):
        begun = start(tmp_path, "forecast", "compare", *arguments)
        deadline = time.monotonic() + 120
        while not between_epochs(tmp_path / run) - hit and time.monotonic() < deadline:
            time.sleep(0.002)
        os.killpg(begun.pid, signal.SIGKILL)
        assert begun.wait() == -signal.SIGKILL, "it was over before it was killed"
        hit |= between_epochs(tmp_path / run)
        arguments = ["--resume", str(run)]
    assert hit  # at least one kill fell where a training has to go on in its midst
    forecast(tmp_path, "compare", *arguments)
    for name in ROWS:
        weights = Path(name) / "forecaster.safetensors"
        assert (tmp_path / run / weights).read_bytes() == (place / run / weights).read_bytes(), name
    assert (tmp_path / run / "scores.json").read_bytes() == (place / run / "scores.json").read_bytes()


@pytest.mark.slow
def test_plot_draws_every_forecaster_of_a_run(place):
    told = forecast(place, "plot", "--run", "runs/small-forecast-compare-001")
    pictures = sorted((place / "runs" / "small-forecast-compare-001").glob("*/figures/forecasts-validation.png"))
    assert [picture.parts[-3] for picture in pictures] == sorted(ROWS)
    assert all(str(picture.relative_to(place)) in told for picture in pictures)


@pytest.mark.slow
def test_regularize_shares_its_trainings_among_processes(place):
    arguments = ("--model", "cnn", "--repeats", "1", "--features.forecasts.epochs", "1")
    told = forecast(place, "regularize", *SMALL, *arguments, "--processes", "2")
    run = place / "runs" / "small-forecast-regularize-001"
    assert len(list((run / "results").glob("*.json"))) == 25
    described = pd.read_csv(run / "describe.csv")
    assert list(described) == ["group", "penalty", "count", "mean", "std", "min", "25%", "50%", "75%", "max"]
    assert len(described) == 27
    assert (run / "figures" / "regularization.png").exists()
    assert "Of 24 penalties the lowest mean error is that of " in told
    results = (run / "results.csv").read_bytes()
    for path in list((run / "results").glob("*.json"))[:3]:  # as if it had been killed
        path.unlink()
    forecast(place, "regularize", "--resume", str(run.relative_to(place)), "--processes", "1")
    assert (run / "results.csv").read_bytes() == results


def test_windows_are_saved_as_hdf5(place):
    forecast(place, "windows", *SMALL, "--features.forecasts.windows", "disjoint", "--out", "out/windows.h5")
    with h5py.File(place / "out" / "windows.h5") as file:
        assert file["inputs"].shape == (900 // 76, 72, 1)
        assert file["outputs"].shape == (900 // 76, 4, 1)
        assert list(file.attrs["columns"]) == ["close"]


@pytest.mark.slow
def test_a_follower_of_each_forecaster_plays_in_the_backtest(place, agent):
    """Those of the agent's own columns, and those of a run of forecast.py."""
    run = run_well(place, "backtest", "--run", agent, "--forecasts", "runs/small-forecast-compare-001")
    strategies = json.loads((place / agent / "metrics.json").read_text())["strategies"]
    followers = {f"follows {name.replace('-', ' ')}" for name in ROWS} | {"follows linear", "follows cnn"}
    assert {name for name in strategies if name.startswith("follows")} == followers
    assert strategies["follows last value"]["trades"] == 0
    assert "follows gru leaky" in run.stdout


def test_forecasters_of_another_split_are_not_followed(place, agent):
    forecast(place, "train", *SMALL, "--model", "linear", "--split.train", "0.7", "--split.validation", "0.1", "--name", "other")
    run = run_script(place, "backtest", "--forecasts", "runs/other-forecast-train-001", "--run", agent)
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "must not know the test range" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trian"], "did you mean 'train'"),
        (["train", "--model", "lsmt"], "there is no forecaster 'lsmt'; did you mean 'lstm'?"),
        (["train", "--features.forecasts.units", "0"], "must be greater than or equal to 1"),
        (["train", "--env.fee_bps", "3"], "there is no option `--env.fee_bps`"),
        (["train", "--resume", "nowhere"], "nowhere is no run of forecast.py"),
        (["compare", "--resume", "runs/small-forecast-train-001"], "was not begun by `forecast.py compare`"),
        (["train", "--resume", "runs/small-forecast-train-001", "--model", "gru"], "`model` cannot be given with --resume"),
        (["regularize", "--model", "lag"], "l1 and l2 are for cnn, lstm, gru, but got lag"),
        (["regularize", "--repeats", "0"], "it must be 1 or more, but got 0"),
        (["plot"], "the following arguments are required: --run"),
        (["plot", "--run", "runs"], "no config file runs/config.yaml"),
        (["train", "--market.bars", "500", "--features.forecasts.past_bars", "75"], "a window needs 75 + 4 rows"),
    ],
)
def test_bad_input_is_refused_in_one_line(place, arguments, told):
    small = SMALL if arguments[0] in ("train", "regularize") and "--resume" not in arguments else []
    run = run_script(place, "forecast", *arguments, *small)
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1, run.stderr
    assert told in run.stderr
