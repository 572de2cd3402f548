"""Takes up a run folder again: its own settings, on its own data."""

from pathlib import Path

from common import require_data_of, require_sealed_run
from configs.experiment import Experiment, Overrides, load_experiment
from market import Split


def restore_run(folder: Path, overrides: Overrides | None = None) -> tuple[Experiment, Split]:
    """What the run was begun with, but for the overrides.

    Raises:
        InputError: no run folder, a file of it that was edited by hand, or data that have changed since.
    """
    require_sealed_run(folder)
    experiment = load_experiment(folder / "config.yaml", overrides)
    parts = experiment.load_split()
    require_data_of(folder, parts.data_sha256)
    return experiment, parts
