"""PPO in one file, in the manner of CleanRL, with the environment's action masks.

python docs/examples/ppo.py
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from envs import BitcoinTradingVectorEnv, EnvSettings
from features import FeaturePipeline
from market import simulate, split

GAMMA, LAMBDA, CLIP, ENTROPY, RATE = 0.98, 0.95, 0.2, 1e-3, 1e-3
STEPS, EPOCHS, MINIBATCHES = 128, 4, 8
REWARD_SCALE = 100.0  # log returns of an hour are small


class Policy(nn.Module):
    """Two networks: what to do, and what it is worth."""

    def __init__(self, seen: int, actions: int) -> None:
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(seen, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, actions))
        self.critic = nn.Sequential(nn.Linear(seen, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))

    def choices(self, observations: torch.Tensor, masks: torch.Tensor) -> Categorical:
        """A distribution that gives no probability to what is masked."""
        return Categorical(logits=self.actor(observations).masked_fill(~masks, -torch.inf))

    def worth(self, observations: torch.Tensor) -> torch.Tensor:
        return self.critic(observations).squeeze(-1)


def train(env: BitcoinTradingVectorEnv, updates: int, seed: int = 0) -> Policy:
    """Learn on an env with `autoreset_mode="SameStep"`."""
    torch.manual_seed(seed)
    policy = Policy(env.single_observation_space.shape[0], int(env.single_action_space.n))  # type: ignore
    optimizer = torch.optim.Adam(policy.parameters(), RATE)
    observations = env.reset(seed=seed)[0]
    for _ in range(updates):
        batch, observations = collect(env, policy, observations)
        for _ in range(EPOCHS):
            for part in torch.randperm(len(batch["action"])).chunk(MINIBATCHES):
                loss = ppo_loss(policy, {name: values[part] for name, values in batch.items()})
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
                optimizer.step()
    return policy


@torch.no_grad()
def collect(env: BitcoinTradingVectorEnv, policy: Policy, now: np.ndarray) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    """A rollout of all envs, (steps * envs, ...), with advantages and returns, and the observations after it."""
    rows: list[dict[str, Any]] = []
    for _ in range(STEPS):
        seen, masks = torch.from_numpy(now), torch.from_numpy(env.action_masks())
        choices = policy.choices(seen, masks)
        action = choices.sample()
        row = {"seen": seen, "mask": masks, "action": action, "log_prob": choices.log_prob(action), "worth": policy.worth(seen)}
        now, reward, terminated, truncated, infos = env.step(action.numpy())
        reward = torch.from_numpy(reward) * REWARD_SCALE
        if truncated.any():  # what was cut off would have gone on
            final = torch.from_numpy(np.stack(infos["final_obs"][truncated]))
            reward[truncated] += GAMMA * policy.worth(final)
        rows.append(row | {"reward": reward, "over": torch.from_numpy(terminated | truncated).float()})
    following, advantage = policy.worth(torch.from_numpy(now)), torch.zeros(env.num_envs)
    for row in reversed(rows):  # generalized advantage estimation
        goes_on = 1.0 - row["over"]
        delta = row["reward"] + GAMMA * following * goes_on - row["worth"]
        advantage = delta + GAMMA * LAMBDA * goes_on * advantage
        row["advantage"], row["return"], following = advantage, advantage + row["worth"], row["worth"]
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}, now


def ppo_loss(policy: Policy, part: dict[str, torch.Tensor]) -> torch.Tensor:
    """Of a minibatch: the clipped surrogate, the value and the entropy."""
    choices = policy.choices(part["seen"], part["mask"])
    advantage = (part["advantage"] - part["advantage"].mean()) / (part["advantage"].std() + 1e-8)
    ratio = (choices.log_prob(part["action"]) - part["log_prob"]).exp()
    surrogate = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
    value = (policy.worth(part["seen"]) - part["return"]).pow(2).mean()
    probabilities = choices.probs
    entropy = -(probabilities * probabilities.clamp_min(1e-9).log()).sum(1).mean()
    return -surrogate + 0.5 * value - ENTROPY * entropy


if __name__ == "__main__":
    parts = split(simulate("bitcoin", bars=10_000, seed=0))
    bars = parts.train.candles
    features = FeaturePipeline().fit(bars).transform(bars)
    settings = EnvSettings(reward="log_return", episode_bars=256)
    made = BitcoinTradingVectorEnv(bars, features, settings, num_envs=64, autoreset_mode="SameStep")
    train(made, updates=30)
    print(f"mean net worth of the accounts at the end: {made.trading.accounts.net_worth.mean():,.0f}")
