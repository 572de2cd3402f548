"""Breaks of what is promised of candles and the test range."""

from benchmarks.mutations.patches import Break

LOCKED = "tests/market/test_splitting.py::test_the_test_range_is_locked"
WRITTEN = "tests/market/test_splitting.py::test_opening_the_test_range_is_written_down_first"
LOOKS = "tests/market/test_ledger_dodges.py"
SEALS = "tests/common/test_run_seals.py"
COINS = "tests/market/test_coin_splits.py::test_no_bar_that_is_trained_on_lies_behind_the_purge_before_a_test_bar_of_any_coin"
ROWS = "tests/market/test_mutations.py"
LAYOUTS = "tests/market/test_public_layouts.py::test_each_public_layout_reads_to_the_same_four_bars"
TIMES = "tests/market/test_column_meanings.py::test_two_columns_of_times_must_agree"
VOLUMES = "tests/market/test_column_meanings.py::test_a_volume_in_money_is_told_by_its_size_or_by_the_person"
ADVICE = "tests/market/test_advice.py::test_advice_on_spoiled_files_ends"

BREAKS = (
    Break(
        LAYOUTS,
        "the open of a file without names is its first price",
        "market/unnamed_columns.py",
        "_prices",
        "opened, close = _open_and_close(path, {k: positive[k] for k in places if k not in ends})",
        "opened, close = [k for k in places if k not in ends][:2]",
    ),
    Break(
        LAYOUTS,
        "lines of names between bars are read as bars",
        "market/csv_layouts.py",
        "_without_repeated",
        "if not again.any():",
        "if True:",
    ),
    Break(
        TIMES,
        "of two columns of times the first one wins",
        "market/time_columns.py",
        "_compare",
        "if not both.any():",
        "if True:",
    ),
    Break(
        TIMES,
        "single rows in which two columns of times differ are read by the first one",
        "market/time_columns.py",
        "_compare",
        "for row in np.flatnonzero(both)[apart != 0]:",
        "for row in ():",
    ),
    Break(
        VOLUMES,
        "a volume is in coin whatever its size",
        "market/volumes.py",
        "_too_much",
        "return bool(turnover * DOLLARS.get(money, 1.0) > MOST_PER_DAY)",
        "return False",
    ),
    Break(
        VOLUMES,
        "what a person says of the volume is not heard",
        "market/volumes.py",
        "_of_one",
        'options.volume == "quote" or (',
        "(",
    ),
    Break(
        ADVICE,
        "repair drops the last unfinished bar and leaves those before it",
        "market/checks.py",
        "unfinished",
        "return order[int(np.flatnonzero(~moved)[-1]) + 1 :]",
        "return order[-1:]",
    ),
    Break(
        ADVICE,
        "repair drops equal rows before it puts swapped volumes back",
        "market/repair.py",
        "repair",
        'raw = _drop(raw, twice, "repeated rows dropped", changes)',
        "pass",
    ),
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
        "cut",
        "candles[:validation_end], validation_start",
        "candles, validation_start",
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
        "ledger.record(self.test_known_as, config_sha256, caller, at_least)",
        "pass",
    ),
    Break(
        WRITTEN,
        "the test range is handed out though its opening could not be written",
        "market/splitting.py",
        "Split.open_test",
        "        ledger.record(self.test_known_as, config_sha256, caller, at_least)",
        """\
        try:
            ledger.record(self.test_known_as, config_sha256, caller, at_least)
        except OSError:
            pass""",
    ),
    Break(
        LOOKS,
        "the ledger counts openings of the very same bytes alone",
        "market/ledger_range.py",
        "LedgerRange.is_seen_in",
        'if "first" not in entry:',
        "if True:",
        only="::test_an_appended_week_keeps_the_count",
    ),
    Break(
        LOOKS,
        "the user's ledger is not read",
        "market/ledger_pair.py",
        "LedgerPair._known",
        "user.lines() if user else []",
        "list[Line]()",
        only="::test_another_working_folder_keeps_the_count",
    ),
    Break(
        LOOKS,
        "lines that are removed from the end of a ledger are not missed",
        "market/ledger_pair.py",
        "LedgerPair._require_tail",
        "if number > len(own) or ",
        "if number <= len(own) and ",
        only="::test_a_removed_line_is_seen_and_named",
    ),
    Break(
        LOOKS,
        "an edited line passes",
        "market/ledger_file.py",
        "OpenLedger._line",
        'if entry["hash"] != _hash(str(entry.get("previous")), _canonical(entry)):',
        "if False:",
        only="::test_an_edited_line_is_seen_and_named",
    ),
    Break(
        LOOKS,
        "a count that is known to be too low is told",
        "market/opening_ledger.py",
        "_why_unknown",
        "if LOST in entry and ",
        "if LOST not in entry and ",
        only="::test_what_was_lost_everywhere_is_unknown_and_never_0",
    ),
    Break(
        SEALS,
        "an edited file of a run passes",
        "common/run_seals.py",
        "require_seal",
        'if any(seal["sha256"] == hash_of(says) for seal in seals):',
        "if seals:",
        only="::test_an_edit_is_refused_with_the_setting_and_both_values",
    ),
    Break(
        SEALS,
        "a kill between a file and its seal looks like an edit",
        "common/run_seals.py",
        "write_and_seal",
        "both = [*(seal for seal in old if seal != new), new]",
        "both = [new]",
        only="::test_a_kill_between_any_two_writes_is_no_edit",
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
    Break(
        COINS,
        "each coin is cut by shares of its own bars",
        "market/coin_splits.py",
        "split_coins",
        "Edges(*(edge - begin for edge in edges))",
        "edges_of(len(candles), settings)",
    ),
    Break(
        COINS,
        "a coin that begins later is cut later",
        "market/coin_splits.py",
        "split_coins",
        "edge - begin for edge",
        "edge for edge",
    ),
)
