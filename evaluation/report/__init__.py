"""The outcome of a backtest for people: a page, and a table in the terminal."""

from evaluation.report.page import write_report
from evaluation.report.table import figures_table

__all__ = ["figures_table", "write_report"]
