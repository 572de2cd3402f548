"""The learning algorithms: the recurrent PPO of this room, and three of its kin as peers.

A new algorithm is an entry of `ALGORITHMS` and the function that imports its classes. torch and Stable-Baselines3 take seconds to
import, so the classes are imported when one is built, and the names are known without.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from gymnasium import spaces

from common import InputError, needed_for

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from stable_baselines3.common.vec_env import VecEnv

    from agents.settings import AgentSettings

Arguments = dict[str, Any]
RECURRENT = frozenset({"lstm_size", "lstm_layers", "sequence_length", "mask_orders"})
"""settings that mean something to an LSTM only"""
OF_PPO = frozenset({"n_epochs", "n_minibatches", "clip_range"})
"""settings of updates in several passes, which are held close to the old policy"""


class Classes(NamedTuple):
    """What an algorithm is built from.

    Args:
        learner: the class that learns.
        policy: the class of its policy.
        foreign: the plain class of Stable-Baselines3 or its contrib, which other people's programs load a .zip with.
    """

    learner: "Callable[..., BaseAlgorithm]"
    policy: "type[BasePolicy]"
    foreign: Any


class ForeignFile(NamedTuple):
    """How the .zip files of an algorithm are read and written, see `agents.sb3_zip`.

    Args:
        policy: name of the policy in the plain class.
        hyperparameters: attributes of the model that are settings of the same name here.
        heads: the attribute of the policy that holds its layers up to the output.
        with_output: whether the output layer is one of these.
    """

    policy: str = "MlpPolicy"
    hyperparameters: tuple[str, ...] = ("n_steps", "n_epochs", "gamma", "gae_lambda", "ent_coef", "vf_coef", "max_grad_norm")
    heads: str = "mlp_extractor.policy_net"
    with_output: bool = False


class Algorithm(NamedTuple):
    """One way to learn.

    Args:
        classes: of the settings, what it is built from; imports them.
        arguments: of the settings, what the learner takes beside policy, env, learning rate, gamma, seed and device.
        policy_arguments: of the settings, the shape of the networks.
        ignores: agent settings that mean nothing to it; a search leaves them out.
        foreign: how its .zip files are read and written.
        recurrent: it remembers, and its deterministic decisions are made in numpy.
        probabilistic: its policy is a distribution over the actions.
        discrete_only: it needs a list of actions.
    """

    classes: "Callable[[AgentSettings], Classes]"
    arguments: "Callable[[AgentSettings], Arguments]"
    policy_arguments: "Callable[[AgentSettings], Arguments]"
    ignores: frozenset[str]
    foreign: ForeignFile = ForeignFile()
    recurrent: bool = False
    probabilistic: bool = True
    discrete_only: bool = False


def _recurrent_ppo(settings: "AgentSettings") -> Classes:
    import sb3_contrib

    from agents.recurrent_policy import MaskedMlpLstmPolicy, MlpLstmPolicy
    from agents.recurrent_ppo import RecurrentPPO

    return Classes(RecurrentPPO, MaskedMlpLstmPolicy if settings.mask_orders else MlpLstmPolicy, sb3_contrib.RecurrentPPO)


def _ppo(settings: "AgentSettings") -> Classes:
    from stable_baselines3 import PPO
    from stable_baselines3.common.policies import ActorCriticPolicy

    return Classes(PPO, ActorCriticPolicy, PPO)


def _a2c(settings: "AgentSettings") -> Classes:
    from stable_baselines3 import A2C
    from stable_baselines3.common.policies import ActorCriticPolicy

    return Classes(A2C, ActorCriticPolicy, A2C)


def _qr_dqn(settings: "AgentSettings") -> Classes:
    from sb3_contrib import QRDQN
    from sb3_contrib.qrdqn.policies import QRDQNPolicy

    return Classes(QRDQN, QRDQNPolicy, QRDQN)


def _a2c_arguments(settings: "AgentSettings") -> Arguments:
    names = ("n_steps", "gae_lambda", "ent_coef", "vf_coef", "max_grad_norm")
    return {name: getattr(settings, name) for name in names}


def _ppo_arguments(settings: "AgentSettings") -> Arguments:
    names = ("batch_size", "n_epochs", "clip_range")
    return _a2c_arguments(settings) | {name: getattr(settings, name) for name in names}


def _qr_dqn_arguments(settings: "AgentSettings") -> Arguments:
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


def _heads(settings: "AgentSettings") -> Arguments:
    return {"net_arch": list(settings.head_layers)}


def _lstm(settings: "AgentSettings") -> Arguments:
    return {"lstm_hidden_size": settings.lstm_size, "n_lstm_layers": settings.lstm_layers, **_heads(settings)}


ALGORITHMS: dict[str, Algorithm] = {
    "recurrent_ppo": Algorithm(
        _recurrent_ppo,
        lambda settings: _ppo_arguments(settings) | {"sequence_length": settings.sequence_length},
        _lstm,
        ignores=frozenset({"replay_steps"}),
        foreign=ForeignFile(policy="MlpLstmPolicy"),
        recurrent=True,
    ),
    "ppo": Algorithm(_ppo, _ppo_arguments, _heads, ignores=RECURRENT | {"replay_steps"}),
    "a2c": Algorithm(_a2c, _a2c_arguments, _heads, ignores=RECURRENT | OF_PPO | {"replay_steps"}),
    "qr_dqn": Algorithm(
        _qr_dqn,
        _qr_dqn_arguments,
        _heads,
        ignores=RECURRENT | {"gae_lambda", "clip_range", "ent_coef", "vf_coef"},
        # `n_steps` of its model are those of a return
        foreign=ForeignFile(hyperparameters=("gamma",), heads="quantile_net.quantile_net", with_output=True),
        probabilistic=False,
        discrete_only=True,
    ),
}
"""by name, the default first"""


def build_learner(settings: "AgentSettings", env: "VecEnv", seed: int) -> "BaseAlgorithm":
    """The algorithm on the env; rewards are divided by a running deviation of the return, since their scales differ.

    Raises:
        InputError: QR-DQN on a continuous action, a mask on anything but the 12 orders, or CUDA without a GPU.
    """
    with needed_for("training"):
        import torch
        from stable_baselines3.common.vec_env import VecNormalize

    if settings.device == "cuda" and not torch.cuda.is_available():
        raise InputError("`agent.device: cuda` needs a GPU that torch can use, but there is none; set it to cpu")
    algorithm = ALGORITHMS[settings.algorithm]
    if algorithm.discrete_only and not isinstance(env.action_space, spaces.Discrete):
        raise InputError(
            f"`agent.algorithm: {settings.algorithm}` needs a list of actions, but the env has {env.action_space}; use orders"
        )
    classes = algorithm.classes(settings)
    torch.set_num_threads(settings.threads or 1)
    model = classes.learner(
        classes.policy,
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


def blank_policy(settings: "AgentSettings", observations: spaces.Space[Any], actions: spaces.Space[Any]) -> "BasePolicy":
    """The policy alone, with fresh weights, on the CPU; it can decide, but not learn."""
    algorithm = ALGORITHMS[settings.algorithm]
    arguments = algorithm.policy_arguments(settings) | {"optimizer_class": NoOptimizer}
    return algorithm.classes(settings).policy(observations, actions, lambda _: settings.learning_rate, **arguments)


class NoOptimizer:
    """In Adam's place: torch takes seconds to import what its optimizers need."""

    def __init__(self, parameters: Any, **options: Any) -> None:
        pass


def learning_rate(settings: "AgentSettings") -> float | Callable[[float], float]:
    """Adam's step size, or how it follows from the share of the training that remains."""
    if settings.learning_rate_schedule == "linear":
        return lambda remaining: settings.learning_rate * remaining
    return settings.learning_rate


def fastest_threads(policy: "BasePolicy", batch_size: int, rounds: int = 5) -> int:
    """1 or all cores, whichever is quicker in a few products of an update's size; the weights stay as they are."""
    import torch

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
