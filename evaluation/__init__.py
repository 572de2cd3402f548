"""Training with validation, the search, metrics, test-range ledger, the backtest, the leak audit, pictures, oracles.

Imports the rooms below.
"""

from evaluation import forecasts
from evaluation.audit import AuditReport, Finding, leak_audit
from evaluation.backtest import AGENT, BUY_AND_HOLD, WALK_FORWARD, Contest, backtest, in_words, random_like, share_in_words
from evaluation.bootstrap import block_length, iqm, resampled_means
from evaluation.conclusion import as_json, conclude
from evaluation.episode import Episode, play, play_on
from evaluation.figures import draw_figures
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
from evaluation.periods import growths, monthly_returns, windows
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
from evaluation.storage import StudyError, shown
from evaluation.study import (
    best_trial,
    find_study,
    finished_trials,
    open_study,
    run_study,
    running_trials,
    settings_of,
    trials_on,
)
from evaluation.study_report import draw_study
from evaluation.study_words import describe_best, describe_study, describe_trial, newly_ended
from evaluation.timing import Timing, timing_of
from evaluation.trained_run import TrainedRun
from evaluation.training import Trained, TrainingDiverged, Validation, train_agent
from evaluation.value_iteration import SwitchingPolicy, stationary_distribution, switching_policy
from evaluation.verdict import Verdict, judge
from evaluation.walk_forward import WalkForward, walk_forward
from evaluation.workers import run_on_dask, run_workers, share_of_cores, stay_on

__all__ = [
    "AGENT", "BUY_AND_HOLD", "FIGURES", "ORACLES", "WALK_FORWARD", "AuditReport", "BestPolicy", "Contest", "Episode", "Finding",
    "Foresight", "Metrics", "Objective", "OraclePolicy", "Outcome", "PerfectForesight", "RunError", "SearchSettings",
    "StudyError", "SwitchingPolicy", "TestLedger", "Timing", "TrainSettings", "Trained", "TrainedRun", "TrainingDiverged",
    "TrainingRecord", "Validation", "Verdict", "WalkForward", "as_json", "backtest", "best_policy", "best_trial",
    "block_length", "conclude", "deflated_sharpe", "describe_best", "describe_study", "describe_trial", "direction_of",
    "draw_figures", "draw_study", "expected_max_sharpe", "figure_of", "figures_table", "find_study", "finished_trials",
    "forecasts", "format_figure", "growth_error", "growths", "hash_of", "hidden_regimes_policy", "in_words", "intervals", "iqm",
    "judge", "leak_audit", "log_growth", "metrics", "min_track_record_length", "monthly_returns", "new_run", "newest_run",
    "newly_ended", "open_study", "ou_policy", "perfect_foresight", "play", "play_on", "probabilistic_sharpe",
    "probability_of_overfitting", "random_like", "regime_beliefs", "regimes_gain", "require_data_of", "resampled_means",
    "round_trips", "run_on_dask", "run_side_by_side", "run_study", "run_workers", "running_trials", "searched_before",
    "seeds_of", "settings_of", "share_in_words", "share_of_cores", "sharpe_moments", "shown", "sine_gain",
    "stationary_distribution", "stay_on", "switching_policy", "timing_of", "train_agent", "trials_on", "walk_forward",
    "windows", "write_json", "write_report",
]  # fmt: skip
