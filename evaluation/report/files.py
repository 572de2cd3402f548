"""The files of a backtest beside its metrics: tables, figures and the page."""

import re
from pathlib import Path

from common import write_atomically
from evaluation.backtest.names import AGENT
from evaluation.backtest.outcome import Outcome
from evaluation.report.page import write_report
from evaluation.report.png_figures import draw_figures


def write_files(folder: Path, outcome: Outcome) -> None:
    """Write `trades.csv`, `monthly.csv`, `figures/` and `report.html`."""
    write_atomically(folder / "trades.csv", outcome.episodes[AGENT].trades.to_csv(index=False))
    write_atomically(folder / "monthly.csv", outcome.monthly.to_csv(index_label="month"))
    draw_figures(outcome, folder / "figures")
    write_report(folder / "report.html", outcome)


def folder_of_coin(run: Path, symbol: str) -> Path:
    """Where a run of several coins keeps the files of one, such as `coins/BTC-USD`."""
    return run / "coins" / re.sub("[^A-Za-z0-9]+", "-", symbol)
