"""The trainer on markets whose best policy is known: it finds what is there, and nothing where there is nothing.

What is trained is what `python train.py --config configs/known-answer-MARKET.yaml` trains. It is judged on a series that comes
from another seed of the market, as long as the configured test range: never trained on, never looked at.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents import AgentSettings, MlpLstmPolicy, algorithms, numpy_actor as acting
from configs import load_experiment
from envs import EnvSettings
from evaluation import play
from evaluation.oracles import OraclePolicy, best_policy
from evaluation.statistics import log_growth, metrics
from market import load_candles, simulate, split
from training import train_agent

CONFIGS = Path(__file__).parents[2] / "configs"
SEEDS = range(5)
UNSEEN = 1_000  # seed of the market that is judged on


@dataclass(frozen=True)
class Answer:
    """What one seed found.

    Args:
        share: of the oracle's log growth on the same unseen bars; the log growth itself where the oracle stays in cash.
        trades: fills there.
        fees: paid there, as a share of the start.
    """

    share: float
    trades: int
    fees: float


def answer(market: str, seed: int, **overrides) -> Answer:
    name = CONFIGS / f"known-answer-{market}.yaml"
    experiment = load_experiment(name, {key.replace("__", "."): value for key, value in overrides.items()} | {"train.seed": seed})
    train = experiment.train
    parts = split(load_candles(experiment.market), experiment.split)
    trained = train_agent(parts, experiment.trial_settings, train, seed=train.seed)
    candles = simulate(experiment.market.simulate, max(experiment.market.bars // 5, 10_000), UNSEEN)
    rows = trained.features.transform(candles)
    bars = candles[len(candles) - len(rows) :]
    episode = play(bars, rows, experiment.env, trained.agent)
    best = log_growth(play(bars, rows, experiment.env, oracle(bars, experiment.env)))
    growth, paid = log_growth(episode), metrics(episode)["fees_paid"] or 0.0
    found = Answer(growth / best if best > 0 else growth, len(episode.trades), paid / experiment.env.initial_cash)
    print(f"{market}, seed {seed}: share {found.share:.3f}, {found.trades:,} trades, oracle {best:.2f}")
    return found


def oracle(bars, env: EnvSettings) -> OraclePolicy:
    return OraclePolicy(best_policy(bars, env.cost_fraction).positions)


def answers(market: str, **overrides) -> list[Answer]:
    return [answer(market, seed, **overrides) for seed in SEEDS]


# --- small budgets -------------------------------------------------------------------------------------------------------


def test_a_few_seconds_find_the_regimes_and_what_they_do_not_pay():
    small = {"market__bars": 20_000, "train__steps": 32_768, "train__validations": 4}
    assert answer("regimes", 0, **small).share > 0.9
    assert answer("regimes", 0, env__fee_bps=800, **small).trades == 0


def test_a_few_seconds_find_the_sine():
    assert answer("sine", 0, market__bars=20_000, train__steps=32_768, train__validations=4).share > 0.85


# --- the whole claims ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("budget", ["small", "whole"])
def test_the_best_policy_of_an_observed_ou_market_is_found(budget):
    """95 % of what value iteration makes, in the median over five seeds; most of it in a few seconds."""
    if budget == "small":
        assert answer("ou", 0, market__bars=20_000, train__steps=49_152, train__validations=3).share > 0.85
        return
    found = answers("ou")
    assert np.median([one.share for one in found]) >= 0.95
    assert min(one.share for one in found) > 0.9


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_observed_regimes_are_traded_as_the_closed_form_says():
    assert np.median([one.share for one in answers("regimes")]) >= 0.95


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_regimes_are_not_traded_where_costs_exceed_the_threshold():
    """m / (2 (1 - q)) is 7.5 %; at 8 % nothing pays."""
    assert [one.trades for one in answers("regimes", env__fee_bps=800)] == [0] * len(SEEDS)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sine_is_traded_almost_as_with_perfect_foresight():
    assert min(one.share for one in answers("sine")) >= 0.9


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("budget", ["small", "whole"])
def test_on_noise_the_agent_stays_out(budget):
    """Fees below 1 % of the start on every seed, so less than 20 fills of the whole account over 40,000 bars."""
    small = {"market__bars": 40_000, "train__steps": 49_152, "train__validations": 6, "env__fee_bps": 200}
    found = answers("martingale") if budget == "whole" else [answer("martingale", 0, **small)]
    assert max(one.fees for one in found) < 0.01
    assert max(one.share for one in found) < 0.1  # log growth: no edge to claim


class Forgetful(MlpLstmPolicy):
    """The same networks with a memory that is emptied before every bar: what the LSTM knew of the past is gone."""

    @staticmethod
    def _process_sequence(features, lstm_states, episode_starts, lstm):
        count = lstm_states[0].shape[1]
        nothing = torch.zeros((lstm.num_layers, len(features), lstm.hidden_size))
        outputs, _ = lstm(features[None], (nothing, nothing))  # every step a sequence of its own
        return outputs[0], tuple(state[:, :count] * 0 for state in lstm_states)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("budget", ["small", "whole"])
def test_hidden_regimes_need_the_memory_and_are_found_with_it(budget, monkeypatch):
    """95 % of the belief optimum within 400,000 steps, in the median over five seeds; below 75 % without the memory."""
    assert load_experiment(CONFIGS / "known-answer-hidden-regimes.yaml").train.steps <= 400_000
    small = {"market__bars": 20_000, "train__steps": 65_536, "train__validations": 4}
    if budget == "small":
        assert answer("hidden-regimes", 0, **small).share > 0.8
        return
    found = answers("hidden-regimes")
    assert np.median([one.share for one in found]) >= 0.95
    forget(monkeypatch)
    assert max(answer("hidden-regimes", seed).share for seed in SEEDS[:2]) < 0.75


def forget(monkeypatch):
    """Train and play without memory: in torch, and in the numpy actor."""
    recurrent = algorithms.ALGORITHMS["recurrent_ppo"]
    monkeypatch.setitem(
        algorithms.ALGORITHMS,
        "recurrent_ppo",
        recurrent._replace(classes=lambda settings: recurrent.classes(settings)._replace(policy=Forgetful)),
    )
    decide = acting.Actor.__call__
    monkeypatch.setattr(
        acting.Actor, "__call__", lambda actor, rows, memory, starts: decide(actor, rows, memory, np.ones(len(rows), bool))
    )


def test_the_forgetful_policy_has_no_memory(monkeypatch):
    """The peer of the test above is what it says: its past changes nothing, in training's road and in the actor's."""
    forget(monkeypatch)
    policy: Any = algorithms.blank_policy(AgentSettings(lstm_size=8), spaces.Box(-1, 1, (4,), np.float32), spaces.Discrete(2))
    actor, rows = acting.Actor(policy), np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    full = (np.ones((1, 3, 8), np.float32), np.ones((1, 3, 8), np.float32))
    np.testing.assert_array_equal(actor(rows, full, None)[0], actor(rows, actor.start(3), None)[0])
    states = tuple(torch.ones((1, 3, 8)) for _ in range(2))
    for starts in (torch.zeros(3), torch.ones(3)):
        distribution, _ = policy.get_distribution(torch.from_numpy(rows), states, starts)
        np.testing.assert_allclose(
            distribution.distribution.logits.detach(),
            torch.log_softmax(torch.from_numpy(actor(rows, full, None)[0]), 1), atol=1e-5,
        )  # fmt: skip
