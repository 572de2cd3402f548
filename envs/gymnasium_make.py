"""What `gymnasium.make` and `gymnasium.make_vec` call; apart from the registration, so that `import envs` stays quick."""

from functools import cache
from typing import Any

from common import InputError
from envs.gymnasium_env import BitcoinTradingEnv
from envs.gymnasium_vector_env import BitcoinTradingVectorEnv
from features import FeatureMatrix, FeaturePipeline, FeatureSettings
from market import Candles, as_candles, simulate, split

KEPT_MATRICES = 4
"""features that are kept for the next `make`, the last used ones: those of a few series take some megabytes"""

_kept: dict[tuple[str, ...], FeatureMatrix] = {}


def make(**kwargs: Any) -> BitcoinTradingEnv:
    """The env with the given arguments of `BitcoinTradingEnv`.

    Without candles it plays on the training range of a simulated market. Without features, the default ones are fitted on the
    candles, once in a process for the same candles.
    """
    return BitcoinTradingEnv(**_with_candles(kwargs))


def make_vector(**kwargs: Any) -> BitcoinTradingVectorEnv:
    """The same for `BitcoinTradingVectorEnv`."""
    if kwargs.pop("max_episode_steps", None) is not None:
        raise InputError("the length of an episode is a setting: give `settings=EnvSettings(episode_bars=...)`")
    if kwargs.pop("render_mode", None) is not None:
        raise InputError("many envs in one have no picture; make a single one with `gymnasium.make(..., render_mode=...)`")
    return BitcoinTradingVectorEnv(**_with_candles(kwargs))


def _with_candles(kwargs: dict[str, Any]) -> dict[str, Any]:
    if "features" in kwargs:
        if "candles" not in kwargs:
            raise InputError("`features` are rows of some candles; give `candles` too, or neither for the simulated market")
        return kwargs
    if "candles" not in kwargs:
        kwargs |= {"candles": _simulated_train()}
    elif kwargs.get("evaluation"):
        raise InputError(
            "an evaluation needs `features` that were fitted on earlier bars: `FeaturePipeline().fit(train).transform(candles)`"
        )
    if isinstance(kwargs["candles"], list | tuple):
        raise InputError("several series need `features` that were fitted for all of them: `FeaturePipeline().fit_coins(trains)`")
    candles = as_candles(kwargs["candles"])
    return kwargs | {"candles": candles, "features": _features_of(candles)}


@cache
def _simulated_train() -> Candles:
    return split(simulate("bitcoin", bars=10_000, seed=0)).train.own


def _features_of(candles: Candles) -> FeatureMatrix:
    """The default features, fitted on these candles; those of the same times and values are kept."""
    filled = "" if candles.filled is None else candles.filled.tobytes().hex()
    key = candles.sha256, candles.bar.isoformat(), filled, FeatureSettings().model_dump_json()
    matrix = _kept.pop(key, None)
    if matrix is None:
        matrix = FeaturePipeline().fit(candles).transform(candles)
    _kept[key] = matrix  # the last of them is the last used
    while len(_kept) > KEPT_MATRICES:
        _kept.pop(next(iter(_kept)))
    return matrix
