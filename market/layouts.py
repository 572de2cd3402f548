"""Reads the bytes of any known candle file into one raw table. Nothing is judged or mended here: see `checks` and `repair`.

The layout is found by looking at the content, never at the file's name. A new one is an entry of `LAYOUTS` and its reader.
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from common import one_line
from market.candles import CandleError
from market.raw_table import NO_NUMBER, Raw, from_table

BINANCE = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count", "taker", "taker_q", "x"]


class Layout(NamedTuple):
    """One way in which people keep candles.

    Args:
        name: for people, in the message that lists what is known.
        recognise: whether a file's content is of this layout; the first of `LAYOUTS` that says so reads it.
        read: the content, as it is.
    """

    name: str
    recognise: Callable[[bytes], bool]
    read: Callable[[Path, bytes], Raw]


def read_raw(path: Path) -> Raw:
    """Read a candle file of any known layout.

    Raises:
        FileNotFoundError: there is no such file.
        CandleError: an unknown layout; the message names the columns seen and the layouts known.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no candle file {path}; check the path, or leave it out for the simulated market")
    try:
        content = _unpacked(path, path.read_bytes())
        return next(layout for layout in LAYOUTS if layout.recognise(content)).read(path, content)
    except (CandleError, OSError):
        raise
    except Exception as error:  # a foreign file can be wrong in ways that no list holds; its name and one line serve the user
        raise CandleError(f"{path} cannot be read ({one_line(error)}); {_known()}") from error


def _unpacked(path: Path, content: bytes) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise CandleError(f"{path} is damaged gzip ({error}); fetch it again") from None


def _is_parquet(content: bytes) -> bool:
    return content[:4] == b"PAR1"


def _read_parquet(path: Path, content: bytes) -> Raw:
    try:
        return from_table(path, "Parquet", parquet.read_table(io.BytesIO(content)), "row", _known())
    except (pa.ArrowException, OSError) as error:
        raise CandleError(f"{path} is damaged Parquet ({one_line(error)}); fetch it again") from None


def _is_json(content: bytes) -> bool:
    return content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")


def _from_json(path: Path, content: bytes) -> Raw:
    """Poloniex `returnChartData`: its `volume` is in the quote currency, its `quoteVolume` in coin."""
    try:
        bars = json.loads(content)
    except ValueError as error:
        raise CandleError(f"{path} is damaged JSON ({error}); fetch it again") from None
    if isinstance(bars, dict):
        raise CandleError(f"{path} holds no candles but the answer {json.dumps(bars)[:120]}; ask the exchange again")
    if not bars or not all(isinstance(bar, dict) for bar in bars):
        raise CandleError(f"{path} must hold a JSON list of candles, but it has {len(bars)} elements of another kind; {_known()}")
    if len(bars) == 1 and not any(bars[0].values()):
        raise CandleError(f"{path} is Poloniex's empty answer, one bar of zeros; ask for a range in which there was trading")
    columns = {name: [bar.get(name) for bar in bars] for name in dict.fromkeys(key for bar in bars for key in bar)}
    if "volume" in columns and "weightedAverage" in columns and "quoteVolume" not in columns:
        raise CandleError(f"{path} has no quoteVolume, and Poloniex's volume is not in coin; fetch both")
    if {"volume", "quoteVolume"} <= columns.keys():
        columns["volume"], columns["quoteVolume"] = columns["quoteVolume"], columns["volume"]
    try:
        table = pa.table(columns)
    except pa.ArrowException:
        table = pa.table({name: [None if v is None else str(v) for v in values] for name, values in columns.items()})
    return from_table(path, "Poloniex JSON", table, "element", _known())


def _is_binance(content: bytes) -> bool:
    """Klines have no header: the first line is all numbers."""
    head = content[:8192].removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").splitlines()
    found = _first_row(head)
    return found is not None and len(found.cells) in (11, 12) and all(_is_number(cell) for cell in found.cells)


def _read_binance(path: Path, content: bytes) -> Raw:
    row = _require_row(path, content)
    return _from_csv(path, content, "Binance CSV", BINANCE[: len(row.cells)], row.skipped, row.delimiter)


def _read_csv(path: Path, content: bytes) -> Raw:
    """With a header."""
    row = _require_row(path, content)
    return _from_csv(path, content, "CSV", _unique(row.cells), row.skipped + 1, row.delimiter)


def _from_csv(path: Path, content: bytes, layout: str, names: list[str], skip: int, delimiter: str) -> Raw:
    """The rows behind the first `skip` lines."""
    table, problems = None, ""
    for as_text in (False, True):  # text is slower, but every odd cell can then be named
        try:
            table = _arrow_table(content, names, skip, delimiter, as_text)
            break
        except pa.ArrowInvalid as error:
            problems = one_line(error)
    numbers = _line_numbers(content, skip)
    if table is None or len(numbers) != len(table):
        raise CandleError(_ragged_line(path, content, numbers, len(names), delimiter, problems))
    return from_table(path, layout, table, "line", _known(), numbers)


def _arrow_table(content: bytes, names: list[str], skip: int, delimiter: str, as_text: bool) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(content),
        read_options=csv.ReadOptions(column_names=names, skip_rows=skip, block_size=8 << 20),
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()) if as_text else {},
            strings_can_be_null=not as_text,
            null_values=[*NO_NUMBER, *(word.upper() for word in NO_NUMBER), "NaN", "None"],
        ),
    )


class _Row(NamedTuple):
    """The first line with cells: a banner is a line without a delimiter."""

    skipped: int  # lines before it
    delimiter: str
    cells: list[str]


def _first_row(head: list[str]) -> _Row | None:
    for number, line in enumerate(head[:3]):
        for delimiter in (",", ";", "\t", "|"):
            if line.count(delimiter) >= 4:
                return _Row(number, delimiter, [cell.strip().strip('"') for cell in line.split(delimiter)])
    return None


def _require_row(path: Path, content: bytes) -> _Row:
    text = content[:8192].removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    if "\0" in text or text[:-1].count("\ufffd") > len(text) // 20:
        raise CandleError(f"{path} is no text and no Parquet file; {_known()}")
    head = text.splitlines()
    row = _first_row(head)
    if row is None:
        seen = [cell.strip()[:30] for cell in (head or [""])[0].split(",")][:20]
        raise CandleError(f"{path} has the columns {seen}; {_known()}")
    return row


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
    return f"{path} cannot be read as a table ({problems or 'quoted cells span lines'}); {_known()}"


def _unique(cells: list[str]) -> list[str]:
    """Arrow wants unique names; a repeated or empty one is an unknown column."""
    return [cell if cell and cells.index(cell) == i else f"column {i + 1}" for i, cell in enumerate(cells)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


LAYOUTS = [
    Layout("Parquet with time, open, high, low, close, volume", _is_parquet, _read_parquet),
    Layout("Poloniex returnChartData JSON", _is_json, _from_json),
    Layout("Binance kline CSV", _is_binance, _read_binance),
    Layout(
        "any CSV with a header (time, open, high, low, close, volume), such as CryptoDataDownload's (Date or Unix, Symbol, Open, "
        "High, Low, Close, Volume BTC, Volume USD, or VolumeFrom, VolumeTo) and Kaggle's (Timestamp, ..., Volume_(BTC))",
        lambda content: True,
        _read_csv,
    ),
]
"""in the order in which they are tried"""


def _known() -> str:
    return f"the known layouts are {'; '.join(layout.name for layout in LAYOUTS)}; each also gzipped"
