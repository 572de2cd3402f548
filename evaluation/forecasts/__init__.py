"""Forecasters as experiments: trained into a run folder, compared with the last value, regularised, drawn."""

from evaluation.forecasts.regularization import (
    conclude,
    describe,
    jobs_of,
    penalties_in_words,
    read_results,
    require_network,
    run_in_processes,
    run_jobs,
)
from evaluation.forecasts.runs import begin, plot, range_of, read_task, report, require_trainable, save, teach, train, trained
from evaluation.forecasts.scores import COMPARED, LAST_VALUE, Comparison, ForecastScore, compare, read_comparison

__all__ = [
    "COMPARED", "LAST_VALUE", "Comparison", "ForecastScore", "begin", "compare", "conclude", "describe", "jobs_of",
    "penalties_in_words", "plot", "range_of", "read_comparison", "read_results", "read_task", "report", "require_network",
    "require_trainable", "run_in_processes", "run_jobs", "save", "teach", "train", "trained",
]  # fmt: skip
