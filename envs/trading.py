"""The accounts and the market behind both environments: a thin shell around the kernel, which does everything."""

import numpy as np

from envs import kernel
from envs.rewards import REWARDS
from envs.settings import EnvSettings
from features import FeatureMatrix
from market import Candles, InputError


class Trading:
    """`n` accounts on one market. Attributes `market`, `rules`, `accounts` are the kernel's tuples.

    Args:
        candles: what is traded on.
        features: rows of the candles' last bars; a `FeatureMatrix`, or float32 (T, F) with T <= len(candles).
        settings: costs, reward, episode.
        n: number of accounts.
        evaluation: episodes are the whole range, from its first bar, instead of `episode_bars` from a random one.

    Raises:
        InputError: features of a wrong shape, type or time, or fewer than 2 bars.
    """

    def __init__(
        self, candles: Candles, features: FeatureMatrix | np.ndarray, settings: EnvSettings, n: int, evaluation: bool
    ) -> None:
        values = features.values if isinstance(features, FeatureMatrix) else np.asarray(features)
        _check_features(candles, features, values)
        self.candles = candles[len(candles) - len(values) :]
        self.feature_bound = features.bound if isinstance(features, FeatureMatrix) else np.inf
        rows = np.ascontiguousarray(values).view()
        rows.flags.writeable = False
        self.market = kernel.Market(self.candles.column("open"), self.candles.column("close"), rows)
        self.rules = kernel.Rules(
            initial_cash=settings.initial_cash,
            fee=settings.fee_bps / 1e4,
            adverse=(settings.half_spread_bps + settings.slippage_bps) / 1e4,
            min_trade=settings.min_trade,
            ruin_fraction=settings.ruin_fraction,
            annualization=candles.bars_per_year,
        )
        self.accounts = kernel.new_accounts(n, settings.reward_window)
        whole = len(values) - 1
        self.episode_bars = whole if evaluation else min(settings.episode_bars, whole)
        self._reward = REWARDS[settings.reward]
        self._terminated = np.zeros(n, np.bool_)
        self._truncated = np.zeros(n, np.bool_)

    @property
    def observation_size(self) -> int:
        return self.market.features.shape[1] + len(kernel.ACCOUNT_COLUMNS)

    def observation_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest value of each column, float32 (F + 5,) each."""
        high = np.full(self.observation_size, self.feature_bound, np.float32)
        low = -high
        low[-len(kernel.ACCOUNT_COLUMNS) :] = [0, 0, -1, 0, 0]
        high[-len(kernel.ACCOUNT_COLUMNS) :] = 1
        return low, high

    def begin(self, i: int, rng: np.random.Generator) -> None:
        """Start an episode of account `i` at a random bar that leaves room for all of it."""
        latest = len(self.market.close) - 1 - self.episode_bars
        first = int(rng.integers(0, latest + 1)) if latest > 0 else 0
        kernel.open_account(self.accounts, i, self.rules, first, first + self.episode_bars)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards float32 (n,), terminated bool (n,), truncated bool (n,); the flags are valid until the next step."""
        rewards = np.empty(len(actions), np.float32)
        kernel.step(self.market, self.accounts, self.rules, actions, self._terminated, self._truncated)
        kernel.reward(self._reward, self.accounts, self.rules, rewards)
        return rewards, self._terminated, self._truncated

    def observe(self) -> np.ndarray:
        """A new float32 (n, F + 5) array."""
        out = np.empty((len(self.accounts.bar), self.observation_size), np.float32)
        kernel.observe(self.market, self.accounts, out)
        return out


def _check_features(candles: Candles, features: FeatureMatrix | np.ndarray, values: np.ndarray) -> None:
    if values.ndim != 2 or values.dtype != np.float32:
        raise InputError(f"features must be float32 of shape (T, F), but got {values.dtype} of shape {values.shape}")
    if not 2 <= len(values) <= len(candles):
        raise InputError(f"features need 2 to {len(candles)} rows, one for each of the last candles, but got {len(values)}")
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"features must be finite, but row {row}, column {column} is {values[row, column]}; drop the warm-up rows"
        )
    if isinstance(features, FeatureMatrix) and features.index[0] != candles.index[len(candles) - len(values)]:
        raise InputError(
            f"features must end where the candles end, but their first row is of {features.index[0]} "
            f"and stands beside the candle of {candles.index[len(candles) - len(values)]}; transform these very candles"
        )
