import json

import pytest

from evaluation import TestLedger
from market import InputError, split


def test_every_opening_is_counted_and_kept(tmp_path, candles):
    ledger = TestLedger(tmp_path / "studies" / "test_ledger.jsonl")
    assert ledger.openings(candles.sha256) == 0
    for count in (1, 2, 3):
        split(candles).open_test(ledger, "config", "a test")
        assert ledger.openings(candles.sha256) == count
    assert ledger.record("other data", "config", "a test") == 1
    entries = [json.loads(line) for line in ledger.path.read_text().splitlines()]
    assert [set(entry) for entry in entries] == [{"time", "data_sha256", "config_sha256", "caller"}] * 4
    assert entries[0]["time"].endswith("+00:00")


def test_a_ledger_that_cannot_be_written_keeps_the_range_shut(tmp_path, candles):
    (tmp_path / "blocked").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="blocked"):
        split(candles).open_test(TestLedger(tmp_path / "blocked" / "ledger.jsonl"), "config", "a test")


def test_a_damaged_ledger_is_named_with_its_line(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"data_sha256": "x"}\nnonsense\n')
    with pytest.raises(InputError, match="line 2 is 'nonsense'"):
        TestLedger(path).openings("x")
