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
from .from_run import load_plugins_of as load_plugins_of, restore_run as restore_run, restore_splits as restore_splits
from .from_study import (
    experiment_of_study as experiment_of_study,
    kept_of as kept_of,
    note_in_study as note_in_study,
    plugins_of as plugins_of,
    require_one_reward as require_one_reward,
    take_trial as take_trial,
)
from .image_commands import run_image_command as run_image_command
from .interaction_commands import run_interaction_command as run_interaction_command
from .plugins import load_plugins as load_plugins, unload_plugins as unload_plugins
from .study_commands import experiment_of as experiment_of, run_study_command as run_study_command, search_parser as search_parser
