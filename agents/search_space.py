"""The hyperparameters that a search varies. Pure: a trial in, settings out."""

from typing import Any

from optuna.trial import BaseTrial

from agents.settings import AgentSettings


def suggest_agent(trial: BaseTrial, base: AgentSettings) -> AgentSettings:
    """The base settings with the searched ones replaced by the trial's suggestions.

    `horizon_bars` is 1 / (1 - gamma), the bars that a discount looks ahead: searched instead of gamma, since .98 to .99 is as
    wide a step as .9 to .95.
    """

    def real(name: str, low: float, high: float, log: bool = True) -> float:
        return trial.suggest_float(name, min(low, start[name]), max(high, start[name]), log=log)

    def choice(name: str, *values: int) -> int:
        return int(trial.suggest_categorical(name, sorted({*values, start[name]})))

    start = known_good(base)  # every range is widened to hold it
    chosen: dict[str, Any] = {
        "n_steps": choice("n_steps", 32, 64, 128, 256),
        "n_epochs": trial.suggest_int("n_epochs", min(2, base.n_epochs), max(10, base.n_epochs)),
        "learning_rate": real("learning_rate", 1e-4, 5e-3),
        "gamma": 1 - 1 / real("horizon_bars", 10.0, 500.0),
        "gae_lambda": real("gae_lambda", 0.8, 1.0, log=False),
        "clip_range": real("clip_range", 0.1, 0.4, log=False),
        "ent_coef": real("ent_coef", 1e-6, 3e-2),
        "lstm_size": choice("lstm_size", 16, 32, 64),
    }
    return AgentSettings.model_validate(base.model_dump() | chosen)


def known_good(base: AgentSettings) -> dict[str, Any]:
    """The base settings as trial parameters: the first trial of a search, so that no search ends below them."""
    return {
        "n_steps": base.n_steps,
        "n_epochs": base.n_epochs,
        "learning_rate": base.learning_rate,
        "horizon_bars": 1 / (1 - base.gamma),
        "gae_lambda": base.gae_lambda,
        "clip_range": base.clip_range,
        "ent_coef": max(base.ent_coef, 1e-8),  # searched on a log scale, which has no 0
        "lstm_size": base.lstm_size,
    }
