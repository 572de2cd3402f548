"""The record of a training, which nobody edits and no kill breaks."""

import os

import pytest

from common import RunError
from training import TrainingLog, Validation

ORIGIN = {"study": None, "trials": 30}


@pytest.fixture
def log(tmp_path):
    log = TrainingLog(tmp_path / "run")
    log.begin(ORIGIN, "name: mine\n", "d" * 64)
    return log


def validation(step):
    return Validation(step, 1, 0.1, 0.2, True)


def test_an_edited_record_is_refused_before_the_training_goes_on(log):
    log.add(validation(64))
    path = log.folder / "training.json"
    path.write_text(path.read_text().replace('"trials": 30', '"trials": 0').replace("0.1", "0.9"))
    for go_on in (lambda: log.finished, lambda: log.add(validation(128)), lambda: log.restore(())):
        with pytest.raises(RunError, match=r"origin\.trials: 30 -> 0; validation\.0\.log_growth: 0\.1 -> 0\.9"):
            go_on()


def test_a_record_without_a_seal_goes_on_and_gets_one(log):
    (log.folder / "seals.json").unlink()
    path = log.folder / "training.json"
    path.write_text(path.read_text().replace("30", "31"))
    log.add(validation(64))
    path.write_text(path.read_text().replace("31", "32"))
    with pytest.raises(RunError, match=r"origin\.trials: 31 -> 32"):
        _ = log.finished


@pytest.mark.parametrize("survived", range(4))
def test_a_kill_at_any_moment_leaves_a_record_that_goes_on(log, monkeypatch, survived):
    """It puts in place a seal, the record, a seal, and the log."""
    done, replace = 0, os.replace

    def dying(*paths):
        nonlocal done
        if done == survived:
            raise KeyboardInterrupt
        done += 1
        replace(*paths)

    monkeypatch.setattr(os, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        log.add(validation(64))
    monkeypatch.setattr(os, "replace", replace)
    assert log.in_words == ("no validation yet" if survived < 2 else "best on validation +0.100 ± 0.200, at step 64 of 64")
    log.add(validation(128))
    assert not log.finished
