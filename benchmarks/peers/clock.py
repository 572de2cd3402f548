"""The clock of all environments, ours and the peers', and the peers' end of the wire. The standard library only."""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any


def rate(step: Callable[[], object], per_call: int, seconds: float) -> float:
    """Steps a second of the processor, of a call that makes `per_call` of them; other work on the machine does not count."""
    calls, spent, begin = 0, 0.0, time.process_time()
    while spent < seconds:
        step()
        calls += 1
        spent = time.process_time() - begin
    return calls * per_call / spent


def play(env: Any, actions: list[int]) -> None:
    """Step a `gymnasium.Env` through the actions; where an episode ends, begin anew."""
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()


def serve(package: str, rows: dict[str, tuple[int, int, Callable[[], object]]]) -> None:
    """A peer's `main`: print what there is, as JSON, then answer each line `row seconds` with a rate.

    Args:
        package: whose version to name.
        rows: number of envs, steps a call, the call; by setting.
    """
    calls = [(per_call, step) for _, per_call, step in rows.values()]
    for _, step in calls:
        step()  # warm-up
    settings = {setting: n_envs for setting, (n_envs, *_) in rows.items()}
    print(json.dumps({"version": version(package), "settings": settings}), flush=True)
    for line in sys.stdin:
        number, seconds = line.split()
        per_call, step = calls[int(number)]
        print(rate(step, per_call, float(seconds)), flush=True)
