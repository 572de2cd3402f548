"""The search space: what a search may vary, on which scales. Pure: a trial and the configured settings in, settings out."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field, ValidationError

from agents.algorithms import ALGORITHMS
from agents.settings import AgentSettings
from common import InputError, Settings, put_setting
from envs import REWARDS, EnvSettings
from features import FeatureSettings

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

SCHEMES = ("orders", "targets", "continuous")


class TrialSettings(Settings):
    """What a trial decides: the agent, what it sees, and what it trades under."""

    features: FeatureSettings = Field(default_factory=FeatureSettings)
    env: EnvSettings = EnvSettings()
    agent: AgentSettings = AgentSettings()


Draw = Callable[["BaseTrial", str, Any], Any]
Values = dict[str, Any]
Write = Callable[[Any, TrialSettings], Values]


class Dimension(NamedTuple):
    """One thing that a search may vary.

    Args:
        parameter: its name in the study.
        read: of the configured settings, the parameter's value there; None where it would mean nothing, and is not searched.
        draw: of a trial, the parameter's name and the configured value, another value; its range always holds the configured one.
        write: of a value and the settings so far, which settings it changes, by dotted name.
    """

    parameter: str
    read: Callable[[TrialSettings], Any]
    draw: Draw
    write: Write


def _real(low: float, high: float, log: bool = True) -> Draw:
    return lambda trial, name, start: trial.suggest_float(name, min(low, start), max(high, start), log=log)


def _whole(low: int, high: int) -> Draw:
    return lambda trial, name, start: trial.suggest_int(name, min(low, start), max(high, start), log=True)


def _one_of(*values: Any) -> Draw:
    def draw(trial: "BaseTrial", name: str, start: Any) -> Any:
        return trial.suggest_categorical(name, [*values, *([] if start in values else [start])])

    return draw


def _env(name: str, draw: Draw) -> Dimension:
    """A setting of the environment that is searched as it is."""
    return Dimension(name, lambda base: getattr(base.env, name), draw, lambda value, _: {f"env.{name}": value})


def _agent(name: str, draw: Draw, read: Callable[[TrialSettings], Any] | None = None, write: Write | None = None) -> Dimension:
    """A setting of the agent, unless its algorithm ignores it; searched as it is, unless `read` and `write` say otherwise."""

    def read_if_used(base: TrialSettings) -> Any:
        if name in ALGORITHMS[base.agent.algorithm].ignores:
            return None
        return read(base) if read else getattr(base.agent, name)

    return Dimension(name, read_if_used, draw, write or (lambda value, _: {f"agent.{name}": value}))


def _sarimax(name: str, draw: Draw) -> Dimension:
    """A setting of the SARIMAX forecasts, where there are any."""
    return Dimension(
        name,
        lambda base: getattr(base.features.sarimax, name) if base.features.sarimax.forecast_len else None,
        draw,
        lambda value, _: {f"features.sarimax.{name}": value},
    )


def _group(name: str, held: Callable[[FeatureSettings], Any], without: Values) -> Dimension:
    """A group of columns, where the configuration has it: seen or not."""
    return Dimension(
        f"use_{name}",
        lambda base: True if held(base.features) else None,
        _one_of(True, False),
        lambda use, _: {} if use else {f"features.{setting}": value for setting, value in without.items()},
    )


def _horizon(base: TrialSettings) -> float:
    return 1 / (1 - base.agent.gamma)


def _steps(n_steps: int, settings: TrialSettings) -> Values:
    return {"agent.n_steps": n_steps, **_minibatches(settings.agent.n_minibatches, settings, n_steps)}


def _minibatches(wanted: int, settings: TrialSettings, n_steps: int | None = None) -> Values:
    """A rollout can only be cut into pieces of one length, of 2 steps or more: as many as wanted, or the next fewer."""
    rollout = settings.agent.n_envs * (n_steps or settings.agent.n_steps)
    return {"agent.n_minibatches": max(n for n in range(1, wanted + 1) if n == 1 or (not rollout % n and rollout > n))}


def _mask(scheme: str, settings: TrialSettings) -> Values:
    """A mask is of orders."""
    return {"env.action_scheme": scheme, "agent.mask_orders": settings.agent.mask_orders and scheme == "orders"}


DIMENSIONS: dict[str, Dimension] = {
    "n_steps": _agent("n_steps", _one_of(32, 64, 128, 256), write=_steps),
    "n_epochs": _agent("n_epochs", _whole(2, 16)),
    "learning_rate": _agent("learning_rate", _real(1e-4, 5e-3)),
    # 1 / (1 - gamma), the bars that a discount looks ahead: .98 to .99 is as wide a step as .9 to .95.
    "gamma": Dimension("horizon_bars", _horizon, _real(10.0, 500.0), lambda bars, _: {"agent.gamma": 1 - 1 / bars}),
    "gae_lambda": _agent("gae_lambda", _real(0.8, 1.0, log=False)),
    "clip_range": _agent("clip_range", _real(0.1, 0.4, log=False)),
    # A log scale has no 0: a configured 0 is searched from 1e-8.
    "ent_coef": _agent("ent_coef", _real(1e-6, 3e-2), read=lambda base: max(base.agent.ent_coef, 1e-8)),
    "lstm_size": _agent("lstm_size", _one_of(16, 32, 64)),
    "lstm_layers": _agent("lstm_layers", _one_of(1, 2)),
    "sequence_length": _agent("sequence_length", _one_of(8, 16, 32, 64)),
    "n_minibatches": _agent("n_minibatches", _one_of(1, 2, 4, 8), write=_minibatches),
    "reward": _env("reward", lambda *drawn: _one_of(*REWARDS)(*drawn)),  # plugins may add some
    "reward_window": _env("reward_window", _whole(16, 256)),
    "action_scheme": Dimension("action_scheme", lambda base: base.env.action_scheme, _one_of(*SCHEMES), _mask),
    "forecast_len": _sarimax("forecast_len", _whole(1, 24)),
    "confidence_interval": _sarimax("confidence_interval", _real(0.7, 0.99, log=False)),
    "indicators": _group("indicators", lambda features: features.indicators, {"indicators": ()}),
    "calendar": _group("calendar", lambda features: features.calendar, {"calendar": False}),
    "volatility": _group("volatility", lambda features: features.volatility_bars, {"volatility_bars": ()}),
    "sarimax": _group("sarimax", lambda features: features.sarimax.forecast_len, {"sarimax.forecast_len": 0}),
    "forecasts": _group("forecasts", lambda features: features.forecasts.models, {"forecasts.models": ()}),
}
"""By name. They are applied in this order: a group of columns that is left out stays out, whatever was drawn for it before."""

DEFAULT_DIMENSIONS = ("n_steps", "gamma", "learning_rate", "ent_coef", "clip_range", "n_epochs", "gae_lambda", "forecast_len",
                      "confidence_interval", "lstm_size")  # fmt: skip
"""what is searched by default"""


def suggest(trial: "BaseTrial", base: TrialSettings, dimensions: Iterable[str]) -> TrialSettings:
    """The configured settings with the searched ones replaced by the trial's suggestions.

    Raises:
        InputError: values that do not fit together; the trial cannot be tried.
    """
    settings, chosen = base, set(dimensions)
    for name, dimension in DIMENSIONS.items():
        start = dimension.read(base)
        if name in chosen and start is not None:
            settings = _with(settings, dimension.write(dimension.draw(trial, dimension.parameter, start), settings))
    return settings


def left_out(base: TrialSettings, dimensions: Iterable[str]) -> list[str]:
    """The dimensions that mean nothing with the configured settings, such as `lstm_size` for ppo, and so are not searched."""
    return [name for name in dimensions if DIMENSIONS[name].read(base) is None]


def known_good(base: TrialSettings, dimensions: Iterable[str]) -> list[Values]:
    """Trial parameters that a search begins with: the configured settings, so that no search ends below them, then the same
    learning slower and calmer, and with a longer horizon, where these are searched."""
    chosen = set(dimensions)
    read = {DIMENSIONS[name].parameter: DIMENSIONS[name].read(base) for name in DIMENSIONS if name in chosen}
    first = {name: value for name, value in read.items() if value is not None}
    rate, horizon = base.agent.learning_rate, _horizon(base)
    calmer = {"learning_rate": max(rate / 3, min(rate, 1e-4)), "clip_range": 0.1}
    farther = {"horizon_bars": min(2 * horizon, max(horizon, 500.0)), "gae_lambda": 0.98}
    variants = ({name: value for name, value in variant.items() if name in first} for variant in (calmer, farther))
    return [first, *({**first, **variant} for variant in variants if variant)]


def _with(settings: TrialSettings, values: Mapping[str, Any]) -> TrialSettings:
    tree = settings.model_dump()
    for name, value in values.items():
        put_setting(tree, name, value)
    try:
        return TrialSettings.model_validate(tree)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"a trial's settings must fit together, but {dict(values)} do not: {reason}") from None
