"""Features on the command line.

python -m features stationarity FILE                              test every column, raw and differenced, and draw it
python -m features correlation FILE                               which indicators remain and which are dropped, and a heatmap
python -m features columns FILE                                   the columns of the default pipeline, fitted on train
python -m features indicators                                     the names that --features.indicators may have
python -m features stationarity --simulate bitcoin --bars 5000    the same of a simulated market
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from common import CommandParser, InputError, exit_code, load_plugins, needed_for
from features.correlation import Choice
from features.fitted import FittedFeatures
from features.fractional import fractional_differences, warmup
from features.indicators import INDICATORS
from features.log_differences import log_differences
from features.pipeline import FeaturePipeline, choose_indicators
from features.plugin_kinds import FEATURE_KINDS
from features.progress import progress_shown
from features.settings import FeatureSettings
from features.stationarity_tests import (
    KPSS_RANGE,
    TESTED_BARS,
    Stationarity,
    draw_stationarity,
    judge,
    p_in_words,
    smallest_order,
)
from market import MARKET_KINDS, Candles, SplitSettings, bar_name, read_candles, simulate, split

CONSOLE = Console(soft_wrap=True, highlight=False)
MOST_BARS = 50_000
"""most bars that are tested: the ADF regression of a million bars needs gigabytes"""
ADVISED = ("close", "volume")
EXPLANATION = """\
ADF: the null hypothesis is a unit root; p < 0.05 rejects it, so the column is stationary. Lags by Schwert's rule.
KPSS: the null hypothesis is stationary around a constant; p < 0.05 rejects it. Its table ends at 0.01 and 0.10.
The tests disagree where both reject (long memory, breaks, changing levels) or neither does (too little to tell)."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all is well, 2 for wrong input."""
    options = _parser().parse_args(arguments)
    with progress_shown():
        return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    load_plugins(options.plugin, (*MARKET_KINDS, *FEATURE_KINDS))
    return int(options.run(options))


def _stationarity(options: argparse.Namespace) -> int:
    candles = _enough(_candles(options), warmup(options.order, options.threshold))
    if len(candles) > MOST_BARS:
        CONSOLE.print(f"tested are the last {MOST_BARS:,} of {len(candles):,} bars")
        candles = candles[-MOST_BARS:]
    forms = {
        "level": candles.frame,
        "log difference": log_differences(candles),
        f"fractional {options.order:g}": fractional_differences(candles, options.order, options.threshold),
    }
    CONSOLE.print(_table(candles, forms))
    CONSOLE.print(EXPLANATION)
    CONSOLE.print(_advice(candles, options.threshold))
    draw_stationarity(candles, options.out)
    CONSOLE.print(f"close, differenced and log-differenced: {options.out}")
    return 0


def _enough(candles: Candles, warmup_bars: int) -> Candles:
    needed = warmup_bars + TESTED_BARS
    if len(candles) < needed:
        raise InputError(
            f"the tests need {needed} bars, {TESTED_BARS} after a warm-up of {warmup_bars}, but got {len(candles)} of "
            f"{candles.source}; give more, or raise --order or --threshold"
        )
    return candles


def _table(candles: Candles, forms: dict[str, pd.DataFrame]) -> Table:
    """Three rows a column, one a form: fits 80 characters."""
    span = f"{candles.index[0]:%Y-%m-%d %H:%M} to {candles.index[-1]:%Y-%m-%d %H:%M}"
    title = f"{len(candles):,} bars of {bar_name(candles.bar)}, {span}\n{candles.source}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("column")
    table.add_column("form")
    for heading in ("ADF", "p", "lags", "KPSS", "p"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for position, name in enumerate(candles.frame.columns):
        table.add_row()
        for form, frame in forms.items():
            result = judge(frame.iloc[:, position].dropna().to_numpy())
            table.add_row(name if frame is candles.frame else "", form, *_cells(result))
    table.add_row()
    return table


def _cells(result: Stationarity) -> list[str]:
    if np.isnan(result.adf):
        return ["-"] * 5 + [result.verdict]
    kpss = [f"{result.kpss:.3f}", p_in_words(result.kpss_p, *KPSS_RANGE)]
    return [f"{result.adf:.2f}", p_in_words(result.adf_p), f"{result.adf_lags}", *kpss, result.verdict]


def _advice(candles: Candles, threshold: float) -> str:
    """Found on the train range alone, as everything that is chosen."""
    train = candles[: round(SplitSettings().train * len(candles))]
    differences = log_differences(train)
    orders = {name: smallest_order(differences[f"d_log_{name}"].to_numpy(), threshold=threshold) for name in ADVISED}
    told = ", ".join(f"{name} {'none' if order is None else f'{order:g}'}" for name, order in orders.items())
    return f"Smallest fractional order from which on the ADF rejects, on the first {len(train):,} bars (train): {told}."


def _correlation(options: argparse.Namespace) -> int:
    train = split(_candles(options)).train.own
    settings = FeatureSettings(keep_indicators=options.keep)
    choice = choose_indicators([train], settings)
    CONSOLE.print(
        f"{train.source}, its first {len(train):,} bars (train): {len(choice.kept)} of {len(INDICATORS)} indicators remain"
    )
    CONSOLE.print(_choice_in_words(choice))
    with needed_for("the heatmap"):
        from features.correlation_heatmap import draw_heatmap
    draw_heatmap(choice, options.out)
    CONSOLE.print(f"heatmap: {options.out}")
    return 0


def _choice_in_words(choice: Choice) -> Table:
    """A row a group; each dropped column with its mean absolute rank correlation with what then remained."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("group", "kept", "dropped, the most correlated first"):
        table.add_column(heading, vertical="top")
    for group in dict.fromkeys(choice.groups.values()):
        kept = [name for name in choice.kept if choice.groups[name] == group]
        dropped = [f"{name}:{figure:.2f}" for name, figure in choice.dropped if choice.groups[name] == group]
        table.add_row(group, ", ".join(kept), ", ".join(dropped))
        table.add_row()
    return table


def _columns(options: argparse.Namespace) -> int:
    train = split(_candles(options)).train.own
    fitted = FeaturePipeline().fit(train)
    CONSOLE.print(f"{train.source}, fitted on its first {len(train):,} bars (train)")
    CONSOLE.print(_columns_table(fitted))
    CONSOLE.print(fitted.in_words)
    CONSOLE.print(f"dropped: {', '.join(fitted.dropped)}")
    return 0


def _columns_table(fitted: FittedFeatures) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("column")
    for heading in ("memory, bars", "center", "scale"):
        table.add_column(heading, justify="right")
    for name, memory, center, scale in zip(fitted.names, fitted.memory, fitted.center, fitted.scale, strict=True):
        table.add_row(name, f"{memory:,}", f"{center:.4g}", f"{scale:.4g}")
    return table


def _candles(options: argparse.Namespace) -> Candles:
    """The candles that the options of `_takes_candles` ask for."""
    if (options.file is None) == (options.simulate is None):
        raise InputError("name either a candle file or `--simulate NAME`, and not both")
    if options.bars is not None and options.bars < 1:
        raise InputError(f"`--bars` must be 1 or more, but got {options.bars}")
    if options.simulate is not None:
        return simulate(options.simulate, options.bars or 20_000, options.seed)
    candles = read_candles(options.file, options.repair)
    return candles if options.bars is None else candles[-options.bars :]


def _indicators(options: argparse.Namespace) -> int:
    """Groups are those in which correlated ones are dropped."""
    for group in dict.fromkeys(indicator.group for indicator in INDICATORS.values()):
        print(f"{group}: {', '.join(name for name, indicator in INDICATORS.items() if indicator.group == group)}")
    return 0


def _takes_plugins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help="an indicator or family of your own")


def _takes_candles(parser: argparse.ArgumentParser) -> None:
    _takes_plugins(parser)
    parser.add_argument("file", type=Path, nargs="?", help="candle file")
    parser.add_argument("--repair", action="store_true", help="mend the file by rule instead of refusing it")
    parser.add_argument("--simulate", metavar="NAME", help="a simulated market instead of a file")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated market (%(default)s)")
    parser.add_argument("--bars", type=int, help="the file's last bars only, or the simulated market's length (20000)")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(prog="python -m features", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    text = "test every column for stationarity, as it is and differenced, and draw it"
    added = commands.add_parser("stationarity", help=text, description=text)
    _takes_candles(added)
    added.add_argument("--order", type=float, default=0.4, help="of fractional differencing (%(default)s)")
    added.add_argument("--threshold", type=float, default=1e-4, help="smaller weights are cut off (%(default)s)")
    added.add_argument("--out", type=Path, default=Path("runs/stationarity.png"), help="picture to write (%(default)s)")
    added.set_defaults(run=_stationarity)
    text = "choose the indicators that correlate least on train, and draw the heatmap"
    added = commands.add_parser("correlation", help=text, description=text)
    _takes_candles(added)
    keep = FeatureSettings().keep_indicators
    added.add_argument("--keep", type=int, default=keep, help="indicators that remain (%(default)s)")
    added.add_argument("--out", type=Path, default=Path("runs/correlation.png"), help="picture to write (%(default)s)")
    added.set_defaults(run=_correlation)
    text = "fit the default pipeline on train and list its columns"
    added = commands.add_parser("columns", help=text, description=text)
    _takes_candles(added)
    added.set_defaults(run=_columns)
    text = "the names of all indicators, group by group"
    added = commands.add_parser("indicators", help=text, description=text)
    _takes_plugins(added)
    added.set_defaults(run=_indicators)
    return parser


if __name__ == "__main__":
    sys.exit(main())
