"""Recurrent PPO, the benchmark strategies and the search space. Imports `envs` and the rooms below it."""

from agents.learned import AgentFileError, LearnedAgent, build_ppo
from agents.recurrent_ppo import RecurrentPPO
from agents.search_space import known_good, suggest_agent
from agents.settings import AgentSettings, StrategySettings
from agents.strategies import Agent, BuyAndHold, RsiDivergence, SignalStrategy, SmaCrossover

__all__ = [
    "Agent", "AgentFileError", "AgentSettings", "BuyAndHold", "LearnedAgent", "RecurrentPPO", "RsiDivergence",
    "SignalStrategy", "SmaCrossover", "StrategySettings", "build_ppo", "known_good", "suggest_agent",
]  # fmt: skip
