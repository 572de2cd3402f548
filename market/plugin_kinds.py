"""What a plugin may add here: layouts of candle files, and simulated markets."""

from inspect import signature

from common import Kind
from market.layouts import LAYOUTS, Layout
from market.simulation.markets import MARKETS


def _is_market(value: object) -> bool:
    return callable(value) and list(signature(value).parameters)[:3] == ["bars", "rng", "source"]


MARKET_KINDS = (
    Kind("LAYOUTS", lambda: LAYOUTS, "a `market.Layout`", lambda value: isinstance(value, Layout)),
    Kind("MARKETS", lambda: MARKETS, "a function of (bars, rng, source, ...) that gives `SimulatedCandles`", _is_market),
)
