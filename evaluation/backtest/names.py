"""The names that a backtest shows its strategies under."""

AGENT = "agent"
BUY_AND_HOLD = "buy and hold"
SAME_EXPOSURE = "buy and hold, same exposure"
FLAT = "flat"
RANDOM = "random, same turnover"
FORESIGHT = "perfect foresight"
WALK_FORWARD = "agent, walk-forward"
NAMES = (AGENT, BUY_AND_HOLD, SAME_EXPOSURE, FLAT, RANDOM, FORESIGHT, WALK_FORWARD)
NOT_RIVALS = (AGENT, FORESIGHT, WALK_FORWARD)
"""the agent itself, and whom nobody can beat"""
