"""Candles in JSON: what exchanges answer, what pandas and freqtrade write. A list of candles is found wherever it lies."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from market.candles import CandleError
from market.file_table import FileTable, unique_names
from market.unnamed_columns import named_by_values

DEEPEST = 6
EMPTY_POLONIEX = "Poloniex's empty answer, one bar of zeros; ask for a range in which there was trading"


def is_json(content: bytes) -> bool:
    """Whether it begins as JSON does."""
    return content[:1024].lstrip()[:1] in (b"[", b"{")


def read_json(path: Path, content: bytes) -> FileTable:
    """A list of candles, each with names or without, or the columns of a table."""
    found, symbol = _candles(_decoded(path, content))
    if found is None:
        raise CandleError(f"{path} holds no candles but the answer {' '.join(content[:120].decode(errors='replace').split())}; "
                          "ask the exchange again, or name a file with candles")  # fmt: skip
    if isinstance(found, dict):
        return FileTable("JSON columns", _table(found), "element", symbol=symbol)
    if isinstance(found[0], dict):
        return _named(path, found, symbol)
    width = max(len(bar) for bar in found)
    columns = {f"column {k + 1}": [bar[k] if k < len(bar) else None for bar in found] for k in range(width)}
    cells = _table(columns)
    names, note = named_by_values(path, cells)
    return FileTable("JSON lists", cells.rename_columns(unique_names(names)), "element", symbol=symbol, notes=(note,))


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


def _candles(value: Any, depth: int = 0, name: str = "") -> tuple[list[Any] | dict[str, list[Any]] | None, str]:
    """The first list of candles, or table of columns, at any depth, and the name or symbol that it has there."""
    if isinstance(value, list) and value and all(isinstance(bar, list) and len(bar) >= 5 for bar in value):
        return value, name
    if isinstance(value, list) and value and all(isinstance(bar, dict) for bar in value) and len(value[0]) >= 5:
        return value, name
    if isinstance(value, dict) and (columns := _yahoo(value) or _columns(value)) is not None:
        return columns, name
    if depth > DEEPEST:
        return None, ""
    said = value.get("pair") or value.get("symbol") or value.get("s") if isinstance(value, dict) else None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        found, symbol = _candles(part, depth + 1, _symbol_of(key))
        if found is not None:
            return found, symbol or (said if isinstance(said, str) else "") or name
    return None, ""


def _symbol_of(key: object) -> str:
    """`XXBTZUSD`, under which Kraken answers; other keys, such as `result`, are words."""
    return key if isinstance(key, str) and key.isupper() and len(key) >= 5 else ""


def _columns(value: dict[str, Any]) -> dict[str, list[Any]] | None:
    """What `DataFrame.to_json()` writes, by column and then by row, by row and then by column, or `split`; or lists by name."""
    if {"columns", "data"} <= value.keys():
        index = {"index": value["index"]} if "index" in value else {}
        return index | {str(name): [row[k] for row in value["data"]] for k, name in enumerate(value["columns"])}
    parts = list(value.values())
    if len(parts) >= 5 and all(isinstance(part, list) for part in parts) and len({len(part) for part in parts}) == 1 and parts[0]:
        return {str(name): part for name, part in value.items()}
    if len(parts) < 2 or not all(isinstance(part, dict) and part for part in parts):
        return None
    rows = len({tuple(part) for part in parts}) == 1
    if rows and len(parts) >= 5 and len(parts[0]) >= 2 and "open" in {name.lower() for name in value}:
        return {"index": list(parts[0])} | {str(name): list(part.values()) for name, part in value.items()}
    if "open" in {str(name).lower() for name in parts[0]}:
        names = dict.fromkeys(name for part in parts for name in part)
        return {"index": list(value)} | {str(name): [part.get(name) for part in parts] for name in names}
    return None


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
