"""gym-anytrading: its 2 features, and 64 by its hook; windows of one bar, all bars an episode, two actions."""

import sys
from functools import partial

import numpy as np
import pandas as pd
from gym_anytrading.envs import StocksEnv

from benchmarks.peers.clock import play, serve

market = np.load(sys.argv[1])
frame = pd.DataFrame({"Close": market["close"]})
features = market["features"]
actions = np.random.default_rng(0).integers(2, size=1_000).tolist()


class WideStocksEnv(StocksEnv):
    def _process_data(self):
        prices, _ = super()._process_data()
        return prices, features


rows = {}
for setting, kind in (("64 features", WideStocksEnv), ("its own 2 features", StocksEnv)):
    env = kind(frame, window_size=1, frame_bound=(1, len(frame)))
    env.reset()
    rows[setting] = (1, len(actions), partial(play, env, actions))
serve("gym-anytrading", rows)
