"""Several coins from the command line: one agent, a result for each coin, and mistakes in one line."""

import json
from pathlib import Path

import pytest
from helpers import make_coin
from scripts import SETTINGS, run_script, run_well

import training
from configs import dump_experiment, load_experiment
from market import write_candles

SMALL = ["--config", "small.yaml"]
COINS = ["--market.files", "btc.parquet,eth.parquet"]
QUICK = ["--train.steps", "256", "--train.validations", "2", "--features.sarimax.forecast_len", "0"]


def make_files(place: Path) -> None:
    (place / "small.yaml").write_text(SETTINGS)
    write_candles(make_coin("BTC/USD", 1_200), place / "btc.parquet")
    write_candles(make_coin("ETH/USD", 1_000, seed=1, late=200, price=1e-6), place / "eth.parquet")


@pytest.fixture
def place(tmp_path):
    make_files(tmp_path)
    return tmp_path


MISTAKES = [
    ("train", ["--market.file", "btc.parquet", *COINS], "candles come from `file` or from `files`, but got btc.parquet and"),
    ("train", ["--market.files", "btc.parquet,btc.parquet"], "each file must hold another coin, but two hold BTC/USD"),
    ("optimize", ["--market.files", "btc.parquet,none.parquet"], "there is no candle file none.parquet"),
    ("train", [*COINS, "--split.train", "0.15"], "each range needs at least 50 bars, but train of ETH/USD would have 0 of 1000"),
    ("train", [*COINS, "--split.train", "0.3"], "fitting needs 100 bars after a warm-up of "),
    (
        "train",
        [*COINS, "--agent.n_envs", "1"],
        "each coin needs an environment or more, but there are 1 for 2 coins; ",
    ),
    ("optimize", [*COINS, "--env.lot", "1000"], "must be able to buy one lot, but 1000 of BTC/USD cost "),
    ("forecast", ["compare", *COINS], "one series is needed here, but `market.files` names 2"),
    ("audit", COINS, "one series is needed here, but `market.files` names 2"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), MISTAKES, ids=[" ".join(each[1][:2]) for each in MISTAKES])
def test_a_mistake_is_one_line_and_leaves_nothing_behind(place, name, arguments, message):
    before = set(place.iterdir())
    command, rest = (arguments[:1], arguments[1:]) if name == "forecast" else ([], arguments)
    ran = run_script(place, name, *command, *SMALL, *rest)
    assert ran.returncode == 2, ran.stdout
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert set(place.iterdir()) == before


@pytest.mark.parametrize("changed", ["btc.parquet", "eth.parquet"])
def test_changed_candles_of_any_coin_are_refused_by_name(place, changed, monkeypatch):
    monkeypatch.chdir(place)
    experiment = load_experiment(Path("small.yaml"), {"market.files": "btc.parquet,eth.parquet"})
    hashes = experiment.load_splits().data_sha256
    assert isinstance(hashes, dict)
    training.TrainingLog(Path("runs/one")).begin({}, dump_experiment(experiment), hashes)
    assert Path("runs/one/data.sha256").read_text() == f"{hashes['BTC/USD']}  BTC/USD\n{hashes['ETH/USD']}  ETH/USD\n"
    symbol = f"{changed[:3].upper()}/USD"
    write_candles(make_coin(symbol, 1_200, seed=9), Path(changed))
    ran = run_script(place, "train", "--resume", "runs/one")
    assert ran.returncode == 2
    assert f"must use the data of its training, but the candles of {symbol} now have the hash " in ran.stderr
    assert ran.stderr.count("\n") == 1


def read(run: Path) -> dict[str, bytes]:
    kept = [path for path in run.rglob("*") if path.is_file() and path.parent.name != "tensorboard"]
    return {str(path.relative_to(run)): path.read_bytes() for path in kept if path.name != "command.txt"}


def test_one_of_several_files_gives_the_run_of_a_single_file_to_the_byte(place):
    runs = [
        place / run_well(place, "train", *SMALL, *QUICK, option, "btc.parquet").folder
        for option in ("--market.file", "--market.files")
    ]
    assert read(runs[0]) == read(runs[1])
    assert (runs[0] / "data.sha256").read_text().count("\n") == 1


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A search, a training by its best trial, and a backtest of it."""
    place = tmp_path_factory.mktemp("coins")
    make_files(place)
    search = ["--search.steps", "256", "--search.validations", "1", "--trials", "2"]
    out = run_well(place, "optimize", *SMALL, *COINS, *search, "--features.sarimax.forecast_len", "0").stdout
    ran = run_well(place, "train", *SMALL, *COINS, *QUICK, "--seeds", "1")
    return place, out, ran, run_well(place, "backtest", "--no-bootstrap").stdout


@pytest.mark.slow
def test_one_agent_is_trained_on_both_coins(played):
    place, searched, ran, _ = played
    for out in (searched, ran.stdout):
        assert "BTC/USD data: file btc.parquet" in out
        assert "train 720 bars, validation 216 bars" in out
        assert "train 520 bars, validation 216 bars" in out
        assert "each coin with a scaler of its own" in out
    assert "of study small-sortino, best of 2" in ran.stdout
    assert "environments: 2 on BTC/USD, 2 on ETH/USD" in ran.stdout
    log = json.loads((place / ran.folder / "training.json").read_text())
    assert log["origin"]["trials"] == 2
    assert [set(validation["coins"]) for validation in log["validation"]] == [{"BTC/USD", "ETH/USD"}] * 2


@pytest.mark.slow
def test_the_backtest_has_a_result_for_each_coin_and_counts_two_looks(played):
    place, _, ran, out = played
    run = place / ran.folder
    coins = json.loads((run / "metrics.json").read_text())["coins"]
    assert list(coins) == ["BTC/USD", "ETH/USD"]
    for symbol, outcome in coins.items():
        assert (outcome["verdict"]["openings"], outcome["verdict"]["other_looks"]) == (1, 1)
        assert outcome["verdict"]["level"] == pytest.approx(1 - 0.95**0.5)
        assert (outcome["verdict"]["trials"], outcome["test_range_openings"]) == (2, 1)
        assert f"{outcome['data_sha256']}  {symbol}\n" in (run / "data.sha256").read_text()
        assert {path.name for path in (run / "coins" / symbol.replace("/", "-")).iterdir()} == {
            "figures", "monthly.csv", "net_worth.csv", "report.html", "trades.csv",
        }  # fmt: skip
        assert f"{symbol}, test range 2017-02-" in out
        (row,) = [line for line in out.splitlines() if line.startswith(f"{symbol} ") and "x " in line]
        assert row.split()[1] == f"{1 + outcome['strategies']['agent']['total_return']:.2f}x"
    assert "counts the looks at all of their test ranges (2)." in out
    assert max(len(line) for line in out.split("BTC/USD, test range")[0].splitlines()) <= 80
    entries = [json.loads(line) for line in (place / "studies/test_ledger.jsonl").read_text().splitlines()]
    assert [entry["market"] for entry in entries] == ["BTCUSD", "ETHUSD"]


@pytest.mark.slow
def test_a_second_backtest_is_two_more_looks_and_changed_candles_open_nothing(played):
    place, _, ran, _ = played
    run_well(place, "backtest", "--no-bootstrap")
    coins = json.loads((place / ran.folder / "metrics.json").read_text())["coins"]
    assert [(each["verdict"]["openings"], each["verdict"]["other_looks"]) for each in coins.values()] == [(2, 2), (2, 2)]
    for option in (["--walk-forward", "2"], ["--forecasts", "runs/none"]):
        refused = run_script(place, "backtest", *option)
        assert f"`{option[0]}` needs a run on one series" in refused.stderr
    write_candles(make_coin("ETH/USD", 1_000, seed=2, late=200), place / "eth.parquet")
    refused = run_script(place, "backtest")
    assert "the candles of ETH/USD now have the hash" in refused.stderr
    assert len((place / "studies/test_ledger.jsonl").read_text().splitlines()) == 4
