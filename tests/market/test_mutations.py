"""A thousand spoiled files: each is read to what it says, or refused in one line. No traceback, no silent change."""

import csv
import io
from datetime import UTC, datetime

import numpy as np
import pytest
from helpers import examples, spoiled
from hypothesis import given, settings, strategies as st

from market import CandleError, read_candles, simulate

HEADER = "Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo"
CANDLES = simulate("bitcoin", bars=40, seed=3)
LINES = [
    f"{time:%Y-%m-%d %H:%M},BTCUSD," + ",".join(f"{value:.2f}" for value in (*row[:4], row[4], row[5]))
    for time, *row in CANDLES.frame.itertuples()
]


def read(folder, lines, repair):
    path = folder / "bars.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return read_candles(path, repair)


def plain_parse(text):
    """What a file says, by another road: the csv module, cell by cell; rows sorted by time."""
    rows = [row for row in list(csv.reader(io.StringIO(text, newline=None)))[1:] if row]
    times = [datetime.fromisoformat(row[0].strip()).replace(tzinfo=UTC).timestamp() for row in rows]
    order = np.argsort(times, kind="stable")
    return np.array([[float(cell) for cell in rows[k][2:]] for k in order]), np.array(times)[order]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mutated")


@pytest.fixture(scope="module")
def original(folder):
    return read(folder, LINES, False)


@settings(max_examples=examples(150), deadline=None)
@given(order=st.permutations(range(len(LINES))))
def test_any_order_of_rows_is_the_same_file(folder, original, order):
    candles = read(folder, [LINES[k] for k in order], False)
    assert candles.sha256 == original.sha256
    sorted_or_reversed = list(order) in (sorted(order), sorted(order, reverse=True))
    assert ("out of order" in candles.source) != sorted_or_reversed


@settings(max_examples=examples(150), deadline=None)
@given(order=st.permutations(range(len(LINES))), again=st.lists(st.integers(0, len(LINES) - 1), min_size=1, max_size=10))
def test_repeated_rows_are_refused_with_a_row_named_and_repaired_to_the_same_candles(folder, original, order, again):
    lines = [LINES[k] for k in [*order, *again]]
    with pytest.raises(CandleError, match=r"once, but line (\d+) ") as error:
        read(folder, lines, False)
    named = lines[int(str(error.value).split("line ")[1].split(" ")[0]) - 2]
    assert lines.count(named) > 1
    assert read(folder, lines, True).sha256 == original.sha256


@settings(max_examples=examples(50), deadline=None)
@given(
    again=st.integers(0, len(LINES) - 1),
    column=st.integers(2, 7),
    place=st.integers(0, len(LINES)),
    factor=st.floats(1.001, 1.01),
)
def test_two_different_rows_of_one_time_are_refused_even_by_repair(folder, again, column, place, factor):
    """Nobody can know which of them is right."""
    cells = LINES[again].split(",")
    cells[column] = f"{float(cells[column]) * factor + 0.01:.2f}"
    lines = [*LINES[:place], ",".join(cells), *LINES[place:]]
    for repair in (False, True):
        with pytest.raises(CandleError) as error:
            read(folder, lines, repair)
        assert cells[0] in str(error.value)


@settings(max_examples=examples(150), deadline=None)
@given(gone=st.sets(st.integers(1, len(LINES) - 2), min_size=1, max_size=12))
def test_deleted_rows_are_refused_with_the_place_named_and_filled_flat_where_they_were(folder, original, gone):
    lines = [line for k, line in enumerate(LINES) if k not in gone]
    with pytest.raises(CandleError, match="missing bars") as error:
        read(folder, lines, False)
    named = lines[int(str(error.value).split("line ")[1].split(" ")[0]) - 2]
    assert named == LINES[min(gone) - 1]
    repaired = read(folder, lines, True)
    assert set(np.flatnonzero(repaired.filled)) == gone
    kept = ~repaired.filled
    np.testing.assert_array_equal(repaired.frame[kept], original.frame[kept])
    before = np.maximum.accumulate(np.where(kept, np.arange(len(kept)), 0))
    np.testing.assert_array_equal(repaired.frame["close"], original.frame["close"].iloc[before])


@pytest.mark.slow
@settings(max_examples=examples(1_000), deadline=None)
@given(data=st.data(), repair=st.booleans())
def test_a_thousand_spoiled_files(folder, data, repair):
    """Random bytes put in, taken out or changed: what is read is what another parser finds in the file."""
    text = data.draw(spoiled("\n".join([HEADER, *LINES]) + "\n", len(HEADER) + 1))
    path = folder / "spoiled.csv"
    path.write_bytes(text.encode())
    candles, refusal = None, ""
    try:
        candles = read_candles(path, repair)
    except CandleError as error:
        refusal = str(error)
    if candles is None:
        assert "spoiled.csv" in refusal
        assert "\n" not in refusal
        return
    if any(word in candles.source for word in ("dropped", "filled", "put back")):
        assert repair  # changed only on request, and said; what each rule does is tested where it lives
        return
    values, times = plain_parse(text)
    np.testing.assert_array_equal(candles.frame.to_numpy(), values)
    np.testing.assert_array_equal(candles.index.as_unit("s").asi8, times)
