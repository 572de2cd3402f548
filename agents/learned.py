"""The recurrent PPO agent: how it is built from settings, and how it is kept in files that run no code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from agents.recurrent_policy import MlpLstmPolicy
from agents.recurrent_ppo import RecurrentPPO
from agents.settings import AgentSettings
from market import InputError, write_atomically

CONTINUOUS = spaces.Box(-1.0, 1.0, (1,), np.float32)


class AgentFileError(InputError):
    """An agent's folder that cannot be read; the message says which file and why."""


def build_ppo(settings: AgentSettings, env: VecEnv, seed: int) -> RecurrentPPO:
    """Recurrent PPO on the env; rewards are divided by a running deviation of the return, since their scales differ.

    One torch thread: at these sizes a second one costs more than it brings, and the sums keep their order.
    """
    torch.set_num_threads(1)
    scaled = VecNormalize(env, norm_obs=False, norm_reward=True, gamma=settings.gamma)
    return RecurrentPPO(
        "MlpLstmPolicy",
        scaled,
        learning_rate=settings.learning_rate,
        n_steps=settings.n_steps,
        batch_size=settings.batch_size,
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip_range,
        ent_coef=settings.ent_coef,
        vf_coef=settings.vf_coef,
        max_grad_norm=settings.max_grad_norm,
        sequence_length=settings.sequence_length,
        policy_kwargs=_policy_arguments(settings),
        seed=seed,
        device="cpu",
    )


class LearnedAgent:
    """A trained recurrent policy behind the common `predict`.

    Args:
        policy: what decides; its weights are the agent's own.
        settings: what it was built with.
    """

    def __init__(self, policy: RecurrentActorCriticPolicy, settings: AgentSettings) -> None:
        self.policy = policy
        self.settings = settings

    @property
    def action_space(self) -> spaces.Space[Any]:
        """The env's, on which it was trained."""
        return self.policy.action_space

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """Actions for float32 observations (n, D) or (D,); `state` carries the LSTM's memory from bar to bar."""
        return self.policy.predict(observation, state, episode_start, deterministic)

    def save(self, folder: Path) -> None:
        """Write `policy.safetensors`, then `agent.json`: a folder with an `agent.json` is complete."""
        about = {
            "format": 1,
            "settings": self.settings.model_dump(mode="json"),
            "observation_size": int(self.policy.observation_space.shape[0]),  # type: ignore[index]
            "actions": int(space.n) if isinstance(space := self.policy.action_space, spaces.Discrete) else "continuous",
        }
        write_atomically(folder / "policy.safetensors", dump_tensors(self.policy.state_dict()))
        write_atomically(folder / "agent.json", json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "LearnedAgent":
        """Read what `save` wrote; runs no code from the files.

        Raises:
            AgentFileError: a missing or damaged file, or one of another format.
        """
        try:
            about = json.loads((folder / "agent.json").read_text())
            weights = load_tensors((folder / "policy.safetensors").read_bytes())
            if about["format"] != 1:
                raise AgentFileError(f"agents of format 1 can be read, but {folder} has format {about['format']}")
            settings = AgentSettings.model_validate(about["settings"])
            policy = MlpLstmPolicy(
                spaces.Box(-np.inf, np.inf, (int(about["observation_size"]),), np.float32),
                CONTINUOUS if about["actions"] == "continuous" else spaces.Discrete(int(about["actions"])),
                lambda _: settings.learning_rate,
                **_policy_arguments(settings),
            )
            policy.load_state_dict(weights)
        except AgentFileError:
            raise
        except Exception as error:  # whatever is wrong in a damaged file, the user needs its name and one line
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise AgentFileError(f"cannot read the agent in {folder}: {reason}; train it again") from error
        return cls(policy, settings)


def _policy_arguments(settings: AgentSettings) -> dict[str, Any]:
    return {"lstm_hidden_size": settings.lstm_size, "n_lstm_layers": settings.lstm_layers, "net_arch": []}
