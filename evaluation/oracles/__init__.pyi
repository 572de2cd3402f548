from .foresight import Foresight as Foresight, PerfectForesight as PerfectForesight, perfect_foresight as perfect_foresight
from .plugin_kinds import ORACLE_KINDS as ORACLE_KINDS
from .simulated_markets import (
    ORACLES as ORACLES,
    BestPolicy as BestPolicy,
    OraclePolicy as OraclePolicy,
    best_policy as best_policy,
    hidden_regimes_policy as hidden_regimes_policy,
    ou_policy as ou_policy,
    regime_beliefs as regime_beliefs,
    regimes_gain as regimes_gain,
    sine_gain as sine_gain,
)
from .value_iteration import (
    SwitchingPolicy as SwitchingPolicy,
    stationary_distribution as stationary_distribution,
    switching_policy as switching_policy,
)
