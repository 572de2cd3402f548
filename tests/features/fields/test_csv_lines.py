"""Lines of CSV files: each one that is not blank is a row, or is refused; and the character between cells is found."""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings as budget, strategies as st

from common import InputError
from features.fields import FieldSettings, convert, prepare
from features.fields.table_batches import csv_batches

SEPARATORS = pytest.mark.parametrize("separator", [",", ";", "\t", "|"])


def names(path: Path, settings: FieldSettings) -> list[list[str]]:
    data = prepare(path, settings, folder=path.parent / "cache")
    rows = data.block(0)
    return [[data.feature_name(int(n)) for n in rows[i : i + 1].features] for i in range(len(rows))]


@SEPARATORS
def test_the_header_says_what_separates_cells(separator: str, tmp_path: Path) -> None:
    cells = [["label", "site", "note"], ["1", "news", '"a,b;c\td|e"'], ["0", "shop", '"5"" wide"']]
    (tmp_path / "a.csv").write_text("".join(separator.join(line) + "\n" for line in cells))
    assert names(tmp_path / "a.csv", FieldSettings()) == [["site=news", "note=a,b;c\td|e"], ["site=shop", 'note=5" wide']]


def test_a_comma_is_the_first_choice_but_not_within_a_quoted_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,b;c\n1,x\n")
    assert names(tmp_path / "a.csv", FieldSettings()) == [["b;c=x"]]
    (tmp_path / "b.csv").write_text('label;"b,c"\n1;x\n')
    assert names(tmp_path / "b.csv", FieldSettings()) == [["b,c=x"]]


def test_a_quote_within_a_cell_is_a_character(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('label,size\n1,5" wide\n0,6"\n')
    assert names(tmp_path / "a.csv", FieldSettings()) == [['size=5" wide'], ['size=6"']]


def test_a_cell_with_a_line_end_is_not_written_as_csv(tmp_path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(pa.table({"label": [1, 0], "site": ["a", "b\nc"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="a CSV cell is in one line, but column 'site' has a line end in one; leave it out"):
        convert(tmp_path / "a.parquet", tmp_path / "b.csv", FieldSettings())
    assert not (tmp_path / "b.csv").exists()


CELL = st.text(st.sampled_from('a"\n,'), max_size=4)


@budget(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=4), ending=st.sampled_from(["\n", "\r\n"]), blank=st.booleans())
def test_rows_come_back_or_are_refused(tmp_path_factory, rows: list, ending: str, blank: bool) -> None:
    """What Python's csv module has written: Arrow reads the same cells, unless one holds a line end."""
    path = tmp_path_factory.getbasetemp() / "some.csv"
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending * (1 + blank)).writerows([("one", "two"), *rows])
    path.write_bytes(text.getvalue().encode())
    if any("\n" in cell for row in rows for cell in row):
        with pytest.raises(InputError, match="a quote must be closed in its line"):
            list(csv_batches(path, lambda _: None))
        return
    batches = list(csv_batches(path, lambda _: None))
    cells = [(row["one"] or "", row["two"] or "") for batch in batches for row in batch.cells.to_pylist()]
    assert cells == rows
    assert [line for batch in batches for line in batch.lines] == [1 + (1 + blank) * (n + 1) for n in range(len(rows))]


@budget(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from('a",\n\r'), max_size=20), n_bytes=st.integers(1, 9))
def test_no_line_vanishes(tmp_path_factory, text: str, n_bytes: int) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(f"one,two\n{text}".encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("features.fields.text_rows.CHUNK_BYTES", n_bytes)
        try:
            n_rows = sum(len(batch.lines) for batch in csv_batches(path, lambda _: None))
        except InputError:
            return
    assert n_rows == sum(bool(line) for line in text.replace("\r", "\n").split("\n"))
