"""Makes `gymnasium.make("coindojo/BitcoinTrading-v0")` work after `import envs`; `"envs:coindojo/..."` works without.

Gymnasium reads the entry point `gymnasium.envs` no more since its 1.0; it is declared for the tools that still do.
"""

from typing import Any

import gymnasium

from envs.env import BitcoinTradingEnv
from envs.vector_env import BitcoinTradingVectorEnv
from features import FeaturePipeline
from market import InputError, simulate, split

ENV_ID = "coindojo/BitcoinTrading-v0"


def register() -> None:
    """Add the env to Gymnasium's registry, once."""
    if ENV_ID not in gymnasium.registry:
        gymnasium.register(id=ENV_ID, entry_point="envs.registration:make", vector_entry_point="envs.registration:make_vector")


def make(**kwargs: Any) -> BitcoinTradingEnv:
    """The env with the given arguments of `BitcoinTradingEnv`; without candles, on the training range of a simulated market."""
    return BitcoinTradingEnv(**_with_candles(kwargs))


def make_vector(**kwargs: Any) -> BitcoinTradingVectorEnv:
    """The same for `BitcoinTradingVectorEnv`."""
    if kwargs.pop("max_episode_steps", None) is not None:
        raise InputError("the length of an episode is a setting: give `settings=EnvSettings(episode_bars=...)`")
    if kwargs.pop("render_mode", None) is not None:
        raise InputError("many envs in one have no picture; make a single one with `gymnasium.make(..., render_mode=...)`")
    return BitcoinTradingVectorEnv(**_with_candles(kwargs))


def _with_candles(kwargs: dict[str, Any]) -> dict[str, Any]:
    if "candles" not in kwargs:
        if "features" in kwargs:
            raise InputError("`features` are rows of some candles; give `candles` too, or neither for the simulated market")
        train = split(simulate("bitcoin", bars=10_000, seed=0)).train.own
        kwargs |= {"candles": train, "features": FeaturePipeline().fit(train).transform(train)}
    return kwargs
