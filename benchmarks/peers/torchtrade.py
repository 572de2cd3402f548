"""TorchTrade: 64 features, windows of one bar, 5 exposures, fees, episodes of 1,024 bars; scalar and vectorised.

`step` and a `reset` of what ended: of TorchRL's ways to step without a private call, the fastest here.
"""

import sys

import numpy as np
import pandas as pd
import torch
from torchtrade.envs.offline import SequentialTradingEnv, SequentialTradingEnvConfig
from torchtrade.envs.offline.vectorized_sequential import (
    VectorizedSequentialTradingEnv,
    VectorizedSequentialTradingEnvConfig,
)

from benchmarks.peers.clock import serve

STEPS = 64
SETTINGS = {
    "time_frames": "1Hour", "execute_on": "1Hour", "window_sizes": 1, "max_traj_length": 1_024,
    "action_levels": [0.0, 0.25, 0.5, 0.75, 1.0], "transaction_fee": 1e-3, "seed": 0,
}  # fmt: skip


class Player:
    """Steps an env through its actions, again and again."""

    def __init__(self, env, actions):
        self.env, self.actions, self.state = env, actions, env.reset()

    @torch.inference_mode()
    def play(self):
        for action in self.actions:
            following = self.env.step(self.state.set("action", action))["next"]
            if following["done"].any():
                following = self.env.reset(following.exclude("reward").set("_reset", following["done"]))
            self.state = following


torch.set_num_threads(1)
market = np.load(sys.argv[1])
frame = pd.DataFrame({name: market[name] for name in ("open", "high", "low", "close", "volume")})
frame = frame.join(pd.DataFrame(market["features"]).add_prefix("features_")).assign(timestamp=pd.DatetimeIndex(market["time"]))
keep = pd.DataFrame.reset_index  # its hook for features must give back the column `timestamp`

scalar = SequentialTradingEnv(frame, SequentialTradingEnvConfig(**SETTINGS), keep)
rows = {"scalar": (1, STEPS, Player(scalar, list(torch.randint(5, (STEPS,)))).play)}
for n in (256, 1_024, 4_096, 16_384):
    env = VectorizedSequentialTradingEnv(frame, VectorizedSequentialTradingEnvConfig(num_envs=n, **SETTINGS), keep)
    rows[f"vectorised, {n:,}"] = (n, n * STEPS, Player(env, list(torch.randint(5, (STEPS, n)))).play)
serve("torchtrade", rows)
