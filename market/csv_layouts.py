"""Candles in text with one line a bar: with a line of names, with several, with none, or with one in the middle."""

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
from market.unnamed_columns import named_by_values

DELIMITERS = (",", ";", "\t", "|")
LEAST_CELLS = 5
BANNER_LINES = 3
"""lines without cells that may stand above the first one with cells"""
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
        return _without_names(path, content, head)
    names, symbol, notes = _joined_names(head.names)
    table, numbers = _cells(path, content, unique_names(names), head.skipped + len(head.names), head.delimiter)
    table, numbers, repeated = _without_repeated(table, numbers, head.names[0])
    if repeated:
        notes.append(f"repeated lines of names left out: {repeated:,}")
    return FileTable("CSV", table, "line", numbers, symbol, notes=tuple(notes))


def _without_names(path: Path, content: bytes, head: Head) -> FileTable:
    lines = content[:65536].decode("utf-8", errors="replace").splitlines()
    width = lines[head.skipped].count(head.delimiter) + 1
    names = [f"column {k + 1}" for k in range(width)]
    table, numbers = _cells(path, content, names, head.skipped, head.delimiter)
    names, note = named_by_values(path, table)
    return FileTable("CSV without names", table.rename_columns(unique_names(names)), "line", numbers, notes=(note,))


def _head_of(path: Path, content: bytes, least: int) -> Head:
    text = content[:65536].decode("utf-8", errors="replace")
    if "\0" in text or text[:-1].count("\ufffd") > len(text) // 20:
        raise CandleError(f"{path} is no text, no Parquet and no Feather file; save it as one of them")
    lines = text.splitlines()
    for skipped, line in enumerate(lines[:BANNER_LINES]):
        for delimiter in DELIMITERS:
            if line.count(delimiter) >= least - 1:
                rows = [_split(row, delimiter) for row in lines[skipped : skipped + NAME_LINES + 1] if row.strip()]
                count = next((k for k, row in enumerate(rows) if _is_bar(row, least - 1)), 1)
                return Head(skipped, delimiter, rows[: max(count, 0)])
    seen = [cell[:30] for cell in _split((lines or [""])[0], ",")][:20]
    raise CandleError(
        f"{path} has the columns {seen}, but candles need at least a time, open, high, low and close; name another file"
    )


def _split(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.split(delimiter)]


def _is_bar(cells: list[str], least: int) -> bool:
    """Whether a line holds that many numbers."""
    return sum(_is_number(cell) for cell in cells) >= least


def _is_number(cell: str) -> bool:
    try:
        float(cell.lstrip("$€£").replace(",", ""))
    except ValueError:
        return False
    return cell.lower() != "nan"


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
        same = pc.equal(pc.utf8_trim_whitespace(table.column(k)), names[k]).fill_null(False).to_numpy()
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
