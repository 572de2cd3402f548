"""Training with validation, the search, metrics, the test-range ledger, the backtest, its pictures. Imports the rooms below."""

from evaluation.backtest import AGENT, backtest, in_words
from evaluation.episode import Episode, play
from evaluation.figures import draw_net_worth, draw_trades
from evaluation.ledger import TestLedger
from evaluation.metrics import FIGURES, Metrics, format_figure, log_growth, metrics
from evaluation.report import write_report
from evaluation.runs import RunError, hash_of, new_run, newest_run, write_json
from evaluation.settings import SearchSettings, TrainSettings
from evaluation.study import StudyError, best_agent, differences, find_study, finished_trials, open_study, run_study
from evaluation.training import Trained, TrainingDiverged, Validation, train_agent

__all__ = [
    "AGENT", "FIGURES", "Episode", "Metrics", "RunError", "SearchSettings", "StudyError", "TestLedger", "TrainSettings",
    "Trained", "TrainingDiverged", "Validation", "backtest", "best_agent", "differences", "draw_net_worth", "draw_trades",
    "find_study", "finished_trials", "format_figure", "hash_of", "in_words", "log_growth", "metrics", "new_run", "newest_run",
    "open_study", "play", "run_study", "train_agent", "write_json", "write_report",
]  # fmt: skip
