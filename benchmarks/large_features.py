"""Features of five million one-minute bars: seconds and peak memory, beside `ta`. A part of `benchmarks.features`.

Each row is a process of its own on one core, whose peak memory (Linux) is that of the whole process, candles included. Seconds
are those of the processor; imports and the making of the candles are not counted, but for train.py, whose every second is.
`ta` makes with `vectorized=True` the columns that it does not loop over in Python. Ours are the same columns and the six log
differences, scaled and checked.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from benchmarks.market import ROWS, write_files

ROOT = Path(__file__).parents[1]
BEGIN = f"""
import sys, time
from pathlib import Path
import pandas as pd
from benchmarks.features import LOOPS_OF_TA, NOT_OF_TA, columns_of_ta
from benchmarks.market import minute_bars
from features import INDICATORS, FeaturePipeline, FeatureSettings, FittedFeatures
from market import Candles
folder, bars = Path(sys.argv[1]), minute_bars({ROWS})
candles = Candles(bars, pd.Timedelta("1min"), "BTC/USD", "a random walk")
begin = time.process_time()
"""
END = """
print(time.process_time() - begin)
"""
PEER = """
names = [name for name in INDICATORS if name not in LOOPS_OF_TA | NOT_OF_TA]
few = {"calendar": False, "volatility_bars": (), "sarimax": {"forecast_len": 0}}
settings = FeatureSettings.model_validate(few | {"indicators": names, "keep_indicators": len(names)})
fitted = FeaturePipeline(settings).fit(candles[:10_000])
begin = time.process_time()
fitted.transform(candles)
"""
FRAMES = """
candles = candles[:{bars}]
settings = FeatureSettings(timeframes="{frames}")
FeaturePipeline(settings).fit(candles[:60_000]).transform(candles[:60_000])
begin = time.process_time()
fitted = FeaturePipeline(settings).fit(candles[: 6 * len(candles) // 10])
print(time.process_time() - begin)
begin = time.process_time()
fitted.transform(candles)
"""
FRAMED_BARS = 1_000_000
STAGES = {
    "fit": ("fit on 60 %", "FeaturePipeline().fit(candles[: 6 * len(candles) // 10]).save(folder)"),
    "transform": ("transform of all", "FittedFeatures.load(folder).transform(candles)"),
    "all": ("fit on all", "FeaturePipeline().fit(candles)"),
    "ta": ("ta, vectorized=True", "columns_of_ta(bars.reset_index(drop=True), True)"),
    "here": ("transform, the same columns", PEER),
}
"""what is shown and what is run, by the name of its figures"""
TRAIN = ("--no-study", "--train.steps", "20000", "--train.validations", "1")


class Measured(NamedTuple):
    """Of a process: what it printed, its processor seconds, and its peak memory in GB."""

    printed: str
    seconds: float
    gigabytes: float


def large(figures: dict[str, float]) -> Table:
    """Measure every row, and say what was measured."""
    table = Table(title=f"{ROWS:,} one-minute bars, a process each", title_justify="left")
    for heading in ("", "seconds", "peak GB"):
        table.add_column(heading, justify="right" if heading else "left")
    with tempfile.TemporaryDirectory() as folder:
        for name, (label, code) in STAGES.items():
            done = measured([sys.executable, "-c", BEGIN + code + END, folder], ROOT)
            add(table, figures, name, label, float(done.printed), done.gigabytes)
        file = write_files(Path(folder), ROWS)["parquet"]
        done = measured([sys.executable, str(ROOT / "train.py"), "--market.file", str(file), *TRAIN], Path(folder))
        add(table, figures, "train", f"train.py, {int(TRAIN[2]):,} steps, all of it", done.seconds, done.gigabytes)
    for unit in ("seconds", "gb"):
        figures[f"large_ta_{unit}_times"] = figures[f"large_ta_{unit}"] / figures[f"large_here_{unit}"]
    return table


def longer_frames(figures: dict[str, float]) -> Table:
    """The default pipeline without and with longer time frames: a fit on 60 % and a transform of all, compiled before."""
    table = Table(title=f"{FRAMED_BARS:,} one-minute bars, a process each", title_justify="left")
    for heading in ("time frames", "fit, s", "transform, s"):
        table.add_column(heading, justify="right" if heading != "time frames" else "left")
    for name, frames in (("without", ""), ("with", "5min,1h,1d")):
        code = BEGIN + FRAMES.format(bars=FRAMED_BARS, frames=frames) + END
        done = measured([sys.executable, "-c", code, ""], ROOT)
        fit, transform = map(float, done.printed.split())
        figures |= {f"timeframes_{name}_fit_seconds": fit, f"timeframes_{name}_transform_seconds": transform}
        table.add_row(frames or "none", f"{fit:.1f}", f"{transform:.1f}")
    return table


def add(table: Table, figures: dict[str, float], name: str, label: str, seconds: float, gigabytes: float) -> None:
    """A row, and its figures.

    Args:
        table: gets the row.
        figures: get `large_NAME_seconds` and `large_NAME_gb`.
        name: of the figures.
        label: of the row.
        seconds: of the processor.
        gigabytes: the peak.
    """
    figures |= {f"large_{name}_seconds": seconds, f"large_{name}_gb": gigabytes}
    table.add_row(label, f"{seconds:.1f}", f"{gigabytes:.2f}")


def measured(command: list[str], folder: Path) -> Measured:
    """Run a command to its end in a folder."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, printed)
    return Measured(printed, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20)
