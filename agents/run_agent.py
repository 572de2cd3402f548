"""`load`: the agent of a run folder, with the features that it sees and the account that it trades, ready to be asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from gymnasium import spaces

from agents.ensemble import EnsembleAgent
from agents.learned_agent import FILE, LearnedAgent
from common import InputError, RunError, agent_folders, one_line, require_sealed_run
from envs import Account, EnvSettings, in_words, observe_account
from features import AnyFeatures, FeatureMatrix, load_features
from market import Candles, as_candles


@dataclass(frozen=True)
class Decision:
    """What an agent does at the close of a bar.

    Args:
        action: of the run's action space.
        words: the action in words, such as "buy with 1/2 of the cash".
        bar: open time of the bar; None if the agent was shown a row without a time.
    """

    action: Any
    words: str
    bar: pd.Timestamp | None = None

    def __str__(self) -> str:
        return self.words if self.bar is None else f"at the close of the bar of {self.bar}: {self.words}"


@dataclass(frozen=True, eq=False)
class RunAgent:
    """What a run has trained.

    Args:
        agent: of several seeds, their ensemble.
        features: what was fitted for it.
        settings: of the env that it was trained on.
    """

    agent: LearnedAgent | EnsembleAgent
    features: AnyFeatures
    settings: EnvSettings

    @property
    def action_space(self) -> spaces.Space[Any]:
        """The env's, on which it was trained."""
        return self.agent.action_space

    @property
    def _remembers(self) -> bool:
        members = self.agent.agents if isinstance(self.agent, EnsembleAgent) else (self.agent,)
        return any(member.algorithm.recurrent for member in members)

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | bool | None = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, Any]:
        """As `LearnedAgent.predict`; `observe` makes observations of rows of features."""
        return self.agent.predict(observation, state, episode_start, deterministic)

    def observe(
        self, rows: FeatureMatrix | np.ndarray, account: Account | None = None, prices: np.ndarray | float | None = None
    ) -> np.ndarray:
        """Rows of features, float32 (F,) or (n, F), with the account's columns: observations (F + 5,) or (n, F + 5).

        Args:
            account: held since the first row; None is flat, all in cash.
            prices: closes of the rows' bars; needed if the account holds coin.

        Raises:
            InputError: an account with coin, without a price or an entry.
        """
        values = rows.values if isinstance(rows, FeatureMatrix) else np.asarray(rows, np.float32)
        seen = observe_account(np.atleast_2d(values), self.settings, account, prices)
        return seen[0] if values.ndim == 1 else seen

    def decide(
        self,
        seen: Candles | pd.DataFrame | FeatureMatrix | np.ndarray,
        account: Account | None = None,
        prices: np.ndarray | float | None = None,
    ) -> Decision:
        """What it does at the last row, deterministically. An agent with a memory has gone through all rows before.

        Args:
            seen: candles, which are turned into features; or rows of features, as a `FeatureMatrix` or float32 (F,) or (n, F).
            account: held since the first row; None is flat, all in cash.
            prices: closes of the rows' bars; needed only for rows of features and an account that holds coin.

        Raises:
            InputError: too few candles, other columns than the agent was trained on, or an account that cannot be.
        """
        bar = None
        if isinstance(seen, Candles | pd.DataFrame):
            candles = as_candles(seen)
            seen = self.features.transform(candles)
            prices = candles.column("close")[seen.warmup :]
        if isinstance(seen, FeatureMatrix):
            bar = seen.index[-1]
        elif not isinstance(seen, np.ndarray) or seen.dtype.kind not in "fiu":
            raise InputError(f"a decision needs candles or rows of features, but got {type(seen).__name__}; read the file first")
        observations = np.atleast_2d(self.observe(seen, account, prices))
        if not len(observations) or not np.isfinite(observations).all():
            raise InputError(
                f"a decision needs a row of features or more, without NaN, but got {len(observations)} rows, "
                f"{int((~np.isfinite(observations)).any(axis=1).sum())} of them with NaN; leave the warm-up out"
            )
        action, state = self.predict(observations[0 if self._remembers else -1], None, True)
        for observation in observations[1:] if self._remembers else ():
            action, state = self.predict(observation, state, False)
        return Decision(action, in_words(action, self.settings), bar)


def load(folder: Path | str) -> RunAgent:
    """The agent of a run folder, or of its folder `agent`; of a run of several seeds their ensemble. Runs no code from the files.

    Raises:
        InputError: no trained agent, no run around it, settings that were edited by hand, or a damaged file.
    """
    folder = Path(folder)
    run = folder.parent if (folder / FILE).exists() else folder
    places = agent_folders(run)
    for place in places:
        require_sealed_run(place)
    members = [LearnedAgent.load(place / "agent") for place in places]
    agent = members[0] if len(members) == 1 else EnsembleAgent(members)
    return RunAgent(agent, load_features(places[0] / "agent"), _env_settings(places[0] / "config.yaml"))


def _env_settings(config: Path) -> EnvSettings:
    try:
        return EnvSettings.model_validate(yaml.safe_load(config.read_text())["env"])
    except Exception as error:  # whatever is wrong in the file, the user needs its name and one line
        raise RunError(
            f"the actions and the account of an agent are those of its run, but {config} does not give them: {one_line(error)}; "
            "name the run folder that `python train.py` made"
        ) from error
