from .actions import in_words as in_words
from .assumed_account import Account as Account, observe_account as observe_account
from .gymnasium_env import BitcoinTradingEnv as BitcoinTradingEnv
from .gymnasium_vector_env import BitcoinTradingVectorEnv as BitcoinTradingVectorEnv
from .kernel import ACCOUNT_COLUMNS as ACCOUNT_COLUMNS, BUY as BUY, HOLD as HOLD, N_ORDERS as N_ORDERS, SELL as SELL
from .playthrough import COSTS as COSTS, Replay as Replay
from .plugin_kinds import ENV_KINDS as ENV_KINDS
from .registration import ENV_ID as ENV_ID, register as register
from .reward_loops import require_own_reward as require_own_reward
from .rewards import REWARDS as REWARDS, Fold as Fold, Reward as Reward
from .sb3_vec_env import BitcoinTradingVecEnv as BitcoinTradingVecEnv
from .settings import OPTIMISTIC as OPTIMISTIC, EnvSettings as EnvSettings
