"""Candles in text with one line a bar: with a line of names, with several, with none, or with one in the middle."""

from csv import reader as csv_rows
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc, csv

from common import one_line
from market.candles import CandleError
from market.column_names import ROLES, TIME, is_bare, role_of, words_of
from market.file_table import FileTable, unique_names
from market.number_cells import NO_NUMBER
from market.times import parse_times
from market.unnamed_columns import named_by_values

DELIMITERS = (";", "\t", "|", ",")
"""the comma last: it also stands in numbers"""
LEAST_CELLS = 5
TOP_LINES, EVEN_LINES = 20, 30
"""lines without cells, or with a #, that may stand above the first one with cells; and lines that show what the delimiter is"""
NAME_LINES = 3
"""lines of names at most: yfinance writes the price, the ticker and the name of the index"""
NULLS = sorted({written for word in NO_NUMBER for written in (word, word.upper(), word.capitalize(), "NaN", "N/A")})


class Head(NamedTuple):
    """The first lines of a file with cells.

    Args:
        skipped: lines above them.
        delimiter: between cells.
        names: lines of names, each as cells; none where the first line is a bar.
    """

    skipped: int
    delimiter: str
    names: list[list[str]]


def read_csv(path: Path, content: bytes, least: int = LEAST_CELLS) -> FileTable:
    """A table of text.

    Args:
        path: for messages.
        content: UTF-8.
        least: cells that a line must have; a bar has a time and four prices, another series a time and a value.

    Raises:
        CandleError: it is no text, no line has cells, a line has more or fewer of them than others, or nothing tells what its
            columns are.
    """
    head = _head_of(path, content, least)
    if not head.names:
        return _without_names(path, content, head, least)
    names, symbol, notes = _joined_names(head.names)
    skip = head.skipped + len(head.names)
    table, numbers = _cells(
        path, content, unique_names(_as_wide_as_rows(names, content, skip, head.delimiter)), skip, head.delimiter
    )
    table, numbers, repeated = _without_repeated(table, numbers, head.names[0])
    if repeated:
        notes.append(f"repeated lines of names left out: {repeated:,}")
    table, numbers, empty = _without_empty(table, numbers)
    if empty:
        notes.append(f"lines of empty cells left out: {empty:,}")
    return FileTable("CSV", table, "line", numbers, symbol, notes=tuple(notes))


def _without_names(path: Path, content: bytes, head: Head, least: int) -> FileTable:
    lines = content[:65536].decode("utf-8", errors="replace").splitlines()
    width = len(_split(lines[head.skipped], head.delimiter))
    names = [f"column {k + 1}" for k in range(width)]
    table, numbers = _cells(path, content, names, head.skipped, head.delimiter)
    if least < LEAST_CELLS:
        return FileTable("CSV without names", table, "line", numbers)
    names, note = named_by_values(path, table)
    return FileTable("CSV without names", table.rename_columns(unique_names(names)), "line", numbers, notes=(note,))


def _head_of(path: Path, content: bytes, least: int) -> Head:
    text = content[:65536].decode("utf-8", errors="replace")
    if "\0" in text or text[:-1].count("\ufffd") > len(text) // 20:
        raise CandleError(f"{path} is no text, no Parquet and no Feather file; save it as one of them")
    lines = text.splitlines()
    for skipped, line in enumerate(lines[:TOP_LINES]):
        if line.lstrip().startswith("#"):
            continue
        for delimiter in DELIMITERS:
            if line.count(delimiter) >= least - 1 and _evenly(lines[skipped:], delimiter):
                rows = [_split(row, delimiter) for row in lines[skipped : skipped + NAME_LINES + 1] if row.strip()]
                ends = (k for k, row in enumerate(rows) if _is_bar(row, least - 1) or len(row) != len(rows[0]))
                count = next(ends, 1)
                if count == 0 and rows[0] == _numbered(rows[0]):
                    return Head(skipped + 1, delimiter, [])  # `0,1,2,3`, as pandas names columns that have no names
                return Head(skipped, delimiter, rows[: max(count, 0)])
    seen = [cell[:30] for cell in _split((lines or [""])[0], ",")][:20]
    raise CandleError(
        f"{path} has the columns {seen}, but candles need at least a time, open, high, low and close; name another file"
    )


def _evenly(lines: list[str], delimiter: str) -> bool:
    """Whether most of the next lines have as many cells: where prices have decimal commas, the comma is no delimiter."""
    counts = [row.count(delimiter) for row in lines[:EVEN_LINES] if row.strip()]
    return len(counts) < 3 or max(map(counts.count, counts)) * 2 > len(counts)


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv_rows([line], delimiter=delimiter, skipinitialspace=True), [])


def _numbered(cells: list[str]) -> list[str]:
    """`["0", "1", "2"]`, of as many cells, the first of which may be empty."""
    return (
        cells[:1] + [str(k) for k in range(1, len(cells))] if cells[0] == "0" else [""] + [str(k) for k in range(len(cells) - 1)]
    )


def _is_bar(cells: list[str], least: int) -> bool:
    """Whether a line holds that many numbers, or begins with a time: then it may lack its prices, but is no line of names."""
    if ROLES.get(words_of(cells[0])) == TIME:
        return False
    if sum(_is_number(cell) for cell in cells) >= least:
        return True
    first = pa.chunked_array([pa.array([cells[0].strip()])])
    return bool(cells[0].strip()) and not np.isnat(parse_times(first, "day_first").times[0])


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().lstrip("$€£").replace(",", ""))
    except ValueError:
        return False
    return cell.strip().lower() not in NO_NUMBER


def _joined_names(lines: list[list[str]]) -> tuple[list[str], str, list[str]]:
    """One name for each column; the coin, if one line names the same in all columns; and notes.

    Of yfinance's lines, `Price,Close,High`, `Ticker,BTC-USD,BTC-USD` and `Datetime,,`, one names the prices and one the coin.
    """
    if len(lines) == 1:
        return lines[0], "", []
    width = max(map(len, lines))
    columns = [[line[k] if k < len(line) else "" for line in lines] for k in range(width)]
    time = next((cell for cell in reversed(columns[0]) if ROLES.get(words_of(cell)) == TIME), "time")
    fields = [next((cell for cell in column if role_of(cell)), column[0]) for column in columns]
    coins = [next((cell for cell in column if cell and not role_of(cell)), "") for column in columns]
    some = {coin for coin in coins[1:] if coin and not is_bare(coin)}
    symbol = some.pop() if len(some) == 1 else ""
    names = [f"{coin}:{field}" if some else field for coin, field in zip(coins, fields, strict=True)]
    return [time, *names[1:]], symbol, [f"{len(lines)} lines of names"]


def _as_wide_as_rows(names: list[str], content: bytes, skip: int, delimiter: str) -> list[str]:
    """Names for each cell of a row: of an index that has no name, as R writes it, or of an empty cell behind a last delimiter."""
    lines = content[:65536].decode("utf-8", errors="replace").splitlines()[skip:]
    row = next((_split(line, delimiter) for line in lines if line.strip()), [])
    if len(row) != len(names) + 1:
        return names
    return [*names, ""] if not row[-1].strip() else ["", *names]


def _without_empty(table: pa.Table, numbers: np.ndarray) -> tuple[pa.Table, np.ndarray, int]:
    """Without rows in which no cell holds anything."""
    nothing = np.ones(len(table), bool)
    for column in table.columns:
        if not nothing.any():
            return table, numbers, 0
        empty = pc.equal(column, "").fill_null(True) if pa.types.is_string(column.type) else pc.is_null(column)
        nothing &= empty.to_numpy()
    if not nothing.any():
        return table, numbers, 0
    return table.filter(pa.array(~nothing)), numbers[~nothing], int(nothing.sum())


def _cells(path: Path, content: bytes, names: list[str], skip: int, delimiter: str) -> tuple[pa.Table, np.ndarray]:
    """The rows behind the first `skip` lines, and the line of each."""
    table, problems = None, ""
    shortened = b"E+" in content  # a number that a spreadsheet has shortened must stay text to be seen
    for as_text in (True,) if shortened else (False, True):  # text is slower, but every odd cell can then be named
        try:
            table = _arrow_table(content, names, skip, delimiter, as_text)
            break
        except pa.ArrowInvalid as error:
            problems = one_line(error)
    numbers = _line_numbers(content, skip)
    if table is None or len(numbers) != len(table):
        raise CandleError(_ragged_line(path, content, numbers, len(names), delimiter, problems))
    return table, numbers


def _arrow_table(content: bytes, names: list[str], skip: int, delimiter: str, as_text: bool) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(content),
        read_options=csv.ReadOptions(column_names=names, skip_rows=skip, block_size=8 << 20),
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()) if as_text else {},
            strings_can_be_null=not as_text,
            null_values=NULLS,
        ),
    )


def _without_repeated(table: pa.Table, numbers: np.ndarray, names: list[str]) -> tuple[pa.Table, np.ndarray, int]:
    """Without lines of names between bars, as a file has that was joined from several."""
    again = np.zeros(len(table), bool)
    for k in range(table.num_columns):
        if not pa.types.is_string(table.column(k).type):
            return table, numbers, 0
        cells = pc.utf8_lower(pc.utf8_trim_whitespace(table.column(k)))
        same = pc.equal(cells, names[k].strip().lower() if k < len(names) else "").fill_null(False).to_numpy()
        again = same if k == 0 else again & same
    if not again.any():
        return table, numbers, 0
    return table.filter(pa.array(~again)), numbers[~again], int(again.sum())


def _line_numbers(content: bytes, skip: int) -> np.ndarray:
    """The line of each data row; blank lines hold no row."""
    breaks = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
    ends = breaks if content.endswith(b"\n") else np.append(breaks, len(content))
    starts = np.concatenate([[0], ends[:-1] + 1])
    written = np.ones(len(ends), bool)
    for line in np.flatnonzero(ends - starts <= 2):
        written[line] = content[starts[line] : ends[line]].strip() != b""
    lines = np.flatnonzero(written) + 1
    return lines[lines > skip]


def _ragged_line(path: Path, content: bytes, numbers: np.ndarray, width: int, delimiter: str, problems: str) -> str:
    lines = content.decode("utf-8", errors="replace").split("\n")
    for number in numbers:
        found = lines[number - 1].count(delimiter) + 1
        if found != width:
            return (
                f"each line must have {width} cells like the header, but line {number} of {path} has {found}; correct or drop it"
            )
    return f"{path} cannot be read as a table ({problems or 'quoted cells span lines'}); save it as CSV or Parquet anew"
