"""Training with validation, the search, metrics, test-range ledger, the backtest, the leak audit, pictures, oracles.

Imports the rooms below.
"""

from evaluation import forecasts
from evaluation.audit import AuditReport, Finding, leak_audit
from evaluation.backtest import AGENT, backtest, in_words, oracle_growth, random_like, share_in_words
from evaluation.bootstrap import block_length, iqm, resampled_means
from evaluation.episode import Episode, play
from evaluation.figures import draw_net_worth, draw_trades
from evaluation.foresight import Foresight, PerfectForesight, perfect_foresight
from evaluation.intervals import intervals
from evaluation.ledger import TestLedger
from evaluation.metrics import FIGURES, Metrics, format_figure, growth_error, log_growth, metrics, round_trips
from evaluation.objective import Objective, direction_of, figure_of
from evaluation.oracle import (
    ORACLES,
    BestPolicy,
    OraclePolicy,
    best_policy,
    hidden_regimes_policy,
    ou_policy,
    regime_beliefs,
    regimes_gain,
    sine_gain,
)
from evaluation.outcome import Outcome
from evaluation.processes import run_side_by_side
from evaluation.record import TrainingRecord
from evaluation.report import figures_table, write_report
from evaluation.runs import RunError, hash_of, new_run, newest_run, require_data_of, seeds_of, write_json
from evaluation.selection import searched_before
from evaluation.settings import SearchSettings, TrainSettings
from evaluation.significance import (
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record_length,
    probabilistic_sharpe,
    probability_of_overfitting,
    sharpe_moments,
)
from evaluation.storage import StudyError
from evaluation.study import best_trial, find_study, finished_trials, open_study, run_study, settings_of, trials_on
from evaluation.timing import Timing, timing_of
from evaluation.training import Trained, TrainingDiverged, Validation, train_agent
from evaluation.value_iteration import SwitchingPolicy, stationary_distribution, switching_policy
from evaluation.verdict import Verdict, judge

__all__ = [
    "AGENT", "FIGURES", "ORACLES", "AuditReport", "BestPolicy", "Episode", "Finding", "Foresight", "Metrics", "Objective",
    "OraclePolicy", "Outcome", "PerfectForesight", "RunError", "SearchSettings", "StudyError", "SwitchingPolicy", "TestLedger",
    "Timing", "TrainSettings", "Trained", "TrainingDiverged", "TrainingRecord", "Validation", "Verdict", "backtest",
    "best_policy", "best_trial", "block_length", "deflated_sharpe", "direction_of", "draw_net_worth", "draw_trades",
    "expected_max_sharpe", "figure_of", "figures_table", "find_study", "finished_trials", "forecasts", "format_figure",
    "growth_error", "hash_of", "hidden_regimes_policy", "in_words", "intervals", "iqm", "judge", "leak_audit", "log_growth",
    "metrics", "min_track_record_length", "new_run", "newest_run", "open_study", "oracle_growth", "ou_policy",
    "perfect_foresight", "play", "probabilistic_sharpe", "probability_of_overfitting", "random_like", "regime_beliefs",
    "regimes_gain", "require_data_of", "resampled_means", "round_trips", "run_side_by_side", "run_study", "searched_before",
    "seeds_of", "selection_of", "settings_of", "share_in_words", "sharpe_moments", "sine_gain", "stationary_distribution",
    "switching_policy", "timing_of", "train_agent", "trials_on", "write_json", "write_report",
]  # fmt: skip
