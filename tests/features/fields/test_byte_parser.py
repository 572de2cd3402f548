"""The compiled parser reads what a plain reading of the same text does."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings as budget, strategies as st

from common import InputError
from features.fields.raw_rows import RawRows
from features.fields.text_rows import text_rows

NUMBERS = st.one_of(
    st.integers(-1_000_000, 1_000_000).map(str),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(str),
    st.floats(-1e30, 1e30).map(lambda value: f"{value:.17g}"),
    st.sampled_from(
        ["1", "+1", "-1", "0", "-0.0", ".5", "5.", "1e-3", "2E+2", "0.000000000000000000000000001", "1" + "0" * 30, "1e-400"]
    ),
)
BLANKS = st.sampled_from([" ", "  ", "\t", " \t "])
ENDS = st.sampled_from(["\n", "\r\n", " \n", " # 1:1\n", "#\r\n", "\n\n", "\n# 3 4:5\n"])


@st.composite
def texts(draw: st.DrawFn, with_fields: bool) -> str:
    """Lines that keep the rules, in all ways that these leave open."""
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        parts = [draw(NUMBERS)]
        for _ in range(draw(st.integers(0, 4))):
            field = f"{draw(st.integers(0, 65_535))}:" if with_fields else ""
            parts.append(f"{draw(BLANKS)}{field}{draw(st.integers(0, 2**31 - 1))}:{draw(NUMBERS)}")
        lines.append(draw(st.sampled_from(["", " "])) + "".join(parts) + draw(ENDS))
    return "".join(lines)


def plain(text: str, with_fields: bool) -> tuple[list, list, list, list, list, list]:
    """The same, read by Python's own means."""
    labels, starts, fields, numbers, values, lines = [], [0], [], [], [], []
    for place, line in enumerate(text.split("\n"), 1):
        words = line.split("#")[0].split()
        for entry in words[1:]:
            *parts, value = entry.split(":")
            fields.append(int(parts[0]) if with_fields else 0)
            numbers.append(int(parts[-1]))
            values.append(float(value))
        if words:
            labels.append(float(words[0]))
            starts.append(len(values))
            lines.append(place)
    return labels, starts, fields, numbers, values, lines


def parsed(path: Path, text: str, with_fields: bool) -> RawRows:
    path.write_text(text, newline="")
    chunks = [RawRows(*(array.copy() for array in raw)) for raw in text_rows(path, with_fields, lambda _: None, lambda _: None)]
    assert len(chunks) <= 1
    return chunks[0] if chunks else RawRows(*(np.zeros(0) for _ in range(6)))._replace(starts=np.zeros(1))


@pytest.mark.parametrize("with_fields", [False, True])
def test_the_parser_reads_what_plain_python_reads(with_fields: bool, tmp_path: Path) -> None:
    @budget(max_examples=80, deadline=None)
    @given(texts(with_fields))
    def holds(text: str) -> None:
        raw, wanted = parsed(tmp_path / "a", text, with_fields), plain(text, with_fields)
        for array, expected in zip((raw.starts, raw.fields, raw.numbers, raw.lines), (*wanted[1:4], wanted[5]), strict=True):
            np.testing.assert_array_equal(array, expected)
        np.testing.assert_allclose(raw.labels, wanted[0], rtol=1e-15)
        np.testing.assert_array_max_ulp(raw.values.astype(np.float32), np.array(wanted[4], np.float32), maxulp=1)

    holds()


def test_a_short_number_is_exact(tmp_path: Path) -> None:
    """float32 in its shortest text has at most nine digits, which float64 holds."""
    values = np.random.default_rng(0).normal(size=2_000).astype(np.float32) * 10.0 ** np.arange(-10, 10).repeat(100).astype(
        np.float32
    )
    text = "1 " + " ".join(f"{place}:{value!s}" for place, value in enumerate(values)) + "\n"
    np.testing.assert_array_equal(parsed(tmp_path / "a", text, False).values, values)


def test_rows_are_the_same_however_the_file_is_cut_into_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"{row % 2} {row}:1 {row + 7}:0.5\n" for row in range(300))
    whole = parsed(tmp_path / "a", text, False)
    for n_bytes in (1, 7, 64, 1_000):
        monkeypatch.setattr("features.fields.text_rows.CHUNK_BYTES", n_bytes)
        parts = [
            RawRows(*(array.copy() for array in raw)) for raw in text_rows(tmp_path / "a", False, lambda _: None, lambda _: None)
        ]
        assert len(parts) > 1
        for name in ("labels", "numbers", "values", "lines"):
            np.testing.assert_array_equal(np.concatenate([getattr(raw, name) for raw in parts]), getattr(whole, name))


def test_qid_is_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1 qid:3 1:1\n0 qid:4\n")
    counted: list[int] = []
    raw = next(text_rows(tmp_path / "a", False, lambda _: None, counted.append))
    assert raw.starts.tolist() == [0, 1, 1]
    list(text_rows(tmp_path / "a", False, lambda _: None, counted.append))
    assert counted == [2]


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.fields.text_rows.CHUNK_BYTES", 16)
    monkeypatch.setattr("features.fields.text_rows.LONGEST_LINE", 64)
    (tmp_path / "a").write_text("1" + " 1:1" * 1_000)
    with pytest.raises(InputError, match="is longer than"):
        list(text_rows(tmp_path / "a", False, lambda _: None, lambda _: None))
