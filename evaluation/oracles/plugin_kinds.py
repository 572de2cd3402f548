"""What a plugin may add here: the best policy of a simulated market of its own."""

from common import Kind
from evaluation.oracles.simulated_markets import ORACLES

ORACLE_KINDS = (Kind("ORACLES", lambda: ORACLES, "a function of (candles, cost) that gives a `BestPolicy`", callable),)
