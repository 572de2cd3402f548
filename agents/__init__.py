"""Recurrent PPO, the benchmark strategies and the search space. Imports `envs` and the rooms below it."""

from agents.algorithms import build_learner
from agents.checkpoints import Checkpoint, CheckpointError, CheckpointFolder, reward_scaling
from agents.ensemble import EnsembleAgent
from agents.learned import LearnedAgent
from agents.recurrent_policy import MlpLstmPolicy
from agents.recurrent_ppo import RecurrentPPO
from agents.search_space import DEFAULT_DIMENSIONS, DIMENSIONS, TrialSettings, known_good, suggest
from agents.settings import AgentSettings, StrategySettings
from agents.strategies import Agent, BuyAndHold, Flat, ForecastFollower, RandomTrader, RsiDivergence, SignalStrategy, SmaCrossover
from agents.zips import ZipError, export_zip, import_zip
from features import SealError

__all__ = [
    "DEFAULT_DIMENSIONS", "DIMENSIONS", "Agent", "AgentSettings", "BuyAndHold", "Checkpoint", "CheckpointError",
    "CheckpointFolder", "EnsembleAgent", "Flat", "ForecastFollower", "LearnedAgent", "MlpLstmPolicy", "RandomTrader",
    "RecurrentPPO", "RsiDivergence", "SealError", "SignalStrategy", "SmaCrossover", "StrategySettings", "TrialSettings",
    "ZipError", "build_learner", "export_zip", "import_zip", "known_good", "reward_scaling", "suggest",
]  # fmt: skip
