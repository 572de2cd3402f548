"""Makes `gymnasium.make("coindojo/BitcoinTrading-v0")` work once the package is installed (entry point `gymnasium.envs`)."""

from typing import Any

import gymnasium

from envs.env import BitcoinTradingEnv
from features import FeaturePipeline
from market import InputError, simulate, split


def register() -> None:
    """Called by Gymnasium, which puts the namespace `coindojo/` in front."""
    gymnasium.register(id="BitcoinTrading-v0", entry_point="envs.registration:make")


def make(**kwargs: Any) -> BitcoinTradingEnv:
    """The env with the given arguments of `BitcoinTradingEnv`; without candles, on the training range of a simulated market."""
    if "candles" not in kwargs:
        if "features" in kwargs:
            raise InputError("`features` are rows of some candles; give `candles` too, or neither for the simulated market")
        train = split(simulate("bitcoin", bars=10_000, seed=0)).train.own
        kwargs |= {"candles": train, "features": FeaturePipeline().fit(train).transform(train)}
    return BitcoinTradingEnv(**kwargs)
