"""Stable-Baselines3's .zip files, to and from. READING ONE CAN RUN ANY CODE that its maker put into it: it holds pickles."""

import io
from pathlib import Path
from typing import Any

from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.save_util import recursive_getattr
from torch import nn

from agents.algorithms import ALGORITHMS, blank_policy
from agents.learned_agent import LearnedAgent
from agents.settings import AgentSettings
from common import InputError, one_line, unknown, write_atomically

WARNING = "an SB3 .zip holds pickles, and reading one can run any code that its maker put into it"


class ZipError(InputError):
    """A .zip that may not or cannot be read, or an agent that has no place in one."""


def import_zip(path: Path, algorithm: str = "recurrent_ppo", *, zip_can_run_code: bool = False) -> LearnedAgent:
    """The agent of a model that Stable-Baselines3 or sb3-contrib saved.

    Args:
        algorithm: what saved it, one of `ALGORITHMS`.
        zip_can_run_code: must be True; only give it for files of people whom you would let run programs here.

    Raises:
        ZipError: without the flag, before the file is touched; or a file that is no such model.
    """
    _require(zip_can_run_code, path)
    if algorithm not in ALGORITHMS:
        raise ZipError(unknown("algorithm", algorithm, ALGORITHMS))
    try:
        model = ALGORITHMS[algorithm].classes(AgentSettings(algorithm=algorithm)).foreign.load(path, device="cpu")
        settings = _settings_of(model, algorithm)
        policy = blank_policy(settings, model.observation_space, model.action_space)
        policy.load_state_dict(model.policy.state_dict())
    except Exception as error:  # whatever is wrong in a foreign file, the user needs its name and one line
        raise ZipError(f"cannot read {path} as a model of {algorithm}: {one_line(error)}") from error
    return LearnedAgent(policy, settings)


def export_zip(agent: LearnedAgent, path: Path, *, zip_can_run_code: bool = False) -> None:
    """Write the agent as the plain class of Stable-Baselines3 or sb3-contrib would: who loads it needs nothing of ours.

    Raises:
        ZipError: without the flag, or an agent with a mask, which the plain classes do not know.
    """
    _require(zip_can_run_code, path)
    settings = agent.settings
    if settings.mask_orders:
        raise ZipError("an agent with `mask_orders` has a policy that no plain class knows; it cannot be exported")
    algorithm = ALGORITHMS[settings.algorithm]
    arguments = algorithm.arguments(settings)
    arguments.pop("sequence_length", None)  # ours alone
    model = algorithm.classes(settings).foreign(
        algorithm.foreign.policy, None, learning_rate=settings.learning_rate, gamma=settings.gamma, device="cpu",
        _init_setup_model=False,
        policy_kwargs=algorithm.policy_arguments(settings), **arguments,
    )  # fmt: skip
    model.observation_space, model.action_space, model.n_envs = agent.policy.observation_space, agent.action_space, 1
    model._setup_model()
    model.policy.load_state_dict(agent.policy.state_dict())
    held = io.BytesIO()
    model.save(held)
    write_atomically(path, held.getvalue())


def _require(zip_can_run_code: bool, path: Path) -> None:
    if not zip_can_run_code:
        raise ZipError(f"{WARNING}; if you trust whoever made {path}, say so: --zip-can-run-code")


def _settings_of(model: Any, algorithm: str) -> AgentSettings:
    """As much of the model's own settings as the agent's have a name for."""
    if not isinstance(model.observation_space, spaces.Box) or len(model.observation_space.shape) != 1:
        raise ZipError(f"an agent sees a flat row of numbers, but the model sees {model.observation_space}")
    foreign = ALGORITHMS[algorithm].foreign
    found: dict[str, Any] = {name: getattr(model, name) for name in foreign.hyperparameters if hasattr(model, name)}
    found |= {"algorithm": algorithm, "n_envs": model.n_envs, "n_minibatches": 1, "learning_rate": model.lr_schedule(1.0)}
    policy = model.policy
    if isinstance(policy, RecurrentActorCriticPolicy):
        found |= {"lstm_size": policy.lstm_actor.hidden_size, "lstm_layers": policy.lstm_actor.num_layers}
    layers = recursive_getattr(policy, foreign.heads)
    sizes = [layer.out_features for layer in layers if isinstance(layer, nn.Linear)]
    found["head_layers"] = sizes[:-1] if foreign.with_output else sizes
    return AgentSettings.model_validate(found)
