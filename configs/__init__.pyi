from .command_line import (
    DEFAULT_CONFIG as DEFAULT_CONFIG,
    Parser as Parser,
    make_parser as make_parser,
    parse as parse,
    positive as positive,
    run as run,
    seconds as seconds,
)
from .experiment import (
    Experiment as Experiment,
    Overrides as Overrides,
    SettingError as SettingError,
    dump_experiment as dump_experiment,
    load_experiment as load_experiment,
    setting_fields as setting_fields,
)
from .from_run import restore_run as restore_run, restore_splits as restore_splits
from .from_study import (
    experiment_of as experiment_of,
    kept_of as kept_of,
    require_one_reward as require_one_reward,
    study_in_words as study_in_words,
    take_trial as take_trial,
)
