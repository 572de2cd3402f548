"""What `gymnasium.make` and `gymnasium.make_vec` call; apart from the registration, so that `import envs` stays quick."""

from typing import Any

from common import InputError
from envs.gymnasium_env import BitcoinTradingEnv
from envs.gymnasium_vector_env import BitcoinTradingVectorEnv
from features import FeaturePipeline
from market import simulate, split


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
