from .errors import StudyError as StudyError
from .messages import (
    against_cash as against_cash,
    describe_best as describe_best,
    describe_study as describe_study,
    describe_trial as describe_trial,
    newly_ended as newly_ended,
)
from .objective import Objective as Objective, figure_of as figure_of
from .overfitting import (
    note_bars as note_bars,
    searched_before as searched_before,
    searched_before_on as searched_before_on,
    write_down as write_down,
    write_down_trial as write_down_trial,
)
from .settings import LOG_GROWTH as LOG_GROWTH, SearchSettings as SearchSettings
from .study import (
    best_trial as best_trial,
    find_study as find_study,
    finished_trials as finished_trials,
    open_study as open_study,
    run_study as run_study,
    settings_of as settings_of,
)
from .study_figures import draw_study as draw_study
from .workers import run_on_dask as run_on_dask, run_workers as run_workers, share_of_cores as share_of_cores, stay_on as stay_on
