"""What tests of several rooms share."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from envs import BitcoinTradingEnv, BitcoinTradingVecEnv, EnvSettings
from evaluation import Episode
from market import Candles, simulate

SHARED = Path(__file__).parents[3] / "shared"
CHARACTERS = "0123456789.,-:; \tABNeE+x\"'\n\r"
FREE = {"fee_bps": 0.0, "half_spread_bps": 0.0, "slippage_bps": 0.0, "min_trade": 0.0}


def make_candles(
    closes: Sequence[float] | np.ndarray,
    opens: Sequence[float] | None = None,
    volume: float | np.ndarray = 10.0,
    highs: Sequence[float] | None = None,
    lows: Sequence[float] | None = None,
    start: str = "2020-01-01",
) -> Candles:
    """Hourly candles from lists; each bar opens at the previous close and has no wicks unless they are given."""
    opens = opens or [closes[0], *closes[:-1]]
    index = pd.date_range(start, periods=len(closes), freq="h", tz="UTC", name="time")
    frame = pd.DataFrame({"open": opens, "close": closes}, index=index, dtype=float)
    frame["high"], frame["low"] = frame.max(axis=1), frame.min(axis=1)
    frame["high"] = frame["high"] if highs is None else np.array(highs, float)
    frame["low"] = frame["low"] if lows is None else np.array(lows, float)
    frame["volume"], frame["quote_volume"] = volume, volume * frame["close"]
    columns = ["open", "high", "low", "close", "volume", "quote_volume"]
    return Candles(frame[columns], pd.Timedelta("1h"), "BTC/USD", "by hand")


def shared_cases(name: str) -> Path:
    """The folder of small inputs that once failed; it may not be there."""
    return SHARED / "cases" / name


@st.composite
def spoiled(draw: st.DrawFn, text: str, first: int) -> str:
    """The text with one to three characters put in, taken out or changed, from place `first` on."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(first, len(text) - 1))
        kind = draw(st.sampled_from(["insert", "delete", "replace"]))
        put = "" if kind == "delete" else draw(st.sampled_from(CHARACTERS))
        text = text[:place] + put + text[place + (kind != "insert") :]
    return text


def make_coin(symbol: str, bars: int = 1_000, seed: int = 0, late: int = 0, price: float = 1.0) -> Candles:
    """A simulated market under another symbol: it begins so many bars later than others do, and its prices are multiplied."""
    whole = simulate("bitcoin", bars=late + bars, seed=seed)
    frame = whole.frame.iloc[late:].copy()
    frame[["open", "high", "low", "close", "quote_volume"]] *= price
    return Candles(frame, whole.bar, symbol, f"file {symbol[:3].lower()}.parquet")


def no_features(candles: Candles) -> np.ndarray:
    """One constant column."""
    return np.zeros((len(candles), 1), np.float32)


def filled_of(candles: Candles) -> list[bool]:
    """Which bars were filled in, of candles that say so."""
    assert candles.filled is not None
    return candles.filled.tolist()


def play(candles: Candles, actions: list[Any], **options: Any) -> list[dict[str, Any]]:
    """Infos of an evaluation episode, until the actions or the episode end."""
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(**options), evaluation=True)
    env.reset(seed=0)
    infos = []
    for action in actions:
        _, _, terminated, truncated, info = env.step(action)
        infos.append(info)
        if terminated or truncated:
            break
    return infos


class Step(NamedTuple):
    """What `env.step` returned."""

    observation: np.ndarray
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


def record(env: BitcoinTradingEnv, actions: list[Any]) -> list[Step]:
    """Reset with seed 0, then step until the actions or the episode end."""
    env.reset(seed=0)
    steps = []
    for action in actions:
        steps.append(Step(*env.step(action)))
        if steps[-1].terminated or steps[-1].truncated:
            break
    return steps


def global_random_state() -> bytes:
    """Of numpy's global generator."""
    return np.random.get_state(legacy=False)["state"]["key"].tobytes()  # noqa: NPY002


def step_all(env: BitcoinTradingVecEnv, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """`env.step`, whose observations are an array, never the dictionary or tuple that Stable-Baselines3 allows for."""
    observations, rewards, dones, infos = env.step(actions)
    assert isinstance(observations, np.ndarray)
    return observations, rewards, dones, infos


def episodes_of(share: np.ndarray, moves: np.ndarray) -> tuple[Episode, Episode]:
    """Without a kernel or a cost: the episode that held these shares of its net worth, a fill a bar, and buy and hold's."""
    close = np.cumprod(np.append(1, 1 + moves))
    index = pd.date_range("2020", periods=len(close), freq="h", tz="UTC")
    trades = pd.DataFrame({"time": index[1:], "side": "buy", "coin": 1.0, "price": 1.0, "value": 1.0, "fee": 0.0})

    def episode(share: np.ndarray) -> Episode:
        worth = np.cumprod(np.append(1, 1 + share * moves))
        position = np.append(0, share * (1 + moves) / (1 + share * moves))
        table = pd.DataFrame({"close": close, "net_worth": worth, "position": position, "fees": 0.0}, index=index)
        return Episode(table, trades, 8766.0)

    return episode(share.astype(float)), episode(np.ones(len(moves)))


def against_the_price(moves: np.ndarray) -> np.ndarray:
    """Shares of the net worth, decided before each move: less the higher the price."""
    return np.clip(0.5 - np.log(np.cumprod(np.append(1, 1 + moves))[:-1]), 0, 1)


def examples(count: int) -> int:
    """Random cases of a property: a fifth of them in `make test`, all in `make test-all`, and new ones in `make explore`."""
    whole = os.environ.get("COINDOJO_CASES") == "all" or os.environ.get("HYPOTHESIS_PROFILE") == "explore"
    return count if whole else max(count // 5, 10)
