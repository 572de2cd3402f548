"""Recurrent PPO: the interface and the mathematics of sb3-contrib's, with an update that episode starts do not slow down."""

from typing import Any, ClassVar, Literal

import numpy as np
import sb3_contrib
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RecurrentRolloutBufferSamples, RNNStates
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import explained_variance, obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from agents.recurrent_policy import CnnLstmPolicy, MlpLstmPolicy, MultiInputLstmPolicy
from agents.sequence_buffer import SequenceRolloutBuffer
from common import InputError

SEQUENCE_LENGTH = 16
MINIBATCHES = ("sequences", "slices")
FIGURES = ("entropy_loss", "policy_gradient_loss", "value_loss", "approx_kl", "clip_fraction", "loss")
KL = FIGURES.index("approx_kl")


class RecurrentPPO(sb3_contrib.RecurrentPPO):
    """Proximal policy optimisation with LSTMs (Schulman et al., 2017; Hochreiter & Schmidhuber, 1997).

    A drop-in for `sb3_contrib.RecurrentPPO`: same arguments, defaults, callbacks, loggers, losses. What differs is how the
    work is laid out: one LSTM call a minibatch instead of one a step; the figures are fetched from the device once an update
    (with `target_kl`, the KL after each minibatch); one call for all truncated episodes of a step.

    Args:
        minibatches: `sequences` (default): a minibatch is `batch_size // sequence_length` sequences from all environments and
            times, each begun with the LSTM states that were stored there. `slices`: sb3-contrib's layout, `batch_size` steps in a
            row of one environment; with it, the same rollout and seed give the same weights, to rounding. Dictionary
            observations are always cut into slices.
        sequence_length: steps of a sequence, at most `batch_size` and `n_steps`: how far gradients reach back in time. The memory
            itself reaches further, since the stored states carry it.

    Raises:
        InputError: an unknown layout, or a `sequence_length` below 1.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpLstmPolicy": MlpLstmPolicy,
        "CnnLstmPolicy": CnnLstmPolicy,
        "MultiInputLstmPolicy": MultiInputLstmPolicy,
    }

    policy: RecurrentActorCriticPolicy
    rollout_buffer: Any
    _last_obs: Any
    _last_episode_starts: Any
    _last_lstm_states: Any
    clip_range: Any
    clip_range_vf: Any

    def __init__(
        self,
        policy: str | type[RecurrentActorCriticPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 3e-4,
        n_steps: int = 128,
        batch_size: int | None = 128,
        n_epochs: int = 10,
        gamma: float = 0.99,
        gae_lambda: float = 0.95,
        clip_range: float | Schedule = 0.2,
        clip_range_vf: float | Schedule | None = None,
        normalize_advantage: bool = True,
        ent_coef: float = 0.0,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        target_kl: float | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
        *,
        minibatches: Literal["sequences", "slices"] = "sequences",
        sequence_length: int = SEQUENCE_LENGTH,
    ) -> None:
        if minibatches not in MINIBATCHES:
            raise InputError(f"`minibatches` must be one of {', '.join(MINIBATCHES)}, but got {minibatches!r}; choose one")
        if sequence_length < 1:
            raise InputError(f"`sequence_length >= 1` must hold, but got {sequence_length}; raise it")
        self.minibatches = minibatches
        self.sequence_length = sequence_length
        super().__init__(
            policy, env, learning_rate, n_steps, batch_size, n_epochs, gamma, gae_lambda, clip_range, clip_range_vf,
            normalize_advantage, ent_coef, vf_coef, max_grad_norm, use_sde, sde_sample_freq, target_kl, stats_window_size,
            tensorboard_log, policy_kwargs, verbose, seed, device, _init_setup_model,
        )  # fmt: skip

    def _setup_model(self) -> None:
        super()._setup_model()
        if isinstance(self.policy.optimizer, torch.optim.Adam):
            for group in self.policy.optimizer.param_groups:
                group["fused"] = True  # one kernel a weight instead of ten: a sixth of an update at 256 units
        if self.minibatches == "slices" or isinstance(self.observation_space, spaces.Dict):
            return
        lstm = self.policy.lstm_actor
        self.rollout_buffer = SequenceRolloutBuffer(
            self.n_steps,
            self.observation_space,
            self.action_space,
            (lstm.num_layers, self.n_envs, lstm.hidden_size),
            self.device,
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
            n_envs=self.n_envs,
            sequence_length=min(self.sequence_length, self.batch_size or self.n_steps),
            rng=np.random.default_rng(self.seed),
        )

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Play `n_rollout_steps` steps in each environment with the current policy, and keep them in the buffer.

        Returns:
            False if the callback asked to stop.
        """
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        if self.use_sde:
            self.policy.reset_noise(env.num_envs)
        callback.on_rollout_start()
        for n_steps in range(n_rollout_steps):
            if self.use_sde and self.sde_sample_freq > 0 and n_steps % self.sde_sample_freq == 0:
                self.policy.reset_noise(env.num_envs)
            with torch.no_grad():
                obs_tensor = self._own(self._last_obs)
                episode_starts = self._starts(self._last_episode_starts)
                actions_tensor, values, log_probs, lstm_states = self.policy(obs_tensor, self._last_lstm_states, episode_starts)
            actions = actions_tensor.cpu().numpy()
            new_obs, rewards, dones, infos = env.step(self._within_bounds(actions))
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            self._bootstrap(rewards, dones, infos, lstm_states)
            rollout_buffer.add(
                self._last_obs,
                actions.reshape(-1, 1) if isinstance(self.action_space, spaces.Discrete) else actions,
                rewards,
                self._last_episode_starts,
                values,
                log_probs,
                lstm_states=self._last_lstm_states,
            )
            self._last_obs, self._last_episode_starts, self._last_lstm_states = new_obs, dones, lstm_states
        with torch.no_grad():
            last_values = self.policy.predict_values(
                self._own(self._last_obs),
                self._last_lstm_states.vf,
                self._starts(self._last_episode_starts),
            )
        rollout_buffer.compute_returns_and_advantage(last_values=last_values, dones=np.asarray(self._last_episode_starts))
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """`n_epochs` passes over the rollout (Schulman et al., 2017, algorithm 1)."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip_range, clip_range_vf = self._clip_ranges()
        figures: list[torch.Tensor] = []
        stopped = False
        for epoch in range(self.n_epochs):
            first = len(figures)
            for data in self.rollout_buffer.get(self.batch_size):
                loss, of_batch = self._loss(data, clip_range, clip_range_vf)
                figures.append(of_batch)
                stopped = self.target_kl is not None and bool(of_batch[KL] > 1.5 * self.target_kl)
                if stopped:
                    break
                self.policy.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
            self._n_updates += 1
            if stopped:
                if self.verbose >= 1:
                    print(f"Early stopping at step {epoch} due to reaching max kl: {figures[-1][KL]:.2f}")
                break
        self._record(torch.stack(figures).cpu().numpy(), first)

    def _loss(
        self, data: RecurrentRolloutBufferSamples, clip_range: float, clip_range_vf: float | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of a minibatch, and its figures in the order of `FIGURES`, without their history.

        Policy: the clipped surrogate objective (equation 7); value: the squared error to the lambda-return; the padding of short
        sequences counts nowhere. Approximate KL: Schulman (2020), http://joschu.net/blog/kl-approx.html, k3.
        """
        actions = data.actions.long().flatten() if isinstance(self.action_space, spaces.Discrete) else data.actions
        values, log_prob, entropy = self.policy.evaluate_actions(
            data.observations,
            actions,
            data.lstm_states,
            data.episode_starts,
        )
        mask = data.mask
        count = mask.sum()

        def mean(figure: torch.Tensor) -> torch.Tensor:
            return (figure * mask).sum() / count

        advantages = data.advantages
        if self.normalize_advantage:
            centred = advantages - mean(advantages)
            deviation = torch.sqrt((centred**2 * mask).sum() / (count - 1).clamp(min=1))  # a lone step has no deviation
            advantages = centred / (deviation + 1e-8)
        log_ratio = torch.where(mask > 0, log_prob - data.old_log_prob, 0.0)  # padding must not overflow
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
        policy_loss = -mean(torch.min(advantages * ratio, advantages * clipped))
        values = values.flatten()
        if clip_range_vf is not None:
            values = data.old_values + (values - data.old_values).clamp(-clip_range_vf, clip_range_vf)
        value_loss = mean((data.returns - values) ** 2)
        entropy_loss = mean(log_prob if entropy is None else -entropy)
        loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss
        with torch.no_grad():
            clip_fraction = mean(((ratio - 1).abs() > clip_range).float())
            figures = torch.stack((entropy_loss, policy_loss, value_loss, mean(ratio - 1 - log_ratio), clip_fraction, loss))
        return loss, figures

    def _record(self, figures: np.ndarray, last_pass: int) -> None:
        """Log the update as sb3-contrib does: means over all minibatches, the KL of the last pass, the last loss."""
        means = dict(zip(FIGURES, figures.mean(axis=0).tolist(), strict=True))
        means["approx_kl"] = float(figures[last_pass:, KL].mean())
        means["loss"] = float(figures[-1, FIGURES.index("loss")])
        for name, figure in means.items():
            self.logger.record(f"train/{name}", figure)
        explained = explained_variance(self.rollout_buffer.values.flatten(), self.rollout_buffer.returns.flatten())
        self.logger.record("train/explained_variance", explained)
        if hasattr(self.policy, "log_std"):
            self.logger.record("train/std", self.policy.log_std.exp().mean().item())
        clip_range, clip_range_vf = self._clip_ranges()
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip_range)
        if clip_range_vf is not None:
            self.logger.record("train/clip_range_vf", clip_range_vf)

    def _clip_ranges(self) -> tuple[float, float | None]:
        left = self._current_progress_remaining
        return self.clip_range(left), None if self.clip_range_vf is None else self.clip_range_vf(left)

    def _own(self, observations: Any) -> Any:
        """A copy in memory of torch's own: a product's last bit can depend on where its input lies, and numpy's lies anywhere."""
        tensors = obs_as_tensor(observations, self.device)
        return {key: one.clone() for key, one in tensors.items()} if isinstance(tensors, dict) else tensors.clone()

    def _starts(self, starts: np.ndarray | None) -> torch.Tensor:
        return torch.as_tensor(starts, dtype=torch.float32, device=self.device)

    def _within_bounds(self, actions: np.ndarray) -> np.ndarray:
        """A Gaussian's draw may lie outside of the box that the environment takes."""
        if isinstance(self.action_space, spaces.Box):
            return np.clip(actions, self.action_space.low, self.action_space.high)
        return actions

    def _bootstrap(self, rewards: np.ndarray, dones: np.ndarray, infos: list[dict[str, Any]], states: RNNStates) -> None:
        """Add the discounted value of the last observation where an episode was cut off: it did not end there."""
        cut = [
            env
            for env in np.flatnonzero(dones)
            if infos[env].get("TimeLimit.truncated", False) and infos[env].get("terminal_observation") is not None
        ]
        if not cut:
            return
        seen = [infos[env]["terminal_observation"] for env in cut]
        together = {key: np.stack([one[key] for one in seen]) for key in seen[0]} if isinstance(seen[0], dict) else np.stack(seen)
        observations = self._own(together)
        hidden, cell = (state[:, torch.as_tensor(cut, device=self.device)] for state in states.vf)
        with torch.no_grad():
            values = self.policy.predict_values(observations, (hidden, cell), self._starts(np.zeros(len(cut))))
        rewards[cut] += self.gamma * values.flatten().cpu().numpy()
