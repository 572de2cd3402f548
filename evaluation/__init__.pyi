from .audit import AuditReport as AuditReport, leak_audit as leak_audit
from .backtest import Contest as Contest, Outcome as Outcome, TrainedRun as TrainedRun, conclude as conclude
from .episode import Episode as Episode, floored as floored, play as play, play_on as play_on
from .oracles import best_policy as best_policy, perfect_foresight as perfect_foresight
from .report import draw_figures as draw_figures, figures_table as figures_table, write_report as write_report
from .statistics import (
    Metrics as Metrics,
    Verdict as Verdict,
    deflated_sharpe as deflated_sharpe,
    judge as judge,
    log_growth as log_growth,
    metrics as metrics,
    probabilistic_sharpe as probabilistic_sharpe,
    probability_of_overfitting as probability_of_overfitting,
)
