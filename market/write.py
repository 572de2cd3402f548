"""Writes candles to a file, as Parquet or CSV by its ending, atomically."""

from pathlib import Path

from common import write_atomically
from market.candles import CandleError, Candles
from market.parquet import write_parquet


def write_candles(candles: Candles, path: Path) -> None:
    """Write candles so that `read_candles` reads the same ones; extra columns stand behind the candle's, and a
    column `filled` flags bars that a repair filled in.

    Raises:
        CandleError: the ending is neither `.parquet` nor `.csv`.
    """
    frame = candles.frame if candles.extra is None else candles.frame.join(candles.extra)
    if candles.filled is not None:
        frame = frame.assign(filled=candles.filled)
    if path.suffix == ".parquet":
        write_parquet(frame, path, candles.symbol, candles.source, candles.bar)
    elif path.suffix == ".csv":
        rows = frame.set_axis(candles.index.tz_localize(None)).assign(symbol=candles.symbol)
        write_atomically(path, rows.to_csv(index_label="time"))
    else:
        raise CandleError(f"candles are written as .parquet or .csv, but got {path}; choose one of the two endings")
