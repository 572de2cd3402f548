import optuna
import pytest
from optuna.trial import FixedTrial

from agents import DEFAULT_DIMENSIONS, DIMENSIONS, AgentSettings, TrialSettings, known_good, left_out, suggest
from common import InputError, differences
from envs import REWARDS, EnvSettings
from features import FeaturePipeline, FeatureSettings
from features.forecasters import ForecastSettings

BASE = TrialSettings(
    features=FeatureSettings(indicators=("rsi",), forecasts=ForecastSettings(models=("linear",))),
    agent=AgentSettings(mask_orders=True),
)
# dimension -> (parameter, another value, what differs in the settings because of it)
OTHER = {
    "n_steps": ("n_steps", 32, {"agent.n_steps: 128 -> 32"}),
    "n_epochs": ("n_epochs", 3, {"agent.n_epochs: 5 -> 3"}),
    "learning_rate": ("learning_rate", 2e-3, {"agent.learning_rate: 0.001 -> 0.002"}),
    "gamma": ("horizon_bars", 20.0, {"agent.gamma: 0.98 -> 0.95"}),
    "gae_lambda": ("gae_lambda", 0.9, {"agent.gae_lambda: 0.95 -> 0.9"}),
    "clip_range": ("clip_range", 0.3, {"agent.clip_range: 0.2 -> 0.3"}),
    "ent_coef": ("ent_coef", 1e-4, {"agent.ent_coef: 0.001 -> 0.0001"}),
    "lstm_size": ("lstm_size", 16, {"agent.lstm_size: 32 -> 16"}),
    "lstm_layers": ("lstm_layers", 2, {"agent.lstm_layers: 1 -> 2"}),
    "sequence_length": ("sequence_length", 64, {"agent.sequence_length: 16 -> 64"}),
    "n_minibatches": ("n_minibatches", 8, {"agent.n_minibatches: 4 -> 8"}),
    "reward": ("reward", "calmar", {"env.reward: sortino -> calmar"}),
    "reward_window": ("reward_window", 200, {"env.reward_window: 64 -> 200"}),
    "action_scheme": ("action_scheme", "targets", {"env.action_scheme: orders -> targets", "agent.mask_orders: True -> False"}),
    "forecast_len": ("forecast_len", 12, {"features.sarimax.forecast_len: 1 -> 12"}),
    "confidence_interval": ("confidence_interval", 0.8, {"features.sarimax.confidence_interval: 0.95 -> 0.8"}),
    "indicators": ("use_indicators", False, {"features.indicators: ['rsi'] -> []"}),
    "calendar": ("use_calendar", False, {"features.calendar: True -> False"}),
    "volatility": ("use_volatility", False, {"features.volatility_bars: [6, 24, 168] -> []"}),
    "sarimax": ("use_sarimax", False, {"features.sarimax.forecast_len: 1 -> 0"}),
    "forecasts": ("use_forecasts", False, {"features.forecasts.models: ['linear'] -> []"}),
}


def dump(settings: TrialSettings):
    return settings.model_dump(mode="json")


def test_the_table_holds_every_dimension():
    assert set(OTHER) == set(DIMENSIONS)


@pytest.mark.parametrize("name", OTHER)
def test_each_dimension_reaches_the_settings_and_moves_nothing_else(name):
    parameter, value, expected = OTHER[name]
    trial = FixedTrial({parameter: value})
    assert set(differences(dump(BASE), dump(suggest(trial, BASE, [name])))) == expected
    assert list(trial.params) == [parameter]


@pytest.mark.parametrize("name", OTHER)
def test_each_dimension_is_switched_off_by_leaving_it_out(name):
    every = known_good(BASE, DIMENSIONS)[0]
    rest = {key: value for key, value in every.items() if key != OTHER[name][0]}
    trial = FixedTrial(rest)  # which refuses to suggest a parameter that it does not have
    suggest(trial, BASE, [other for other in DIMENSIONS if other != name])
    assert set(trial.params) == set(rest)


def test_what_the_seed_articles_searched_is_searched_by_default():
    wanted = {"n_steps", "gamma", "learning_rate", "ent_coef", "clip_range", "n_epochs", "gae_lambda", "forecast_len"}
    assert wanted | {"confidence_interval"} <= set(DEFAULT_DIMENSIONS)


def test_the_first_trial_is_the_configured_settings():
    for base in (TrialSettings(), BASE):
        first = suggest(FixedTrial(known_good(base, DIMENSIONS)[0]), base, DIMENSIONS)
        assert first.agent.gamma == pytest.approx(base.agent.gamma)  # which goes through its horizon
        again = first.model_copy(update={"agent": first.agent.model_copy(update={"gamma": base.agent.gamma})})
        assert again == base


@pytest.mark.parametrize(
    "agent",
    [
        AgentSettings(),
        AgentSettings(learning_rate=0.5, gamma=0.5, ent_coef=0.0, n_steps=48, lstm_size=5, n_epochs=1, clip_range=2),
        AgentSettings(learning_rate=1e-6, gamma=0.9999, n_envs=3, n_minibatches=3, n_steps=50, gae_lambda=0.1),
    ],
)
def test_any_configured_settings_can_be_searched_from(agent):
    base = TrialSettings(agent=agent, env=EnvSettings(reward_window=3))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    starts = known_good(base, DIMENSIONS)
    for start in starts:
        study.enqueue_trial(start)
    for start in starts:
        trial = study.ask()
        suggest(trial, base, DIMENSIONS)
        assert trial.params == pytest.approx(start)  # none is moved into a range
    for _ in range(50):
        suggest(study.ask(), base, DIMENSIONS)


def test_a_rollout_is_cut_into_as_many_pieces_as_go():
    base = TrialSettings(agent=AgentSettings(n_envs=5, n_steps=9, n_minibatches=3))
    settings = suggest(FixedTrial({"n_steps": 9, "n_minibatches": 4}), base, ["n_steps", "n_minibatches"])
    assert settings.agent.n_minibatches == 3  # of 45 steps


def test_what_the_configuration_leaves_out_is_not_searched():
    bare = TrialSettings(features=FeatureSettings(indicators=(), calendar=False, volatility_bars=(), sarimax={"forecast_len": 0}))
    groups = ["indicators", "calendar", "volatility", "sarimax", "forecasts", "forecast_len", "confidence_interval"]
    trial = FixedTrial({})
    assert suggest(trial, bare, groups) == bare
    assert trial.params == {}


def test_a_group_that_is_left_out_stays_out():
    trial = FixedTrial({"forecast_len": 12, "use_sarimax": False})
    assert suggest(trial, BASE, ["sarimax", "forecast_len"]).features.sarimax.forecast_len == 0


def test_the_columns_follow_the_groups(parts):
    """What the agent sees, and not only what the settings say."""
    pipeline = {}
    for name, parameters in {"with": {}, "without": {"use_calendar": False, "use_sarimax": False}}.items():
        settings = suggest(FixedTrial({"use_calendar": True, "use_sarimax": True} | parameters), BASE, ["calendar", "sarimax"])
        features = settings.features.model_copy(update={"forecasts": ForecastSettings()})
        pipeline[name] = set(FeaturePipeline(features).fit(parts.train.candles).transform(parts.train.candles).names)
    gone = pipeline["with"] - pipeline["without"]
    assert any("sarimax" in column for column in gone)
    assert any("hour" in column for column in gone)


def test_every_reward_can_be_drawn():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = {suggest(study.ask(), TrialSettings(), ["reward"]).env.reward for _ in range(100)}
    assert drawn == set(REWARDS)


def test_settings_that_do_not_fit_together_are_refused_in_one_line():
    shorts = TrialSettings(env=EnvSettings(action_scheme="orders", targets=(-1.0, 0.0, 1.0)))
    with pytest.raises(InputError, match=r"settings must fit together.*targets") as error:
        suggest(FixedTrial({"action_scheme": "targets"}), shorts, ["action_scheme"])
    assert "\n" not in str(error.value)


def test_what_the_algorithm_ignores_is_not_searched_and_is_named():
    base = TrialSettings(agent=AgentSettings(algorithm="ppo"))
    asked = ("gamma", "lstm_size", "clip_range")
    assert left_out(base, asked) == ["lstm_size"]
    assert set(known_good(base, asked)[0]) == {"horizon_bars", "clip_range"}
    assert left_out(TrialSettings(), asked) == []
