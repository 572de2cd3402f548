"""Writes bars as plain Parquet that says what it holds, and reads that back. What makes bars good candles is not decided here."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from common import InputError, one_line, write_atomically
from market.candles import COLUMNS

TIME = pa.timestamp("ns", tz="UTC")


@dataclass(frozen=True)
class ParquetMeta:
    """What a Parquet file says of its bars; each is None where the file, written by another program, does not say it."""

    symbol: str | None = None
    source: str | None = None
    bar: pd.Timedelta | None = None


def write_parquet(frame: pd.DataFrame, path: Path, symbol: str, source: str, bar: pd.Timedelta) -> None:
    """Write bars so that a reader sees the old file or the new one, never half of it; equal bars give equal bytes.

    The file has the columns `time` (timestamp[ns, UTC], the bar's open time) and the frame's own in their order, and
    `symbol`, `source`, `bar` (such as `0 days 01:00:00`) in the schema's metadata.

    Args:
        frame: a UTC `DatetimeIndex` named `time`, the candle columns `open high low close volume quote_volume` and, after
            them, any others (a flag, say). Gaps are allowed: the file keeps what it is given.

    Raises:
        InputError: the index or the columns are others than these.
    """
    if not isinstance(frame.index, pd.DatetimeIndex) or str(frame.index.tz) != "UTC" or frame.index.name != "time":
        raise InputError(
            f"bars need a UTC DatetimeIndex named `time`, but got {frame.index.dtype} named {frame.index.name!r} for {path}"
        )
    if tuple(frame.columns[: len(COLUMNS)]) != COLUMNS:
        raise InputError(f"bars need the columns {list(COLUMNS)} first, but got {list(frame.columns)} for {path}")
    time = pa.array(frame.index.as_unit("ns"), type=TIME)
    columns = {"time": time} | {str(name): pa.array(frame[name].to_numpy()) for name in frame.columns}
    table = pa.table(columns).replace_schema_metadata({"symbol": symbol, "source": source, "bar": str(bar)})
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    write_atomically(path, buffer.getvalue().to_pybytes())


def read_parquet_meta(path: Path) -> ParquetMeta:
    """What the file says of its bars; needs no reading of the bars.

    Raises:
        InputError: the file is no Parquet.
    """
    try:
        said = pq.read_schema(path).metadata or {}
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is no Parquet file ({one_line(error)}); delete it or name another") from None
    return ParquetMeta(
        symbol=said[b"symbol"].decode() if b"symbol" in said else None,
        source=said[b"source"].decode() if b"source" in said else None,
        bar=pd.Timedelta(said[b"bar"].decode()) if b"bar" in said else None,
    )
