"""The trading kernel, the rewards, and the environments: Gymnasium's, scalar and vector, and Stable-Baselines3's vector one.

Imports `market` and `features`.
"""

from envs.env import BitcoinTradingEnv
from envs.kernel import ACCOUNT_COLUMNS, BUY, HOLD, N_ORDERS, SELL
from envs.registration import ENV_ID, register
from envs.replay import Replay
from envs.rewards import REWARDS, Fold, Reward
from envs.settings import OPTIMISTIC, EnvSettings
from envs.vec_env import BitcoinTradingVecEnv
from envs.vector_env import BitcoinTradingVectorEnv

__all__ = [
    "ACCOUNT_COLUMNS", "BUY", "ENV_ID", "HOLD", "N_ORDERS", "OPTIMISTIC", "REWARDS", "SELL",
    "BitcoinTradingEnv", "BitcoinTradingVecEnv", "BitcoinTradingVectorEnv", "EnvSettings", "Fold", "Replay", "Reward",
]  # fmt: skip

register()
