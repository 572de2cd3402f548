from .algorithms import (
    ALGORITHMS as ALGORITHMS,
    Algorithm as Algorithm,
    Classes as Classes,
    ForeignFile as ForeignFile,
    build_learner as build_learner,
)
from .checkpoints import (
    Checkpoint as Checkpoint,
    CheckpointError as CheckpointError,
    CheckpointFolder as CheckpointFolder,
    reward_scaling as reward_scaling,
)
from .ensemble import EnsembleAgent as EnsembleAgent
from .learned_agent import LearnedAgent as LearnedAgent
from .plugin_kinds import AGENT_KINDS as AGENT_KINDS
from .recurrent_policy import MlpLstmPolicy as MlpLstmPolicy
from .recurrent_ppo import RecurrentPPO as RecurrentPPO
from .run_agent import Decision as Decision, RunAgent as RunAgent, load as load
from .sb3_zip import ZipError as ZipError, export_zip as export_zip, import_zip as import_zip
from .search_space import (
    DEFAULT_DIMENSIONS as DEFAULT_DIMENSIONS,
    DIMENSIONS as DIMENSIONS,
    Dimension as Dimension,
    TrialSettings as TrialSettings,
    known_good as known_good,
    left_out as left_out,
    suggest as suggest,
)
from .settings import AgentSettings as AgentSettings, StrategySettings as StrategySettings
from .strategies import (
    STRATEGIES as STRATEGIES,
    Agent as Agent,
    BuyAndHold as BuyAndHold,
    Flat as Flat,
    ForecastFollower as ForecastFollower,
    RandomTrader as RandomTrader,
    RsiDivergence as RsiDivergence,
    SignalStrategy as SignalStrategy,
    SmaCrossover as SmaCrossover,
    strategies_of as strategies_of,
)
