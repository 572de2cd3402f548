"""The count of openings survives honest use of growing files, and whatever somebody does to make it smaller."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from common import InputError
from market import (
    Candles,
    FinishedTrial,
    LedgerRange,
    Looks,
    OpeningLedger,
    Split,
    SplitSettings,
    TrialLedger,
    looks_at,
    read_candles,
    resample,
    simulate,
    split,
    write_candles,
)
from market.ledger_pair import user_folder

SYMBOLS = {
    "BTC/USD": True, "btcusd": True, "XBT-USD": True, "ETH/USD": False, "BTC/EUR": False,
    "unnamed coin": True,  # it may be any
}  # fmt: skip


@pytest.fixture(autouse=True)
def user_ledger(tmp_path, monkeypatch) -> Path:
    """The user's ledger, of each test its own."""
    monkeypatch.setenv("COINDOJO_LEDGER", str(tmp_path / "user"))
    return tmp_path / "user" / "openings.jsonl"


@pytest.fixture
def market(candles) -> Candles:
    """Bars of a file, as if they were no simulated ones."""
    return Candles(candles.frame, candles.bar, candles.symbol, "file btc.csv")


@pytest.fixture
def ledger(tmp_path) -> OpeningLedger:
    return OpeningLedger(tmp_path / "project" / "studies" / "test_ledger.jsonl")


def open_once(candles: Candles, ledger: OpeningLedger, settings: SplitSettings | None = None) -> int | None:
    """The count that the opening comes to."""
    parts = split(candles, settings)
    parts.open_test(ledger, "config", "a test")
    return ledger.openings(parts.test_known_as)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def known_as(candles: Candles) -> LedgerRange:
    return split(candles).test_known_as


# --- the bars are the same, and look like others ---------------------------------------------------------------------------


def test_an_appended_week_keeps_the_count(ledger):
    """A weekly test of a growing file is the sequence of looks that it is."""
    bars = simulate("bitcoin", bars=6_000, seed=3)
    market = Candles(bars.frame, bars.bar, bars.symbol, "file btc.csv")
    hashes = set()
    for week in range(1, 6):
        grown = market[: 5_000 + 168 * week]
        assert open_once(grown, ledger) == week
        hashes.add(grown.sha256)
    assert len(hashes) == 5


def test_a_dropped_first_bar_keeps_the_count(market, ledger):
    assert [open_once(market[first:], ledger) for first in (0, 1, 2)] == [1, 2, 3]


def test_a_renamed_file_keeps_the_count(market, ledger, tmp_path):
    for count, name in enumerate(("btc.csv", "another.csv", "btc.parquet"), start=1):
        write_candles(market, tmp_path / name)
        assert open_once(read_candles(tmp_path / name), ledger) == count


def test_one_value_changed_keeps_the_count(market, ledger):
    frame = market.frame.copy()
    frame.iloc[0, frame.columns.get_loc("volume")] += 1e-9
    changed = replace(market, frame=frame)
    assert changed.sha256 != market.sha256
    assert [open_once(each, ledger) for each in (market, changed)] == [1, 2]


def test_another_split_of_the_same_bars_keeps_the_count(market, ledger):
    shares = [(0.6, 0.2), (0.7, 0.15), (0.8, 0.1)]
    settings = [SplitSettings(train=train, validation=validation) for train, validation in shares]
    assert [open_once(market, ledger, each) for each in settings] == [1, 2, 3]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_symbol_counts_in_any_spelling_and_another_one_apart(market, ledger, symbol):
    open_once(market, ledger)
    assert open_once(replace(market, symbol=symbol), ledger) == 1 + SYMBOLS[symbol]


def test_other_bars_count_apart(market, ledger):
    """Another bar length, and a time that does not overlap."""
    open_once(market, ledger)
    assert open_once(resample(market, pd.Timedelta("2h")), ledger) == 1
    bars = known_as(market)
    touching = replace(bars, first=bars.end, end="2100-01-01T00:00:00+00:00")
    assert ledger.openings(touching) == 0
    assert ledger.openings(replace(touching, first="2017-01-01T00:00:00+00:00")) == 1
    later = market.frame.set_axis(pd.DatetimeIndex(market.index + pd.Timedelta(days=30), name="time"))
    assert open_once(replace(market, frame=later), ledger) == 1


def test_simulated_markets_count_by_name_seed_and_parameters(ledger):
    markets = [
        simulate("ou", bars=600), simulate("ou", bars=600, seed=1), simulate("ou", bars=600, reversion=0.1),
        simulate("martingale", bars=600),
    ]  # fmt: skip
    for count in (1, 2):
        assert [open_once(each, ledger) for each in markets] == [count] * 4
    assert open_once(markets[0][1:], ledger) == 3


# --- the ledger is another one, or none ------------------------------------------------------------------------------------


def test_another_working_folder_keeps_the_count(market, tmp_path):
    ledgers = [OpeningLedger(tmp_path / name / "studies" / "test_ledger.jsonl") for name in ("one", "two", "three")]
    assert [open_once(market, each) for each in ledgers] == [1, 2, 3]
    assert ledgers[0].openings(known_as(market)) == 3


def test_a_deleted_ledger_keeps_the_count_while_the_other_one_is_there(market, ledger, user_ledger):
    open_once(market, ledger)
    ledger.path.unlink()
    assert open_once(market, ledger) == 2
    user_ledger.unlink()
    assert ledger.openings(known_as(market)) == 1  # the first stood in the user's alone
    assert len(lines(user_ledger)) == 1  # copied back


def test_a_copied_project_counts_the_openings_of_both_once(market, ledger, tmp_path):
    open_once(market, ledger)
    shutil.copytree(tmp_path / "project", tmp_path / "copy")
    copy = OpeningLedger(tmp_path / "copy" / "studies" / "test_ledger.jsonl")
    assert [open_once(market, each) for each in (copy, ledger, copy)] == [2, 3, 4]


def test_what_was_lost_everywhere_is_unknown_and_never_0(market, ledger, user_ledger):
    """The run still says that it was opened twice. Whoever restores a ledger knows the count again."""
    bars = known_as(market)
    for _ in range(2):
        open_once(market, ledger)
    assert ledger.record(bars, "config", "a test", at_least=2) == 3
    kept = ledger.path.rename(ledger.path.with_suffix(".kept"))
    user_ledger.unlink()
    assert ledger.record(bars, "config", "another test", at_least=3) is None
    assert open_once(market, ledger) is None  # whoever asks
    assert "when another test opened this test range, its run knew of 3 earlier openings" in ledger.why_unknown(bars)
    assert ledger.written(bars) == 2
    assert ledger.openings(known_as(simulate("ou", bars=600))) == 0
    kept.rename(ledger.path)
    assert ledger.openings(bars) == 5


def test_without_a_home_the_count_is_unknown(market, tmp_path, monkeypatch):
    for name in ("COINDOJO_LEDGER", "HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as of a user whom the system does not know
    homeless = OpeningLedger(tmp_path / "studies" / "test_ledger.jsonl")
    assert open_once(market, homeless) is None
    assert "set COINDOJO_LEDGER" in homeless.why_unknown(known_as(market))
    assert not list(Path().glob("~*"))


def test_the_users_ledger_lies_where_the_system_keeps_a_users_state(tmp_path, monkeypatch):
    monkeypatch.delenv("COINDOJO_LEDGER")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert user_folder() == tmp_path / ".local/state/coindojo"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert user_folder() == tmp_path / "state/coindojo"
    monkeypatch.setenv("COINDOJO_LEDGER", "~/mine")
    assert user_folder() == tmp_path / "mine"


def test_a_home_that_cannot_be_written_makes_the_count_unknown_and_opens_the_range(market, ledger, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("COINDOJO_LEDGER", str(tmp_path / "a file"))
    blocked = OpeningLedger(ledger.path)
    assert open_once(market, blocked) is None
    assert "set COINDOJO_LEDGER to a folder" in blocked.why_unknown(known_as(market))
    assert blocked.record(known_as(market), "config", "a test", at_least=9) is None  # nor does it know that some were lost
    assert len(lines(ledger.path)) == 2
    assert open_once(market, ledger) == 3  # written down all the same, and copied as soon as that can be


# --- somebody writes in a ledger -------------------------------------------------------------------------------------------


@pytest.fixture
def five(market, ledger) -> Path:
    """A project's ledger of five openings."""
    for _ in range(5):
        open_once(market, ledger)
    return ledger.path


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("whose", ["project", "user"])
def test_a_removed_line_is_seen_and_named(five, user_ledger, market, number, whose):
    """But for the last one of the user's ledger, which the project's still counts."""
    path = five if whose == "project" else user_ledger
    kept = lines(path)
    del kept[number - 1]
    path.write_text("".join(kept))
    if (whose, number) == ("user", 5):
        assert OpeningLedger(five).openings(known_as(market)) == 5
        return
    with pytest.raises(InputError, match=rf"line {number} (of .* )?is missing"):
        OpeningLedger(five).openings(known_as(market))


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize("whose", ["project", "user"])
def test_an_edited_line_is_seen_and_named(five, user_ledger, market, number, whose):
    path = five if whose == "project" else user_ledger
    kept = lines(path)
    kept[number - 1] = kept[number - 1].replace("BTCUSD", "ETHUSD")
    path.write_text("".join(kept))
    with pytest.raises(InputError, match=f"but line {number} was edited") as error:
        OpeningLedger(five).record(known_as(market), "config", "a test")
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert lines(path) == kept


def test_lines_in_another_order_are_seen_and_named(five, market):
    first, second, *others = lines(five)
    five.write_text("".join([first, *reversed([second, others[0]]), *others[1:]]))
    with pytest.raises(InputError, match="line 2 is missing: line 3 stands in its place"):
        OpeningLedger(five).openings(known_as(market))


def test_a_ledger_whose_chain_was_forged_anew_is_refused(five, market, tmp_path):
    """Four lines with true hashes, in the place of five."""
    forged = OpeningLedger(tmp_path / "forged.jsonl", tmp_path / "none" / "openings.jsonl")
    five.write_text("".join(lines(five)[:1]))
    for entry in (json.loads(line) for line in lines(five)):
        assert entry["line"] == 1
    for _ in range(3):
        forged.record(replace(known_as(market), market="ETHUSD"), "config", "a test")
    five.write_text("".join(lines(five) + lines(forged.path)[1:]))
    with pytest.raises(InputError, match="line"):
        OpeningLedger(five).openings(known_as(market))


def test_a_refused_ledger_that_is_moved_away_leaves_the_count_to_the_other(five, market):
    five.write_text("".join(lines(five)[1:]))
    five.rename(five.with_suffix(".broken"))
    assert OpeningLedger(five).openings(known_as(market)) == 5


def test_a_split_that_lies_elsewhere_knows_the_same_bars(market):
    parts: Split = split(market)
    assert parts.validation_known_as.end < parts.test_known_as.first
    assert parts.joined().test_known_as == parts.test_known_as
    assert parts.validation_known_as.data_sha256 == market.sha256


# --- what is counted -------------------------------------------------------------------------------------------------------


def test_trials_that_were_validated_on_bars_of_the_test_range_are_looks(market, ledger, tmp_path):
    trials, bars = TrialLedger(tmp_path / "trial_ledger.jsonl"), known_as(market)
    open_once(market, ledger)
    assert looks_at(bars, ledger, trials) == Looks(openings=1, trials=0, why_unknown="")
    validated = split(market).validation_known_as
    trials.record([FinishedTrial(f"before {number}", "mine", number, validated) for number in range(7)])
    assert (looks_at(bars, ledger, trials).count, looks_at(bars, ledger, trials).in_words) == (1, ())
    later = split(market, SplitSettings(train=0.7, validation=0.2)).validation_known_as
    trials.record([FinishedTrial(f"on it {number}", "mine", number, later) for number in range(3)])
    looks = looks_at(bars, ledger, trials)
    assert looks.count == 4
    assert "3 finished trials were validated on bars of this test range" in looks.in_words[0]


def test_what_one_of_the_ledgers_does_not_know_is_no_count(market, ledger, tmp_path, user_ledger):
    user_ledger.with_name("trials.jsonl").mkdir(parents=True)
    open_once(market, ledger)
    looks = looks_at(known_as(market), ledger, TrialLedger(tmp_path / "trial_ledger.jsonl"))
    assert (looks.openings, looks.trials, looks.count) == (1, None, None)
    assert looks.in_words[0].startswith("How often this test range was opened is unknown: the user's ledger")
