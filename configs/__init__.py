"""The settings of an experiment: one typed tree, YAML files that override it, and the command line over both."""

from configs.command_line import make_parser, parse, positive, run
from configs.experiment import Experiment, Overrides, SettingError, dump_experiment, load_experiment, setting_fields
from configs.from_study import take_trial
from configs.restored import restore_run

__all__ = [
    "Experiment", "Overrides", "SettingError", "dump_experiment", "load_experiment", "make_parser", "parse", "positive",
    "restore_run", "run", "setting_fields", "take_trial",
]  # fmt: skip
