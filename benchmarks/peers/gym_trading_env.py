"""Gym-Trading-Env: 64 features, 5 exposures, fees, episodes of 1,024 bars or, what it does faster, of all bars."""

import sys
from functools import partial

import numpy as np
import pandas as pd
from gym_trading_env.environments import TradingEnv

from benchmarks.peers.clock import play, serve

market = np.load(sys.argv[1])
frame = pd.DataFrame({name: market[name] for name in ("open", "high", "low", "close", "volume")})
frame = frame.join(pd.DataFrame(market["features"]).add_prefix("feature_")).set_axis(pd.DatetimeIndex(market["time"]))
actions = np.random.default_rng(0).integers(5, size=1_000).tolist()

rows = {}
for setting, bars in (("episodes of all bars", "max"), ("episodes of 1,024", 1_024)):
    env = TradingEnv(frame, positions=[0, 0.25, 0.5, 0.75, 1], trading_fees=1e-3, max_episode_duration=bars, verbose=0)
    env.reset()
    rows[setting] = (1, len(actions), partial(play, env, actions))
serve("gym-trading-env", rows)
