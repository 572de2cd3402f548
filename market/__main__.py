"""Candle files on the command line.

python -m market check FILE                          every problem, with its count and first places
python -m market repair IN OUT.parquet [--verbose]   mend by rule, say what was done
python -m market resample FILE 1d OUT.parquet
python -m market simulate ou OUT.parquet --bars 20000 --seed 0
python -m market download coinbaseexchange BTC/USD 1h --since 2017-01-01 OUT.parquet
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console

from common import CommandParser, InputError, exit_code
from market.candles import Candles, bar_name
from market.checks import JUMP_DEVIATIONS, Problem, Report, check
from market.download import download, progress_bar
from market.layouts import read_raw
from market.read import read_and_repair, read_candles
from market.repair import MAX_FILLED_BARS
from market.resampling import parse_bar, resample
from market.simulation.markets import simulate
from market.write import write_candles

CONSOLE = Console(soft_wrap=True, highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all is well, 1 if `check` found errors, 2 for wrong input."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: int(options.run(options)))


def _check(options: argparse.Namespace) -> int:
    report = check(read_raw(options.file), options.jump_deviations)
    raw = report.raw
    known = pd.Series(raw.time).dropna()
    span = f"{known.min():%Y-%m-%d %H:%M} to {known.max():%Y-%m-%d %H:%M}" if len(known) else "no readable time"
    CONSOLE.print(f"{raw.path}: {raw.layout}, {len(raw):,} rows of {bar_name(report.bar)} bars, {raw.symbol}, {span}")
    for problem in report.problems:
        CONSOLE.print(_in_words(report, problem))
    errors = len(report.errors)
    verdict = "read_candles refuses this file" if errors else "read_candles reads this file"
    CONSOLE.print(f"{errors} kinds of error, {len(report.problems) - errors} of warning: {verdict}")
    return 1 if errors else 0


def _in_words(report: Report, problem: Problem) -> str:
    """The rule and the count, then the first place and what it has, then further places, then what to do."""
    first, *others = (report.where(int(row)) for row in problem.rows)
    lines = [f"{problem.severity}: {problem.rule}; {problem.count:,} do not", f"  {first} {problem.detail}"]
    if others:
        more = ", ..." if problem.count > len(problem.rows) else ""
        lines.append(f"  also {', '.join(others)}{more}")
    if problem.remedy:
        lines.append(f"  what to do: {problem.remedy.removeprefix('; ')}")
    return "\n".join(lines)


def _repair(options: argparse.Namespace) -> int:
    candles, changes = read_and_repair(options.file, options.max_fill)
    for change in changes:
        CONSOLE.print(f"{change}")
        if options.verbose:
            for time in change.times:
                CONSOLE.print(f"  {pd.Timestamp(time):%Y-%m-%d %H:%M}")
    if not changes:
        CONSOLE.print("nothing to mend")
    return _write(candles, options.out)


def _resample(options: argparse.Namespace) -> int:
    candles = resample(read_candles(options.file), parse_bar(options.bar))
    CONSOLE.print(candles.source)
    return _write(candles, options.out)


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
            added.add_argument(argument, type=Path if argument in ("file", "out") else str)
        added.set_defaults(run=run)
        return added

    added = command("check", _check, "report every problem of a candle file", "file")
    added.add_argument("--jump-deviations", type=float, default=JUMP_DEVIATIONS, help="warn of moves beyond this (%(default)g)")
    added = command("repair", _repair, "mend a candle file by rule and write it anew", "file", "out")
    added.add_argument("--max-fill", type=int, default=MAX_FILLED_BARS, help="longest gap to fill, in bars (%(default)s)")
    added.add_argument("--verbose", action="store_true", help="name every bar that was changed")
    command("resample", _resample, "make longer bars", "file", "bar", "out")
    added = command("simulate", _simulate, "write a simulated market", "name", "out")
    added.add_argument("--bars", type=int, default=20_000, help="number of bars (%(default)s)")
    added.add_argument("--seed", type=int, default=0, help="seed (%(default)s)")
    added.add_argument("--param", action="append", default=[], metavar="NAME=NUMBER", help="a market's parameter; repeatable")
    text = "download candles from an exchange, or go on with it"
    added = command("download", _download, text, "exchange", "symbol", "bar", "out")
    added.add_argument("--since", required=True, help="first day, UTC")
    return parser


if __name__ == "__main__":
    sys.exit(main())
