"""`BitcoinTradingVectorEnv`: many accounts in one call of the kernel, as a `gymnasium.vector.VectorEnv`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from common import InputError
from envs.accounts import Trading, at_least_one
from envs.market_arrays import Rows, Series
from envs.rewards import Reward
from envs.settings import EnvSettings


class BitcoinTradingVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """`num_envs` times `BitcoinTradingEnv`, whose docstring is the contract of observations, actions and rewards.

    `gymnasium.make_vec("coindojo/BitcoinTrading-v0", num_envs=256, autoreset_mode="SameStep", ...)` makes one. Env i is
    seeded with `seed + i` and then does what the scalar env seeded so does, to the byte. What follows an episode's last step is
    Gymnasium's `autoreset_mode`:

    | mode | a finished env |
    | --- | --- |
    | `NEXT_STEP` (default) | ignores its next action, begins anew, and gives reward 0 for that step |
    | `SAME_STEP` | begins anew at once; `infos["final_obs"]` and `infos["final_info"]` hold what ended |
    | `DISABLED` | must be reset: `reset(options={"reset_mask": bool (num_envs,)})` |

    `infos` is empty but for what an end brings; `trading.accounts` has the state of every account as arrays.

    Args:
        candles, features, settings, evaluation, reward: as for `BitcoinTradingEnv`.
        num_envs: number of accounts.
        autoreset_mode: an `AutoresetMode`, or its value.
    """

    def __init__(
        self,
        candles: Series,
        features: Rows,
        settings: EnvSettings | None = None,
        num_envs: int = 64,
        evaluation: bool = False,
        reward: Reward | str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        self.settings = EnvSettings() if settings is None else settings
        self.num_envs = num_envs
        self.trading = Trading(candles, features, self.settings, at_least_one(num_envs), evaluation, reward)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = self.trading.observation_space
        self.single_action_space = self.trading.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators: list[np.random.Generator] = [np_random(None)[0] for _ in range(num_envs)]
        self._finished: list[int] = []
        self._begun = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        chosen = self._chosen(options)
        if not self._begun and len(chosen) < self.num_envs:
            raise InputError("the first `reset` must be of all envs, for an env without an episode has nothing to observe")
        seeds = list(seed) if isinstance(seed, Sequence) else [None if seed is None else seed + i for i in range(self.num_envs)]
        if len(seeds) != self.num_envs:
            raise InputError(f"`seed` must be an integer or a list of {self.num_envs}, but got {len(seeds)} of them")
        for i in chosen:
            if seeds[i] is not None:
                self._generators[i] = np_random(seeds[i])[0]
                self.trading.forget(i)
            self.trading.begin(i, self._generators[i])
        self._finished = [i for i in self._finished if i not in chosen]
        self._begun = True
        return self.trading.observe(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        if not self._begun:
            raise InputError("no episode has begun; call `reset` before `step`")
        if self._finished and self.autoreset_mode == AutoresetMode.DISABLED:
            raise InputError(f"the episodes of envs {self._finished} are over; reset them with `options={{'reset_mask': ...}}`")
        resting = self._finished
        observations, rewards, terminated, truncated, ended = self.trading.step(actions)
        for i in resting:  # an account that is over was passed by, so its flags are false and its reward is 0
            self._begin(i, observations)
        rewards[resting] = 0.0
        self._finished = ended
        infos: dict[str, Any] = {}
        if ended:
            infos = self._ends(ended)
            if self.autoreset_mode == AutoresetMode.SAME_STEP:
                infos = {"final_obs": self._objects({i: observations[i].copy() for i in ended}), "final_info": infos}
                infos |= {f"_{name}": infos["final_info"]["_net_worth"] for name in ("final_obs", "final_info")}
                for i in ended:
                    self._begin(i, observations)
                self._finished = []
        return observations, rewards, terminated, truncated, infos

    def action_masks(self) -> np.ndarray:
        """bool (num_envs, A): False for actions that a rule would refuse now; see `Trading.action_masks`."""
        return self.trading.action_masks()

    def _begin(self, i: int, observations: np.ndarray) -> None:
        self.trading.begin(i, self._generators[i])
        self.trading.observe_one(i, observations)

    def _chosen(self, options: dict[str, Any] | None) -> list[int]:
        if options is None or "reset_mask" not in options:
            return list(range(self.num_envs))
        mask = np.asarray(options["reset_mask"])
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise InputError(f"`reset_mask` must be {self.num_envs} booleans, one or more of them true, but got {mask!r}")
        return np.flatnonzero(mask).tolist()

    def _ends(self, ended: list[int]) -> dict[str, Any]:
        """Infos of the finished envs, the way Gymnasium lays them out: one array a name, and a mask of who has it."""
        infos: dict[str, Any] = {}
        for i in ended:
            infos = self._add_info(infos, self.trading.info(i), i)
        return infos

    def _objects(self, values: dict[int, np.ndarray]) -> np.ndarray:
        out = np.full(self.num_envs, None, dtype=object)
        for i, value in values.items():
            out[i] = value
        return out
