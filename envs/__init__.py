"""The trading kernel, the rewards, the Gymnasium env and the Stable-Baselines3 vector env. Imports `market`, `features`."""

from envs.env import BitcoinTradingEnv
from envs.kernel import ACCOUNT_COLUMNS, BUY, HOLD, N_ORDERS, SELL
from envs.registration import ENV_ID, register
from envs.rewards import REWARDS
from envs.settings import EnvSettings
from envs.vec_env import BitcoinTradingVecEnv

__all__ = [
    "ACCOUNT_COLUMNS", "BUY", "ENV_ID", "HOLD", "N_ORDERS", "REWARDS", "SELL",
    "BitcoinTradingEnv", "BitcoinTradingVecEnv", "EnvSettings",
]  # fmt: skip

register()
