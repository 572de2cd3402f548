"""How fast candle files are read and checked: rows a second and peak memory, against pandas alone in the same run.

    python -m benchmarks.market [ROWS]
    python -m benchmarks.market --keep

Five million one-minute bars by default, as CSV in Kaggle's layout and as Parquet, on one core. pandas checks nothing; it reads
CSV with its own parser and with pyarrow's. Each reading is a process of its own, so that its peak memory (Linux) is its own;
seconds are those of the processor, so that other work on the machine does not count, and the best of three.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.env import one_core
from benchmarks.figures import keep, option
from market import write_parquet

ROWS = 5_000_000
READERS = {
    "pandas": ("csv", "pandas.read_csv", "import pandas; n = len(pandas.read_csv(path))"),
    "pandas_pyarrow": ("csv", "... engine='pyarrow'", "import pandas, pyarrow; n = len(pandas.read_csv(path, engine='pyarrow'))"),
    "csv": ("csv", "read_candles", "from market import read_candles; n = len(read_candles(path))"),
    "pandas_parquet": ("parquet", "pandas.read_parquet", "import pandas, pyarrow; n = len(pandas.read_parquet(path))"),
    "parquet": ("parquet", "read_candles", "from market import read_candles; n = len(read_candles(path))"),
}
"""kind of file, reader and its code, by the name of its figures"""
CHILD = """
import sys, time
path, code = sys.argv[1:]
exec(code.split(';')[0])  # the imports are not counted
begin = time.process_time()
exec(code)
spent = time.process_time() - begin
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(n, spent, int(peak) / 2**20)
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
    parser = option(argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter))
    parser.add_argument("rows", nargs="?", type=int, default=ROWS)
    options, figures = parser.parse_args(), dict[str, float]()
    if options.keep and options.rows != ROWS:
        parser.error(f"the figures that are kept are those of {ROWS:,} rows; leave out ROWS or --keep")
    one_core()
    table = Table(title=f"reading {options.rows:,} one-minute bars", title_justify="left")
    for heading in ("file", "reader", "seconds", "rows/s", "peak GB"):
        table.add_column(heading, justify="left" if heading in ("file", "reader") else "right")
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder), options.rows)
        for name, (kind, reader, code) in READERS.items():
            count, seconds, memory = measure(files[kind], code)
            figures |= {f"{name}_seconds": seconds, f"{name}_gb": memory}
            size = f"{kind} ({files[kind].stat().st_size / 1e6:,.0f} MB)"
            table.add_row(size, reader, f"{seconds:.2f}", f"{count / seconds:,.0f}", f"{memory:.2f}")
    Console(width=100).print(table)
    if options.keep:
        keep("market", figures)


def write_files(folder: Path, rows: int) -> dict[str, Path]:
    """The same bars as CSV in Kaggle's layout and as our Parquet."""
    frame = minute_bars(rows)
    kaggle = frame.set_axis(["Open", "High", "Low", "Close", "Volume_(BTC)", "Volume_(Currency)"], axis=1)
    kaggle.insert(0, "Timestamp", pd.DatetimeIndex(frame.index).as_unit("s").asi8)
    path = folder / "bars.csv"
    kaggle.to_csv(path, index=False)
    write_parquet(frame, path.with_suffix(".parquet"), "BTC/USD", "a benchmark", pd.Timedelta("1min"))
    return {"csv": path, "parquet": path.with_suffix(".parquet")}


if __name__ == "__main__":
    main()
