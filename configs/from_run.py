"""Takes up a run folder again: its own settings, on its own data."""

from pathlib import Path

from common import require_data_of, require_sealed_run
from configs.experiment import Experiment, Overrides, load_experiment
from market import AnySplit, Split


def restore_run(folder: Path, overrides: Overrides | None = None) -> tuple[Experiment, Split]:
    """What the run was begun with, but for the overrides.

    Raises:
        InputError: no run folder, a file of it that was edited by hand, data that have changed since, or several coins.
    """
    experiment = _settings_of(folder, overrides)
    parts = experiment.load_split()
    require_data_of(folder, parts.data_sha256)
    return experiment, parts


def restore_splits(folder: Path, overrides: Overrides | None = None) -> tuple[Experiment, AnySplit]:
    """The same of a run that may have several coins."""
    experiment = _settings_of(folder, overrides)
    parts = experiment.load_splits()
    require_data_of(folder, parts.data_sha256)
    return experiment, parts


def load_plugins_of(folder: Path, overrides: Overrides | None = None) -> None:
    """Load the plugins that a run was made with: what it saved names what they add.

    Args:
        overrides: `plugins` may say where they lie now.

    Raises:
        InputError: one of them is missing or was changed.
    """
    _settings_of(folder, {name: value for name, value in (overrides or {}).items() if name == "plugins"})


def _settings_of(folder: Path, overrides: Overrides | None) -> Experiment:
    require_sealed_run(folder)
    return load_experiment(folder / "config.yaml", overrides)
