"""How many trials were searched on some bars, whatever became of their studies."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from agents import TrialSettings
from common import InputError
from market import Candles, FinishedTrial, TrialLedger, split
from search import SearchSettings, note_bars, open_study, searched_before, write_down, write_down_trial

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")
MANY = """
import sys
from pathlib import Path
from market import FinishedTrial, LedgerRange, TrialLedger
ledger, name = TrialLedger(Path("studies/trials.jsonl")), sys.argv[1]
bars = LedgerRange("BTCUSD", "1h", "2020-01-01T00:00:00+00:00", "2020-02-01T00:00:00+00:00", "data")
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    ledger.record([FinishedTrial(f"{name}-{number}", name, number, bars)])
    print(number, flush=True)
"""


@pytest.fixture(autouse=True)
def user_ledger(tmp_path, monkeypatch) -> Path:
    """The user's ledger, of each test its own."""
    monkeypatch.setenv("COINDOJO_LEDGER", str(tmp_path / "user"))
    return tmp_path / "user" / "trials.jsonl"


@pytest.fixture
def ledger(tmp_path) -> TrialLedger:
    return TrialLedger(tmp_path / "studies" / "trial_ledger.jsonl")


@pytest.fixture
def market(candles) -> Candles:
    return Candles(candles.frame, candles.bar, candles.symbol, "file btc.csv")


def search(candles: Candles, storage: str, trials: int, ledger: TrialLedger | None, name: str = "mine") -> optuna.Study:
    """A study of so many finished trials, one pruned and one that failed, as `optimize.py` makes it."""
    known_as = split(candles).validation_known_as
    identity = {"data_sha256": candles.sha256}
    study = open_study(SearchSettings(storage=storage, dimensions=("learning_rate",)), name, identity, TrialSettings())
    if ledger:
        note_bars(study, known_as)
        write_down(study, ledger)
    states = [None] * (trials - 1) + [optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.FAIL]
    for state in states:
        trial = study.ask()
        study.tell(trial, 0.0 if state is None else None, state=state)
        if ledger:
            write_down_trial(study.trials[trial.number], study, ledger)
    return study


def counted(candles: Candles, storage: str, ledger: TrialLedger) -> int | None:
    trials: int | None = searched_before(storage, split(candles).validation_known_as, ledger)["trials"]
    return trials


def test_a_deleted_study_keeps_the_count(market, ledger, tmp_path):
    storage = f"sqlite:///{tmp_path}/mine.db"
    study = search(market, storage, 5, ledger)
    assert counted(market, storage, ledger) == 5
    optuna.delete_study(study_name=study.study_name, storage=storage)
    assert counted(market, storage, ledger) == 5
    search(market, storage, 3, ledger)  # the name again, and other trials
    assert counted(market, storage, ledger) == 8


def test_another_storage_keeps_the_count(market, ledger, tmp_path):
    storages = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]
    search(market, storages[0], 5, ledger)
    assert counted(market, storages[1], ledger) == 5
    search(market, storages[1], 4, ledger)
    assert [counted(market, storage, ledger) for storage in storages] == [9, 9]
    (tmp_path / "one.db").unlink()
    assert counted(market, storages[1], ledger) == 9


def test_a_copied_storage_counts_its_trials_once(market, ledger, tmp_path):
    search(market, f"sqlite:///{tmp_path}/one.db", 5, ledger)
    shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
    assert counted(market, f"sqlite:///{tmp_path}/two.db", ledger) == 5


def test_a_study_of_before_the_ledger_counts_and_is_written_down(market, ledger, tmp_path):
    storage = f"sqlite:///{tmp_path}/old.db"
    search(market, storage, 5, None)
    assert counted(market, storage, ledger) == 5
    (tmp_path / "old.db").unlink()
    assert counted(market, storage, ledger) == 5


def test_other_bars_of_the_market_and_another_folder_keep_the_count(market, ledger, tmp_path):
    storage, elsewhere = f"sqlite:///{tmp_path}/mine.db", TrialLedger(tmp_path / "elsewhere" / "trial_ledger.jsonl")
    search(market, storage, 5, ledger)
    for other in (market[1:], market[:-24]):
        assert counted(other, f"sqlite:///{tmp_path}/none.db", elsewhere) == 5
    assert counted(replace(market, symbol="ETH/USD"), storage, elsewhere) == 0


def test_trials_validated_on_bars_of_a_test_range_are_found_there(market, ledger, tmp_path):
    """A search on the whole file looks at what is the test range of the file's first part."""
    search(market, f"sqlite:///{tmp_path}/mine.db", 5, ledger)
    assert len(ledger.ids(split(market[:1_100]).test_known_as) or ()) == 5
    assert ledger.ids(split(market).test_known_as) == set()


def test_deleted_ledgers_are_written_again_from_the_studies_that_are_there(market, ledger, user_ledger, tmp_path):
    storage = f"sqlite:///{tmp_path}/mine.db"
    search(market, storage, 5, ledger)
    ledger.path.unlink()
    user_ledger.unlink()
    assert counted(market, storage, ledger) == 5
    assert len(ledger.path.read_text().splitlines()) == len(user_ledger.read_text().splitlines()) == 5


def test_a_ledger_that_cannot_be_read_makes_the_trials_unknown_and_never_0(market, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("COINDOJO_LEDGER", str(tmp_path / "a file"))
    ledger = TrialLedger(tmp_path / "studies" / "trial_ledger.jsonl")
    storage = f"sqlite:///{tmp_path}/mine.db"
    search(market, storage, 5, ledger)
    assert counted(market, storage, ledger) is None
    assert "set COINDOJO_LEDGER" in ledger.why_unknown()


def test_an_edited_line_of_the_trial_ledger_is_named(market, ledger, tmp_path):
    storage = f"sqlite:///{tmp_path}/mine.db"
    search(market, storage, 5, ledger)
    ledger.path.write_text(ledger.path.read_text().replace('"trial": 2', '"trial": 1'))
    with pytest.raises(InputError, match=r"trial_ledger\.jsonl cannot be trusted: .*line 3 was edited"):
        counted(market, storage, ledger)


def run_many(place: Path, name: str, trials: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MANY, name, str(trials)]
    environment = {"PYTHONPATH": str(ROOT), "COINDOJO_LEDGER": str(place / "user")}
    return subprocess.Popen(command, cwd=place, env=environment, text=True, stdout=subprocess.PIPE)


def test_workers_that_write_at_once_lose_no_trial_and_a_killed_one_leaves_a_whole_chain(tmp_path, user_ledger):
    workers = [run_many(tmp_path, name, 40) for name in ("one", "two")]
    dying = run_many(tmp_path, "three", 100_000)
    assert dying.stdout
    said = [dying.stdout.readline() for _ in range(15)]
    dying.kill()
    last = (said + dying.communicate()[0].splitlines())[-1]
    for worker in workers:
        worker.communicate(timeout=60)
        assert worker.returncode == 0
    path = tmp_path / "studies" / "trials.jsonl"
    TrialLedger(path).record_new([])  # reads and checks both
    trials = [json.loads(line)["id"] for line in path.read_text().splitlines()]
    assert {f"{name}-{number}" for name in ("one", "two") for number in range(40)} <= set(trials)
    assert f"three-{int(last)}" in trials
    assert {json.loads(line)["id"] for line in user_ledger.read_text().splitlines()} == set(trials)


def test_a_trial_is_written_as_fast_into_a_long_ledger_as_into_a_short_one(ledger, parts):
    known_as = parts.validation_known_as

    def seconds(first: int) -> float:
        start = time.perf_counter()
        for number in range(first, first + 20):
            ledger.record([FinishedTrial(f"trial {number}", "mine", number, known_as)])
        return time.perf_counter() - start

    short = min(seconds(20 * k) for k in range(3))
    ledger.record([FinishedTrial(f"many {number}", "mine", number, known_as) for number in range(20_000)])
    long = min(seconds(100 + 20 * k) for k in range(3))
    assert long < 3 * short + 0.02
