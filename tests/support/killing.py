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
import torch.utils.tensorboard
from rich.console import Console

import agents.algorithms
import agents.checkpoints
import train
import training.run_listener
from configs import load_experiment
from envs import BitcoinTradingVecEnv
from market import load_candles, split
from training import TrainingLog

MOST_ADVANCE = 1_536
"""steps that an attempt gets on by, give or take a checkpoint"""


LOADED = (torch.utils.tensorboard, agents.algorithms, agents.checkpoints, training.run_listener)
"""else each attempt would import them"""


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
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and newest(folder) - before < MOST_ADVANCE:  # however fast the machine, steps are left
            time.sleep(0.002)
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
        assert not TrainingLog(folder).finished
        killed += 1
        print(f"kill {killed}: after {seconds:.2f} s, newest checkpoint {newest(folder):,}", flush=True)
    assert attempt(folder, None) == 0
    print(f"finished: {TrainingLog(folder).in_words}")


if __name__ == "__main__":
    main()
