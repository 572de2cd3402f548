"""How fast candle files are read and checked: rows a second and peak memory, against pandas' own parser in the same run.

    python -m benchmarks.market [ROWS]

Five million one-minute bars by default, as CSV in Kaggle's layout and as Parquet; each reading is a process of its own, so that
its peak memory is its own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from market import write_parquet

READ = "from market import read_candles; n = len(read_candles(path))"
PEER = "import pandas; n = len(pandas.read_csv(path))"
CHILD = """
import resource, sys, time
path, code = sys.argv[1:]
exec(code.split(';')[0])  # the imports are not counted
begin = time.perf_counter()
exec(code)
print(n, time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def measure(path: Path, code: str) -> tuple[int, float, float]:
    """Rows, seconds (the best of 3) and peak memory in GB."""
    command = [sys.executable, "-c", CHILD, str(path), code]
    printed = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)]
    counts, seconds, memory = zip(*([float(word) for word in text.split()] for text in printed), strict=True)
    return int(counts[0]), min(seconds), max(memory)


def minute_bars(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    close = np.round(5_000 * np.exp(np.cumsum(rng.normal(0, 1e-4, rows))), 2)
    opened = np.concatenate([close[:1], close[:-1]])
    volume = np.round(rng.exponential(2.0, rows), 8)
    time = pd.date_range("2012-01-01", periods=rows, freq="min", tz="UTC", name="time")
    columns = {
        "open": opened, "high": np.maximum(opened, close) + 0.5, "low": np.minimum(opened, close) - 0.5, "close": close,
        "volume": volume, "quote_volume": np.round(volume * close, 8),  # rounded to cents, a trade of a few satoshis would be 0
    }  # fmt: skip
    return pd.DataFrame(columns, index=time)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    table = Table(title=f"reading and checking {rows:,} one-minute bars", title_justify="left")
    for heading in ("file", "reader", "seconds", "rows/s", "peak GB"):
        table.add_column(heading, justify="left" if heading in ("file", "reader") else "right")
    with tempfile.TemporaryDirectory() as folder:
        frame = minute_bars(rows)
        kaggle = frame.set_axis(["Open", "High", "Low", "Close", "Volume_(BTC)", "Volume_(Currency)"], axis=1)
        kaggle.insert(0, "Timestamp", pd.DatetimeIndex(frame.index).as_unit("s").asi8)
        path = Path(folder) / "bars.csv"
        kaggle.to_csv(path, index=False)
        write_parquet(frame, path.with_suffix(".parquet"), "BTC/USD", "a benchmark", pd.Timedelta("1min"))
        del frame, kaggle
        for file, reader, code in (
            (path, "pandas.read_csv, no checks", PEER),
            (path, "read_candles", READ),
            (path.with_suffix(".parquet"), "read_candles", READ),
        ):
            count, seconds, memory = measure(file, code)
            name = f"{file.suffix[1:]} ({file.stat().st_size / 1e6:,.0f} MB)"
            table.add_row(name, reader, f"{seconds:.2f}", f"{count / seconds:,.0f}", f"{memory:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
