"""Runs the scripts as a user does, in processes, and looks at what a search has stored."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from search import find_study

ROOT = Path(__file__).parents[2]
SETTINGS = """
name: small
market: {bars: 1500}
features: {indicators: [rsi, ema_8]}
agent: {n_envs: 4, n_steps: 16, n_epochs: 1, lstm_size: 8}
"""
OPEN: dict[tuple[str, str], Study] = {}


@dataclass(frozen=True)
class Studied:
    """The trials of a study at one moment."""

    trials: list[FrozenTrial]

    @property
    def finished(self) -> int:
        return sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in self.trials)

    @property
    def running(self) -> dict[int, FrozenTrial]:
        """By the process that runs each."""
        trials = [trial for trial in self.trials if trial.state == TrialState.RUNNING and "settings" in trial.user_attrs]
        return {process_of(trial): trial for trial in trials}


def process_of(trial: FrozenTrial) -> int:
    return int(trial.user_attrs["worker"].split(":")[1])


def studied(storage: str, name: str) -> Studied:
    """Opened once, looked at anew each time; no trials while there is no study."""
    study = OPEN.get((storage, name)) or find_study(storage, name)
    if study:
        OPEN[storage, name] = study
    return Studied(study.get_trials() if study else [])


def start(place: Path, name: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / f"{name}.py"), *arguments]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(condition: Callable[[], Any], seconds: float = 240.0) -> Any:
    """The condition's value, once there is one."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)
    return value
