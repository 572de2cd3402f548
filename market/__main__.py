"""Candle files on the command line.

python -m market check FILE                          every problem, with its count and first places
python -m market repair IN OUT.parquet [--verbose]   mend by rule, say what was done
python -m market resample FILE 1d OUT.parquet
python -m market split FILE FOLDER                   one file for each coin of a file of several
python -m market simulate ou OUT.parquet --bars 20000 --seed 0
python -m market download coinbaseexchange BTC/USD 1h --since 2017-01-01 OUT.parquet
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from common import CommandParser, InputError, exit_code, load_plugins, printable, spelled
from market.bar_grid import bar_name, parse_bar
from market.candles import COLUMNS, CandleError, Candles
from market.checks import JUMP_DEVIATIONS, Problem, Report, check
from market.download import download, progress_bar
from market.layouts import read_table
from market.plugin_kinds import MARKET_KINDS
from market.raw_table import Raw, read_raw
from market.read import read_and_repair, read_candles
from market.read_options import MAX_FILLED_BARS, DateOrder, ReadOptions, TimeMeaning, VolumeUnit
from market.resampling import resample
from market.simulation.markets import simulate
from market.symbols import coins_of, file_names, money_of
from market.write import write_candles

CONSOLE = Console(soft_wrap=True, highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all is well, 1 if `check` found errors, 2 for wrong input."""
    options = _parser().parse_args(arguments)
    with spelled(_as_an_option):
        return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    load_plugins(getattr(options, "plugin", ()), MARKET_KINDS)
    return int(options.run(options))


def _as_an_option(setting: str, value: object) -> str:
    """How these commands are told what a script is told with `--market.symbol`."""
    if setting == "market.repair":
        return "python -m market repair FILE OUT.parquet"
    return f"--{setting.removeprefix('market.').replace('_', '-')} {value}"


def _check(options: argparse.Namespace) -> int:
    report = check(read_raw(options.file, _read_options(options)), options.jump_deviations)
    raw = report.raw
    known = pd.Series(raw.time).dropna()
    span = f"{known.min():%Y-%m-%d %H:%M} to {known.max():%Y-%m-%d %H:%M}" if len(known) else "no readable time"
    CONSOLE.print(f"{raw.path}: {raw.layout}, {len(raw):,} rows of {bar_name(report.bar)} bars, {escape(raw.symbol)}, {span}")
    _print_reading(raw)
    for problem in report.problems:
        CONSOLE.print(escape(printable(_in_words(report, problem))))
    errors = len(report.errors)
    verdict = "read_candles refuses this file" if errors else "read_candles reads this file"
    CONSOLE.print(f"{errors} kinds of error, {len(report.problems) - errors} of warning: {verdict}")
    return 1 if errors else 0


def _print_reading(raw: Raw) -> None:
    """What each column was read as, and the first and last bar, so that a wrong reading is seen at once."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="")
    for heading in ("column", "read as"):
        table.add_column(heading, overflow="fold")
    for column, meaning in raw.read_as.items():
        table.add_row(escape(printable(column)), escape(printable(meaning)))
    CONSOLE.print(table)
    for note in raw.notes:
        CONSOLE.print(f"note: {escape(printable(note))}")
    CONSOLE.print(f"volume: {escape(raw.volume_unit)}{_turnover(raw)}")
    for name, row in (("first", 0), ("last", -1)) if len(raw) else ():
        order = np.argsort(raw.time, kind="stable")
        bar, time = raw.frame.iloc[order[row]], raw.time[order[row]]
        if np.isnat(time):
            continue
        shown = ", ".join(f"{column} {bar[column]:,.10g}" for column in COLUMNS if np.isfinite(bar[column]))
        CONSOLE.print(f"{name} bar: {pd.Timestamp(time):%Y-%m-%d %H:%M} UTC, {shown}")


def _turnover(raw: Raw) -> str:
    """Money a bar, which a wrong unit makes absurd."""
    if not raw.has_volumes:
        return ""
    usual = (raw.frame["volume"] * raw.frame["close"]).median()
    return f"; half of all bars turn over more than {usual:,.0f} {money_of(raw.symbol) or 'of money'}"


def _read_options(options: argparse.Namespace) -> ReadOptions:
    return ReadOptions(options.symbol, options.volume, options.timezone, options.times, options.dates)


def _in_words(report: Report, problem: Problem) -> str:
    """The rule and the count, then the first place and what it has, then further places, then what to do."""
    first, *others = (report.where(int(row)) for row in problem.rows)
    lines = [f"{problem.severity}: {problem.rule}; {problem.count:,} do not", f"  {first} {problem.detail}"]
    if others:
        more = ", ..." if problem.count > len(problem.rows) else ""
        lines.append(f"  also {', '.join(others)}{more}")
    if problem.remedy:
        lines.append(f"  what to do: {problem.remedy}")
    return "\n".join(lines)


def _repair(options: argparse.Namespace) -> int:
    if options.out.exists() and options.out.samefile(options.file):
        raise InputError(
            f"the file that is repaired is never written to, but {options.out} is the same one; name another file to write"
        )
    candles, changes = read_and_repair(options.file, options.max_fill, _read_options(options))
    for change in changes:
        CONSOLE.print(f"{change}")
        if options.verbose:
            for time in change.times:
                CONSOLE.print(f"  {pd.Timestamp(time):%Y-%m-%d %H:%M}")
    if not changes:
        CONSOLE.print("nothing to mend")
    return _write(candles, options.out)


def _resample(options: argparse.Namespace) -> int:
    given = dict(_pair(text, "--extra funding_rate=sum") for text in options.extra)
    candles = resample(_read(options), parse_bar(options.bar), given)
    CONSOLE.print(escape(candles.source))
    return _write(candles, options.out)


def _split(options: argparse.Namespace) -> int:
    coins = coins_of(read_table(options.file))
    if not coins:
        raise CandleError(f"{options.file} holds one coin; there is nothing to split")
    for coin, name in file_names(coins).items():
        options.symbol = coin
        _write(_read(options), options.folder / f"{name}.parquet")
    return 0


def _read(options: argparse.Namespace) -> Candles:
    told = _read_options(options)
    return read_candles(
        options.file, symbol=told.symbol, volume=told.volume, timezone=told.timezone, times=told.times, dates=told.dates
    )


def _pair(text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"it is given as name=value, such as {example}, but got {text!r}")
    return name, value


def _simulate(options: argparse.Namespace) -> int:
    params = {}
    for text in options.param:
        name, _, value = text.partition("=")
        try:
            params[name] = float(value)
        except ValueError:
            raise InputError(f"a parameter is given as name=number, such as --param edge=0.5, but got {text!r}") from None
    return _write(simulate(options.name, options.bars, options.seed, **params), options.out)


def _download(options: argparse.Namespace) -> int:
    since = _day(options.since)
    with progress_bar(since) as (on_progress, on_note):
        done = download(
            options.exchange, options.symbol, options.bar, since, options.out, on_progress=on_progress, on_note=on_note
        )
    CONSOLE.print(f"{done}")
    return 0


def _write(candles: Candles, path: Path) -> int:
    write_candles(candles, path)
    CONSOLE.print(f"{len(candles):,} bars of {bar_name(candles.bar)} in {path}, sha256 {candles.sha256[:12]}")
    return 0


def _day(text: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(text, tz="UTC")
    except ValueError:
        raise InputError(f"`--since` must be a date such as 2017-01-01, but got {text!r}") from None


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(prog="python -m market", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str, *arguments: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        for argument in arguments:
            added.add_argument(argument, type=Path if argument in ("file", "out", "folder") else str)
        if "file" in arguments:
            _add_read_options(added)
        if "file" in arguments or name == "simulate":
            added.add_argument("--plugin", action="append", default=[], metavar="FILE", help="a layout or market of your own")
        added.set_defaults(run=run)
        return added

    added = command("check", _check, "report every problem of a candle file", "file")
    added.add_argument("--jump-deviations", type=float, default=JUMP_DEVIATIONS, help="warn of moves beyond this (%(default)g)")
    added = command("repair", _repair, "mend a candle file by rule and write it anew", "file", "out")
    added.add_argument("--max-fill", type=int, default=MAX_FILLED_BARS, help="longest gap to fill, in bars (%(default)s)")
    added.add_argument("--verbose", action="store_true", help="name every bar that was changed")
    added = command("resample", _resample, "make longer bars", "file", "bar", "out")
    added.add_argument("--extra", action="append", default=[], metavar="NAME=RULE", help="last, sum or mean of an extra column")
    command("split", _split, "write one Parquet file for each coin of a file of several", "file", "folder")
    added = command("simulate", _simulate, "write a simulated market", "name", "out")
    added.add_argument("--bars", type=int, default=20_000, help="number of bars (%(default)s)")
    added.add_argument("--seed", type=int, default=0, help="seed (%(default)s)")
    added.add_argument("--param", action="append", default=[], metavar="NAME=NUMBER", help="a market's parameter; repeatable")
    text = "download candles from an exchange, or go on with it"
    added = command("download", _download, text, "exchange", "symbol", "bar", "out")
    added.add_argument("--since", required=True, help="first day, UTC")
    return parser


def _add_read_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--symbol", help="which coin of several, or the name of the one in a file that names none")
    parser.add_argument("--volume", choices=get_args(VolumeUnit), help="whether the volume is in coin or in money")
    parser.add_argument("--timezone", metavar="ZONE", help="of times without a zone, such as America/New_York")
    parser.add_argument("--times", choices=get_args(TimeMeaning), help="whether times are those at which bars open or close")
    parser.add_argument("--dates", choices=get_args(DateOrder), help="what 03/04/2019 is")


if __name__ == "__main__":
    sys.exit(main())
