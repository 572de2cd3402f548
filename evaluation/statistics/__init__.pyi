from .active_return import ActiveReturn as ActiveReturn, active_return_of as active_return_of, split_return as split_return
from .average_cost import STILL_OPEN as STILL_OPEN, round_trips as round_trips, trade_list as trade_list
from .bootstrap import block_length as block_length, iqm as iqm, resampled_means as resampled_means
from .bootstrap_intervals import intervals as intervals
from .figures_of_merit import (
    FIGURES as FIGURES,
    Metrics as Metrics,
    format_figure as format_figure,
    growth_error as growth_error,
    log_growth as log_growth,
    metrics as metrics,
)
from .sharpe_tests import (
    deflated_sharpe as deflated_sharpe,
    expected_max_sharpe as expected_max_sharpe,
    min_track_record_length as min_track_record_length,
    probabilistic_sharpe as probabilistic_sharpe,
    probability_of_overfitting as probability_of_overfitting,
    sharpe_moments as sharpe_moments,
)
from .timing_tests import (
    TimingStatistics as TimingStatistics,
    edge_statistics as edge_statistics,
    harm_statistics as harm_statistics,
    timing_statistics as timing_statistics,
)
from .verdict import Evidence as Evidence, Verdict as Verdict, judge as judge, level_of as level_of
