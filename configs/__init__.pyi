from .command_line import Parser as Parser, make_parser as make_parser, parse as parse, positive as positive, run as run
from .experiment import (
    Experiment as Experiment,
    Overrides as Overrides,
    SettingError as SettingError,
    dump_experiment as dump_experiment,
    load_experiment as load_experiment,
    setting_fields as setting_fields,
)
from .from_run import restore_run as restore_run, restore_splits as restore_splits
from .from_study import require_one_reward as require_one_reward, take_trial as take_trial
