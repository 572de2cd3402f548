"""Reads the bytes of any known candle file into one table. Nothing is judged or mended here: see `checks` and `repair`.

The layout is found by looking at the content, never at the file's name. A new one is an entry of `LAYOUTS` and its reader.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import feather, parquet

from common import blamed, one_line
from market.candles import CandleError
from market.csv_layouts import read_csv
from market.file_table import FileTable
from market.json_layouts import is_json, read_json
from market.unpacking import unpacked


class Layout(NamedTuple):
    """One way in which people keep candles.

    Args:
        name: for people, in the message that lists what is known.
        recognise: whether a file's content is of this layout; the first of `LAYOUTS` that says so reads it.
        read: the content, as it is.
    """

    name: str
    recognise: Callable[[bytes], bool]
    read: Callable[[Path, bytes], FileTable]


def read_table(path: Path) -> FileTable:
    """Read a candle file of any known layout.

    Raises:
        FileNotFoundError: there is no such file.
        CandleError: an unknown layout; the message names the columns seen and the layouts known.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no candle file {path}; check the path, or leave it out for the simulated market")
    content = unpacked(path, path.read_bytes())
    layout = next(layout for layout in LAYOUTS if _recognised(layout, content))
    with blamed("LAYOUTS", layout.name):
        return layout.read(path, content)


def read_series_table(path: Path) -> FileTable:
    """Read a file of any known layout that need not hold candles, but times and values.

    Raises:
        FileNotFoundError, CandleError: as `read_table`.
    """
    content = unpacked(path, path.read_bytes()) if path.is_file() else b""
    if is_json(content):
        return read_json(path, content, least=2)
    csv = content and not any(_recognised(layout, content) for layout in LAYOUTS[:-1])
    return read_csv(path, content, least=2) if csv else read_table(path)


def _recognised(layout: Layout, content: bytes) -> bool:
    with blamed("LAYOUTS", layout.name):
        return layout.recognise(content)


def known_layouts() -> str:
    """The end of a message that lists them."""
    return f"the known layouts are {'; '.join(layout.name for layout in LAYOUTS)}; each also packed (gzip, zip, bzip2, xz)"


def _is_parquet(content: bytes) -> bool:
    return content[:4] == b"PAR1"


def _read_parquet(path: Path, content: bytes) -> FileTable:
    try:
        return _of_arrow("Parquet", parquet.read_table(io.BytesIO(content)))
    except (pa.ArrowException, OSError) as error:
        raise CandleError(f"{path} is damaged Parquet ({one_line(error)}); fetch it again") from None


def _is_feather(content: bytes) -> bool:
    return content[:6] in (b"ARROW1", b"FEA1\x00\x00") or content[:4] == b"FEA1"


def _read_feather(path: Path, content: bytes) -> FileTable:
    """As freqtrade keeps candles."""
    try:
        return _of_arrow("Feather", feather.read_table(io.BytesIO(content)))
    except (pa.ArrowException, OSError) as error:
        raise CandleError(f"{path} is a damaged Feather file ({one_line(error)}); fetch it again") from None


def _of_arrow(layout: str, cells: pa.Table) -> FileTable:
    said = cells.schema.metadata or {}
    symbol, source = (said.get(key, b"").decode(errors="replace") for key in (b"symbol", b"source"))
    return FileTable(layout, cells, "row", symbol=symbol, source=source)


LAYOUTS = [
    Layout("Parquet", _is_parquet, _read_parquet),
    Layout("Feather", _is_feather, _read_feather),
    Layout("JSON (what exchanges answer, pandas, freqtrade)", is_json, read_json),
    Layout("CSV with a line of names (time, open, high, low, close, volume) or without one", lambda content: True, read_csv),
]
"""in the order in which they are tried"""
