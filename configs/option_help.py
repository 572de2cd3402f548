"""What the help of a script says of each setting: its meaning, its choices, its default; and which settings are common ones."""

import re
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from agents import ALGORITHMS, DIMENSIONS
from envs import REWARDS
from evaluation import statistics
from features.forecasters import NAMES, PRICES, VOLUMES
from market import MARKETS
from search import LOG_GROWTH

COMMON = (
    "env.reward", "search.trials", "search.storage", "train.steps", "train.seed", "name", "market.file", "market.files",
    "market.repair", "market.simulate", "env.fee_bps", "features.indicators", "agent.algorithm", "agent.learning_rate",
    "agent.lstm_size", "features.forecasts.activation",
)  # fmt: skip
"""settings that `--help` shows, in its order; `--help-all` shows every one"""
CHOICES: Mapping[str, Iterable[str]] = {
    "market.simulate": MARKETS,
    "features.forecasts.models": NAMES,
    "features.forecasts.inputs": PRICES + VOLUMES,
    "env.reward": REWARDS,
    "agent.algorithm": ALGORITHMS,
    "search.objective": (LOG_GROWTH, *statistics.FIGURES),
    "search.dimensions": [name for name in DIMENSIONS if name != "reward"],  # that is `any_reward`
}
"""the names that a setting may have; those of a `Literal` stand in its type"""
LISTED_BY = dict.fromkeys(
    ("features.indicators", "features.timeframe_columns", "features.forecasts.fields"), "python -m features indicators"
)
"""commands that list the names of settings that have too many for a help text"""


def help_text(name: str, field: FieldInfo) -> str:
    """The meaning of a setting, its choices and its default, for argparse."""
    choices, said = CHOICES.get(name, ()), re.findall(r"\w+", field.description or "")
    named = f"; one of {', '.join(choices)}" if set(choices) - set(said) else ""
    listed = f"; `{LISTED_BY[name]}` lists the indicators" if name in LISTED_BY else named
    default = "all" if name == "features.indicators" else _as_text(field.get_default(call_default_factory=True))
    if field.default is None and "by default" in (field.description or ""):  # it says what stands for none
        return f"{field.description}{listed}".replace("%", "%%")
    return f"{field.description}{listed} (default: {default or 'none'})".replace("%", "%%")


def value_name(field: FieldInfo) -> str:
    """What stands for the value of an option: its choices, or a word for its type."""
    kind: Any = next((one for one in get_args(field.annotation) if one is not NoneType), None)
    kind = kind if NoneType in get_args(field.annotation) else field.annotation
    if get_origin(kind) is Literal:
        return "{" + ",".join(str(choice) for choice in get_args(kind)) + "}"
    if get_origin(kind) is tuple:
        return "A,B,..."
    return "N" if kind is int else "X" if kind is float else "VALUE"


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
