"""Breaks of what is promised of candles and the test range."""

from benchmarks.mutations.patches import Break

LOCKED = "tests/market/test_splitting.py::test_the_test_range_is_locked"
WRITTEN = "tests/market/test_splitting.py::test_opening_the_test_range_is_written_down_first"
ROWS = "tests/market/test_mutations.py"

BREAKS = (
    Break(
        LOCKED,
        "the test range is handed to anybody",
        "market/splitting.py",
        "Split.test",
        'raise LockedTestRange("',
        'return Part("test", self._candles, self._test_start)\n        raise LockedTestRange("',
    ),
    Break(
        LOCKED,
        "validation holds the candles of the test range, too",
        "market/splitting.py",
        "split",
        "candles[:validation_end], starts",
        "candles, starts",
    ),
    Break(
        LOCKED,
        "the last test window of validation runs into the test range",
        "market/splitting.py",
        "Split.walk_forward",
        "+ [first + own]",
        "+ [first + own + purge + 1]",
    ),
    Break(
        WRITTEN,
        "an opening is not written into the ledger",
        "market/splitting.py",
        "Split.open_test",
        "ledger.record(self.data_sha256, config_sha256, caller)",
        "pass",
    ),
    Break(
        WRITTEN,
        "the test range is handed out though its opening could not be written",
        "market/splitting.py",
        "Split.open_test",
        "        ledger.record(self.data_sha256, config_sha256, caller)",
        """\
        try:
            ledger.record(self.data_sha256, config_sha256, caller)
        except OSError:
            pass""",
    ),
    Break(
        ROWS,
        "rows out of order are taken for rows in falling order",
        "market/read.py",
        "to_candles",
        'np.argsort(raw.time, kind="stable")',
        "slice(None, None, -1)",
        only="::test_any_order_of_rows_is_the_same_file",
    ),
    Break(
        ROWS,
        "of two rows of one time the later is dropped, even where it says something else",
        "market/repair.py",
        "repair",
        "(raw.time[1:] == raw.time[:-1]) & same.all(axis=1)",
        "raw.time[1:] == raw.time[:-1]",
        only="::test_two_different_rows_of_one_time_are_refused_even_by_repair",
    ),
    Break(
        ROWS,
        "a lost bar is filled with the close after it",
        "market/repair.py",
        "_fill",
        "before = np.cumsum(whole) - 1 ",
        "before = np.minimum(np.cumsum(whole) - whole, whole.sum() - 1) ",
        only="::test_deleted_rows_are_refused_with_the_place_named_and_filled_flat_where_they_were",
    ),
)
