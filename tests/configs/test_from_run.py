"""A run is taken up again with what it was begun with."""

import pytest

from common import RunError, describe_run
from configs import dump_experiment, load_experiment, restore_run
from market import LockedTestRange


@pytest.fixture
def run(tmp_path):
    experiment = load_experiment(None, {"market.bars": 600})
    describe_run(tmp_path / "run", dump_experiment(experiment), experiment.load_split().data_sha256)
    return tmp_path / "run"


def test_a_run_is_restored_with_its_settings_and_those_of_the_command_line(run):
    experiment, parts = restore_run(run, {"env.fee_bps": 25})
    assert (experiment.market.bars, experiment.env.fee_bps) == (600, 25)
    with pytest.raises(LockedTestRange):
        _ = parts.test


def test_an_edited_split_is_refused(run):
    """Else a backtest would open bars that the agent was trained on."""
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("train: 0.6", "train: 0.3"))
    with pytest.raises(RunError, match=r"config\.yaml was edited by hand: split\.train: 0\.6 -> 0\.3 \(as written -> now\)"):
        restore_run(run)


def test_a_run_without_seals_is_restored_on_its_own_data_alone(run):
    (run / "seals.json").unlink()
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("gamma: 0.98", "gamma: 0.9"))
    assert restore_run(run)[0].agent.gamma == 0.9
    config.write_text(config.read_text().replace("bars: 600", "bars: 601"))
    with pytest.raises(RunError, match="must use the data of its training"):
        restore_run(run)
