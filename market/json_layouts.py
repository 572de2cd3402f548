"""Candles in JSON: what exchanges answer, what pandas and freqtrade write. A list of candles is found wherever it lies."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from market.candles import CandleError
from market.column_names import role_of
from market.file_table import FileTable, unique_names
from market.unnamed_columns import named_by_values

DEEPEST, LEAST_VALUES = 6, 5
SYMBOL_KEYS = ("pair", "symbol", "ticker", "instrument", "instrument_name", "s")
WORDS = ("data", "result", "list", "candles", "bars", "ohlc", "klines", "values", "Data", "chart", "DATA")
"""keys that name no coin"""
EMPTY_POLONIEX = "Poloniex's empty answer, one bar of zeros; ask for a range in which there was trading"


def is_json(content: bytes) -> bool:
    """Whether it begins as JSON does."""
    return content[:1024].lstrip()[:1] in (b"[", b"{")


class Series(NamedTuple):
    """A list of candles in a JSON value: its name or symbol there, empty if it has none; bars, or columns by name."""

    name: str
    bars: list[Any] | dict[str, list[Any]]


def read_json(path: Path, content: bytes, least: int = LEAST_VALUES) -> FileTable:
    """A list of candles, each with names or without, or the columns of a table; pages are joined, coins stand in one table.

    Args:
        path: for messages.
        content: UTF-8.
        least: values that a bar must have; a bar has a time and four prices, another series a time and a value.

    Raises:
        CandleError: damaged JSON, no list of candles, or several of different names.
    """
    found = list(_series(_decoded(path, content), least))
    if not found:
        raise CandleError(f"{path} holds no candles but the answer {' '.join(content[:120].decode(errors='replace').split())}; "
                          "ask the exchange again, or name a file with candles")  # fmt: skip
    by_name = _pages_joined(found)
    if len(by_name) > 1 and not all(map(_is_symbol, by_name)):
        shown = ", ".join(name or "one without a name" for name in list(by_name)[:5])
        raise CandleError(
            f"candles are one list, but {path} holds {len(by_name)}: {shown}; save one of them as a file of its own"
        )
    tables = [_table_of(path, Series(name, bars), least) for name, bars in by_name.items()]
    pages = f"{len(found)} lists of candles joined"
    if len(tables) == 1:
        return replace(tables[0], notes=(*tables[0].notes, pages)) if len(found) > 1 else tables[0]
    parts = [table.cells.append_column("symbol", pa.array([table.symbol] * len(table.cells))) for table in tables]
    cells = pa.concat_tables(parts, promote_options="permissive")
    return FileTable(tables[0].layout, cells, "element", notes=(*tables[0].notes, pages))


def _pages_joined(found: list[Series]) -> dict[str, list[Any] | dict[str, list[Any]]]:
    """All bars of each name, page after page."""
    by_name: dict[str, Any] = {}
    for name, bars in found:
        earlier = by_name.get(name)
        if isinstance(earlier, list) and isinstance(bars, list):
            by_name[name] = earlier + bars
        elif isinstance(earlier, dict) and isinstance(bars, dict) and earlier.keys() == bars.keys():
            by_name[name] = {column: earlier[column] + bars[column] for column in bars}
        else:
            by_name[name if earlier is None else f"{name} again"] = bars
    return by_name


def _table_of(path: Path, series: Series, least: int) -> FileTable:
    name, found = series
    if isinstance(found, dict):
        return FileTable("JSON columns", _table(found), "element", symbol=name)
    if isinstance(found[0], dict):
        return _named(path, found, name)
    width = max(len(bar) for bar in found)
    columns = {f"column {k + 1}": [bar[k] if k < len(bar) else None for bar in found] for k in range(width)}
    cells = _table(columns)
    if least < LEAST_VALUES:
        return FileTable("JSON lists", cells, "element", symbol=name)
    names, note = named_by_values(path, cells)
    return FileTable("JSON lists", cells.rename_columns(unique_names(names)), "element", symbol=name, notes=(note,))


def _decoded(path: Path, content: bytes) -> Any:
    """The value; of JSON lines, one value a line, a list of them."""
    try:
        return json.loads(content)
    except ValueError as error:
        lines = [line for line in content.splitlines() if line.strip()]
        try:
            if len(lines) > 1 and lines[0].strip().endswith((b"}", b"]")):
                return [json.loads(line) for line in lines]
        except ValueError:
            pass
        raise CandleError(f"{path} is damaged JSON ({error}); fetch it again") from None


def _series(value: Any, least: int, name: str = "", depth: int = 0) -> Iterator[Series]:
    """All lists of candles and tables of columns, at any depth, with the name or symbol that they have there."""
    if _is_list_of(list, value, least) or _is_list_of(dict, value, least):
        yield Series(name, value)
    elif isinstance(value, dict) and (columns := _yahoo(value) or _columns(value)) is not None:
        meta = value.get("meta")
        yield Series(str(meta.get("symbol", name)) if isinstance(meta, dict) else name, columns)
    elif depth <= DEEPEST and isinstance(value, dict):
        said = next((value[key] for key in SYMBOL_KEYS if isinstance(value.get(key), str)), name)
        for key, part in value.items():
            yield from _series(part, least, said if key in WORDS or (not _is_symbol(key) and said) else key, depth + 1)
    elif depth <= DEEPEST and isinstance(value, list):
        for part in value:
            yield from _series(part, least, name, depth + 1)


def _is_list_of(kind: type, value: Any, least: int) -> bool:
    """Whether it is a list of bars: each a list or a dictionary of so many plain values."""
    if not isinstance(value, list) or not value or not all(isinstance(bar, kind) for bar in value):
        return False
    first = list(value[0].values()) if isinstance(value[0], dict) else value[0]
    nested = sum(isinstance(cell, list | dict) for cell in first)
    return len(first) - nested >= least and nested * 2 < len(first)


def _is_symbol(key: object) -> bool:
    """`XXBTZUSD` and `BTC/USD`, under which exchanges answer; other keys, such as `result`, are words."""
    letters = re.sub("[^A-Za-z]", "", str(key))
    return len(letters) >= 3 and letters.isupper()


def _columns(value: dict[str, Any]) -> dict[str, list[Any]] | None:
    """What `DataFrame.to_json()` writes, by column and then by row, by row and then by column, or `split`; or lists by name."""
    if {"columns", "data"} <= value.keys():
        index = {"index": value["index"]} if "index" in value else {}
        return index | {str(name): [row[k] for row in value["data"]] for k, name in enumerate(value["columns"])}
    lists = {
        str(name): part
        for name, part in value.items()
        if isinstance(part, list) and part and not isinstance(part[0], list | dict)
    }
    if len(lists) >= 5 and len({len(part) for part in lists.values()}) == 1:  # words such as `"s": "ok"` may stand beside
        return lists
    parts = list(value.values())
    if len(parts) < 2 or not all(isinstance(part, dict) and part for part in parts):
        return None
    rows = len({tuple(part) for part in parts}) == 1
    if rows and len(parts) >= 5 and len(parts[0]) >= 2 and _has_open(value):
        return {"index": list(parts[0])} | {str(name): list(part.values()) for name, part in value.items()}
    if _has_open(parts[0]):
        names = dict.fromkeys(name for part in parts for name in part)
        return {"index": list(value)} | {str(name): [part.get(name) for part in parts] for name in names}
    return None


def _has_open(names: Iterable[Any]) -> bool:
    return any(role_of(str(name)) == "open" for name in names)


def _yahoo(value: dict[str, Any]) -> dict[str, list[Any]] | None:
    """Yahoo's chart: the times stand beside the columns."""
    times, indicators = value.get("timestamp"), value.get("indicators")
    if not isinstance(times, list) or not isinstance(indicators, dict) or not indicators.get("quote"):
        return None
    columns: dict[str, list[Any]] = {"timestamp": times}
    return columns | indicators["quote"][0]


def _named(path: Path, bars: list[dict[str, Any]], symbol: str) -> FileTable:
    """Poloniex's `volume` is in the quote currency and its `quoteVolume` in coin; all others mean what they say."""
    if len(bars) == 1 and not any(bars[0].values()):
        raise CandleError(f"{path} is {EMPTY_POLONIEX}")
    columns = {name: [bar.get(name) for bar in bars] for name in dict.fromkeys(key for bar in bars for key in bar)}
    layout = "JSON objects"
    if "weightedAverage" in columns and "volume" in columns:
        layout = "Poloniex JSON"
        if "quoteVolume" not in columns:
            raise CandleError(f"{path} has no quoteVolume, and Poloniex's volume is not in coin; fetch both")
        columns["volume"], columns["quoteVolume"] = columns["quoteVolume"], columns["volume"]
    return FileTable(layout, _table(columns), "element", symbol=symbol)


def _table(columns: dict[str, list[Any]]) -> pa.Table:
    """Columns of numbers where all are, of text where not."""
    arrays = {}
    for name, values in columns.items():
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            arrays[name] = pa.array([None if value is None else str(value) for value in values])
    return pa.table(arrays)
