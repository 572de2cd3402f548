from .attributes import describe_in_dashboard as describe_in_dashboard
from .errors import StudyError as StudyError
from .messages import (
    against_cash as against_cash,
    describe_best as describe_best,
    describe_study as describe_study,
    describe_trial as describe_trial,
    judged_by as judged_by,
    newly_ended as newly_ended,
)
from .objective import Objective as Objective, figure_of as figure_of
from .overfitting import (
    note_bars as note_bars,
    returns_of as returns_of,
    searched_before as searched_before,
    searched_before_on as searched_before_on,
    write_down as write_down,
    write_down_trial as write_down_trial,
)
from .settings import LOG_GROWTH as LOG_GROWTH, SearchSettings as SearchSettings
from .storage import shown as shown
from .studies import (
    StudySummary as StudySummary,
    delete_study as delete_study,
    require_study as require_study,
    studies_in as studies_in,
    studies_table as studies_table,
    study_to_delete as study_to_delete,
)
from .study import (
    best_trial as best_trial,
    find_study as find_study,
    finished_trials as finished_trials,
    folds_of as folds_of,
    has_settings as has_settings,
    identity_of as identity_of,
    keep_settings as keep_settings,
    kept_settings as kept_settings,
    open_study as open_study,
    run_study as run_study,
    settings_of as settings_of,
)
from .study_figures import draw_study as draw_study
from .workers import run_on_dask as run_on_dask, run_workers as run_workers, share_of_cores as share_of_cores, stay_on as stay_on
