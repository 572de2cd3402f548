import optuna
import pytest

from agents import AgentSettings, known_good, suggest_agent

NAMES = {"n_steps", "n_epochs", "learning_rate", "horizon_bars", "gae_lambda", "clip_range", "ent_coef", "lstm_size"}


def test_every_suggestion_arrives_in_the_settings():
    params = {
        "n_steps": 64, "n_epochs": 3, "learning_rate": 2e-3, "horizon_bars": 20.0, "gae_lambda": 0.9, "clip_range": 0.3,
        "ent_coef": 1e-4, "lstm_size": 16,
    }  # fmt: skip
    assert set(params) == NAMES
    settings = suggest_agent(optuna.trial.FixedTrial(params), AgentSettings())
    for name, value in params.items():
        assert (1 / (1 - settings.gamma) if name == "horizon_bars" else getattr(settings, name)) == pytest.approx(value)


def test_what_is_not_searched_stays_as_configured():
    base = AgentSettings(n_envs=32, vf_coef=0.7, max_grad_norm=0.4, lstm_layers=2, n_minibatches=2)
    settings = suggest_agent(optuna.trial.FixedTrial(known_good(base)), base)
    assert settings.model_dump(exclude={"head_layers"}) == pytest.approx(base.model_dump(exclude={"head_layers"}))


@pytest.mark.parametrize(
    "base",
    [
        AgentSettings(),
        AgentSettings(learning_rate=0.5, gamma=0.5, ent_coef=0.0, n_steps=48, lstm_size=5, n_epochs=1, clip_range=2),
    ],
)
def test_the_configured_settings_can_be_drawn_whatever_they_are(base):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(known_good(base))
    first = suggest_agent(study.ask(), base).model_dump(exclude={"head_layers"})
    expected = base.model_dump(exclude={"head_layers"}) | {"ent_coef": max(base.ent_coef, 1e-8)}
    assert first == pytest.approx(expected)
    for _ in range(50):
        suggest_agent(study.ask(), base)
