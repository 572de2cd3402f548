import pytest

from common import InputError
from market import LockedTestRange, SplitSettings, split


class Notebook:
    def __init__(self):
        self.lines = []

    def record(self, opened, config_sha256, caller, at_least=0) -> int:
        self.lines.append((opened, config_sha256, caller))
        return len(self.lines)


def test_ranges_follow_each_other_with_a_purge_gap(candles):
    parts = split(candles, SplitSettings(train=0.6, validation=0.2, purge_bars=30))
    test = parts.open_test(Notebook(), "c", "me")
    assert (len(parts.train), len(parts.validation), len(test)) == (900, 270, 270)
    assert parts.train.own.index[-1] == candles.index[899]
    assert parts.validation.own.index[0] == candles.index[930]
    assert parts.validation.own.index[-1] == candles.index[1199]
    assert test.own.index[0] == candles.index[1230]
    assert test.own.index[-1] == candles.index[-1]


def test_a_part_holds_nothing_after_itself(candles, parts):
    assert parts.train.candles.index[-1] < parts.validation.own.index[0]
    assert parts.validation.candles.index[-1] < candles.index[1200]


def test_the_test_range_is_locked(candles, parts):
    """Nobody gets it without the ledger, and no bar of it lies in what is open."""
    with pytest.raises(LockedTestRange, match="ledger"):
        _ = parts.test
    opened = [parts, parts.joined(), *parts.walk_forward(1), *parts.walk_forward(4)]
    last = max(part.candles.index[-1] for each in opened for part in (each.train, each.validation))
    assert last == candles.index[1_199]  # 80 % of 1,500
    for each in opened:
        with pytest.raises(LockedTestRange):
            _ = each.test


def test_opening_the_test_range_is_written_down_first(parts):
    class Full(Notebook):
        def record(self, *entry):
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        parts.open_test(Full(), "config", "me")
    notebook = Notebook()
    parts.open_test(notebook, "config", "me")
    assert notebook.lines == [(parts.test_known_as, "config", "me")]


def test_a_range_too_short_to_judge_on_is_refused(candles):
    with pytest.raises(InputError, match="at least 50 bars, but validation would have"):
        split(candles[:200])


def test_windows_of_validation_follow_each_other_each_with_its_own_past(parts):
    windows = parts.walk_forward(4)
    purge = parts.validation.start - len(parts.train.candles)
    own = [window.validation.own.index for window in windows]
    assert own[0].append(own[1:]).equals(parts.validation.own.index)
    assert [len(index) for index in own[:-1]] == [len(parts.validation) // 4] * 3
    for window in windows:
        assert window.validation.start - len(window.train.candles) == purge
        assert window.train.start == 0
        assert window.validation.candles.index[-1] == window.validation.own.index[-1]
        with pytest.raises(LockedTestRange):
            _ = window.test
    one = parts.walk_forward(1)[0]
    assert one.validation.own.index.equals(parts.validation.own.index)
    assert one.train.candles.index.equals(parts.train.candles.index)


def test_windows_need_fifty_bars(parts):
    with pytest.raises(InputError, match="take fewer windows"):
        parts.walk_forward(len(parts.validation) // 49 + 1)


def test_train_and_validation_joined_end_before_the_test_range(parts):
    joined = parts.joined()
    assert joined.train.candles.index.equals(parts.validation.candles.index)
    assert (joined.data_sha256, joined._test_start) == (parts.data_sha256, parts._test_start)
    assert len(joined.train.candles) <= parts._test_start
