from .interaction_runs import (
    InteractionTask as InteractionTask,
    begin_interactions as begin_interactions,
    judge_interactions as judge_interactions,
    load_files as load_files,
    predict_file as predict_file,
    resume_interactions as resume_interactions,
    show_interactions as show_interactions,
    teach_interactions as teach_interactions,
)
from .interaction_scores import (
    InteractionComparison as InteractionComparison,
    auc as auc,
    compare_interactions as compare_interactions,
    logloss as logloss,
)
from .regularization import (
    conclude as conclude,
    describe as describe,
    jobs_of as jobs_of,
    penalties_in_words as penalties_in_words,
    read_results as read_results,
    require_network as require_network,
    run_in_processes as run_in_processes,
    run_jobs as run_jobs,
)
from .rise_scores import RiseComparison as RiseComparison, RiseScore as RiseScore, compare_rises as compare_rises
from .runs import (
    begin as begin,
    plot as plot,
    range_of as range_of,
    read_task as read_task,
    report as report,
    require_trainable as require_trainable,
    save as save,
    teach as teach,
    train as train,
    trained as trained,
)
from .scores import (
    LAST_VALUE as LAST_VALUE,
    Comparison as Comparison,
    ForecastScore as ForecastScore,
    compare as compare,
    compared as compared,
    last_value as last_value,
    read_comparison as read_comparison,
)
