"""What a plugin may add here: strategies of the backtest, learning algorithms, and dimensions of the search."""

from agents.algorithms import ALGORITHMS, Algorithm
from agents.search_space import DIMENSIONS, Dimension
from agents.strategies import STRATEGIES
from common import Kind

AGENT_KINDS = (
    Kind("STRATEGIES", lambda: STRATEGIES, "a function of (candles, start, settings) that gives a strategy", callable),
    Kind("ALGORITHMS", lambda: ALGORITHMS, "an `agents.Algorithm`", lambda value: isinstance(value, Algorithm)),
    Kind("DIMENSIONS", lambda: DIMENSIONS, "an `agents.Dimension`", lambda value: isinstance(value, Dimension)),
)
