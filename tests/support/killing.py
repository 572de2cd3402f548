"""Trains two runs of the same settings: one without a stop, one in processes that are killed at random moments.

    python killing.py CONFIG KILLS LONGEST      so many kills, each after LONGEST seconds at most

Forks a process for each attempt, so that only the first pays for the imports. Prints a line a kill.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch.utils.tensorboard  # noqa: F401 (else each attempt would import it)
from rich.console import Console

import train
from configs import load_experiment
from envs import BitcoinTradingVecEnv
from evaluation import TrainingRecord
from market import load_candles, split


def attempt(folder: Path, seconds: float | None, advance: bool = False) -> int | None:
    """Go on with the run in a process of its own; its exit status, None if it was killed.

    Args:
        seconds: until the kill; None never kills.
        advance: wait for a new checkpoint first, so that the run gets on, however slow the machine.
    """
    before = newest(folder)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            train.train(folder, Console(file=(folder / "said.txt").open("a"), width=200))
            status = 0
        finally:
            os._exit(status)
    if seconds is not None:
        while advance and newest(folder) == before and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.005)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def newest(folder: Path) -> int:
    return max((int(path.stem) for path in folder.glob("checkpoints/*.safetensors") if path.stem.isdigit()), default=0)


def main() -> None:
    experiment = load_experiment(Path(sys.argv[1]))
    kills, longest = int(sys.argv[2]), float(sys.argv[3])
    parts = split(load_candles(experiment.market), experiment.split)
    whole, folder = (train.begin(experiment, parts, {"study": None, "trials": 0}, seeds=1) for _ in range(2))
    assert attempt(whole, None) == 0
    BitcoinTradingVecEnv(parts.train.candles, np.zeros((len(parts.train.candles), 1), np.float32), experiment.env)  # compiles
    rng, killed = random.Random(0), 0
    while killed < kills:
        seconds = rng.uniform(0.02, longest)
        status = attempt(folder, seconds, advance=killed % 2 == 1)
        assert status is None, f"it was over before kill {killed + 1} of {kills}, with status {status}; give it more steps"
        assert not TrainingRecord(folder).finished
        killed += 1
        print(f"kill {killed}: after {seconds:.2f} s, newest checkpoint {newest(folder):,}", flush=True)
    assert attempt(folder, None) == 0
    print(f"finished: {TrainingRecord(folder).in_words}")


if __name__ == "__main__":
    main()
