"""The files of a backtest beside its metrics: tables, figures and the page."""

import re
from pathlib import Path

from common import write_atomically
from evaluation.backtest.names import AGENT
from evaluation.backtest.outcome import Outcome
from evaluation.report.csv_columns import net_worth_columns, trade_columns, write_csv
from evaluation.report.page import write_report
from evaluation.report.png_figures import draw_figures


def write_files(folder: Path, outcome: Outcome) -> None:
    """Write the tables, `figures/` and `report.html`."""
    write_tables(folder, outcome)
    draw_figures(outcome, folder / "figures")
    write_report(folder / "report.html", outcome)


def write_tables(folder: Path, outcome: Outcome) -> None:
    """Write `net_worth.csv`, `trades.csv` and `monthly.csv`; docs/evaluation.md names their columns."""
    write_csv(folder / "net_worth.csv", net_worth_columns(outcome))
    write_csv(folder / "trades.csv", trade_columns(outcome.episodes[AGENT]))
    write_atomically(folder / "monthly.csv", outcome.monthly.to_csv(index_label="month"))


def folder_of_coin(run: Path, symbol: str) -> Path:
    """Where a run of several coins keeps the files of one, such as `coins/BTC-USD`."""
    return run / "coins" / re.sub("[^A-Za-z0-9]+", "-", symbol)
