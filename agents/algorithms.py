"""How each learning algorithm is built from the settings: the recurrent PPO of this room, and three of its kin as peers."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from sb3_contrib import QRDQN
from sb3_contrib.qrdqn.policies import QRDQNPolicy
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from agents.recurrent_policy import MaskedMlpLstmPolicy, MlpLstmPolicy
from agents.recurrent_ppo import RecurrentPPO
from agents.settings import AgentSettings
from market import InputError

Arguments = dict[str, Any]


class Algorithm(NamedTuple):
    """One way to learn.

    Args:
        make: its class.
        policy: of the settings, the class of the policy.
        arguments: of the settings, what `make` takes beside policy, env, learning rate, gamma, seed and device.
        policy_arguments: of the settings, the shape of the networks.
    """

    make: Callable[..., BaseAlgorithm]
    policy: Callable[[AgentSettings], type[BasePolicy]]
    arguments: Callable[[AgentSettings], Arguments]
    policy_arguments: Callable[[AgentSettings], Arguments]


def _on_policy(settings: AgentSettings) -> Arguments:
    names = ("n_steps", "gae_lambda", "ent_coef", "vf_coef", "max_grad_norm")
    return {name: getattr(settings, name) for name in names}


def _ppo(settings: AgentSettings) -> Arguments:
    names = ("batch_size", "n_epochs", "clip_range")
    return _on_policy(settings) | {name: getattr(settings, name) for name in names}


def _qr_dqn(settings: AgentSettings) -> Arguments:
    """As many steps between two rounds of updates as a rollout of PPO has, then updates; the target follows every 10th."""
    return {
        "buffer_size": settings.replay_steps,
        "learning_starts": min(settings.replay_steps, 10 * settings.n_envs * settings.n_steps // settings.n_minibatches),
        "batch_size": settings.batch_size,
        "train_freq": settings.n_steps,
        "gradient_steps": settings.n_epochs * settings.n_minibatches,
        "target_update_interval": 10 * settings.n_steps * settings.n_envs,
        "exploration_fraction": 0.3,
        "exploration_final_eps": 0.02,
        "max_grad_norm": settings.max_grad_norm,
    }


def _heads(settings: AgentSettings) -> Arguments:
    return {"net_arch": list(settings.head_layers)}


def _lstm(settings: AgentSettings) -> Arguments:
    return {"lstm_hidden_size": settings.lstm_size, "n_lstm_layers": settings.lstm_layers, **_heads(settings)}


ALGORITHMS: dict[str, Algorithm] = {
    "recurrent_ppo": Algorithm(
        RecurrentPPO,
        lambda settings: MaskedMlpLstmPolicy if settings.mask_orders else MlpLstmPolicy,
        lambda settings: _ppo(settings) | {"sequence_length": settings.sequence_length},
        _lstm,
    ),
    "ppo": Algorithm(PPO, lambda _: ActorCriticPolicy, _ppo, _heads),
    "a2c": Algorithm(A2C, lambda _: ActorCriticPolicy, _on_policy, _heads),
    "qr_dqn": Algorithm(QRDQN, lambda _: QRDQNPolicy, _qr_dqn, _heads),
}


def build_learner(settings: AgentSettings, env: VecEnv, seed: int) -> BaseAlgorithm:
    """The algorithm on the env; rewards are divided by a running deviation of the return, since their scales differ.

    Raises:
        InputError: QR-DQN on a continuous action, a mask on anything but the 12 orders, or CUDA without a GPU.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise InputError("`agent.device: cuda` needs a GPU that torch can use, but there is none; set it to cpu")
    if settings.algorithm == "qr_dqn" and not isinstance(env.action_space, spaces.Discrete):
        raise InputError(f"`agent.algorithm: qr_dqn` needs a list of actions, but the env has {env.action_space}; use orders")
    algorithm = ALGORITHMS[settings.algorithm]
    torch.set_num_threads(settings.threads or 1)
    model = algorithm.make(
        algorithm.policy(settings),
        VecNormalize(env, norm_obs=False, norm_reward=True, gamma=settings.gamma),
        learning_rate=learning_rate(settings),
        gamma=settings.gamma,
        policy_kwargs=algorithm.policy_arguments(settings),
        seed=seed,
        device=settings.device,
        **algorithm.arguments(settings),
    )
    if settings.threads == 0:
        torch.set_num_threads(fastest_threads(model.policy, settings.batch_size))
    return model


def blank_policy(settings: AgentSettings, observations: spaces.Space[Any], actions: spaces.Space[Any]) -> BasePolicy:
    """The policy alone, with fresh weights, on the CPU; it can decide, but not learn."""
    algorithm = ALGORITHMS[settings.algorithm]
    arguments = algorithm.policy_arguments(settings) | {"optimizer_class": NoOptimizer}
    return algorithm.policy(settings)(observations, actions, lambda _: settings.learning_rate, **arguments)


class NoOptimizer:
    """In Adam's place: torch takes seconds to import what its optimizers need."""

    def __init__(self, parameters: Any, **options: Any) -> None:
        pass


def learning_rate(settings: AgentSettings) -> float | Callable[[float], float]:
    """Adam's step size, or how it follows from the share of the training that remains."""
    if settings.learning_rate_schedule == "linear":
        return lambda remaining: settings.learning_rate * remaining
    return settings.learning_rate


def fastest_threads(policy: BasePolicy, batch_size: int, rounds: int = 5) -> int:
    """1 or all cores, whichever is quicker in a few products of an update's size; the weights stay as they are."""
    widest = max(parameter.shape[0] for parameter in policy.parameters() if parameter.ndim == 2)
    one, two = torch.ones(batch_size, widest), torch.ones(widest, widest)
    seconds = {}
    for threads in sorted({1, torch.multiprocessing.cpu_count()}):
        torch.set_num_threads(threads)
        seconds[threads] = min(_seconds_of(lambda: torch.tanh(one @ two)) for _ in range(rounds))
    return min(seconds, key=seconds.__getitem__)


def _seconds_of(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
