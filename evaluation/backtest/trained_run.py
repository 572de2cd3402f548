"""`TrainedRun`: what a backtest needs of a run folder, whether it holds one seed or several."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agents import Agent, EnsembleAgent, LearnedAgent
from common import RunError, agent_folders, one_line, require_seal, require_sealed_run, sealed_content
from evaluation.backtest.names import AGENT
from features import AnyFeatures, load_features

WRITTEN = "test_range_openings_written"
"""of `metrics.json`: openings of the test range that were written down, however many the ledgers have lost since"""
FEATURE_FILES = ("features.json", "features.safetensors", "coins.json")


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """The agents of a run, and what is known of how they came about.

    Args:
        place: the folder with the run's settings: its own, or that of its first seed.
        agents: the agent under the name `AGENT`; of several seeds it is their ensemble, and each follows by its own name.
        features: what all of them see.
        learning: by seed, its validations, as `training.json` has them; empty where there is no record.
        trials: finished on these data before the training; None without a record.
        sharpe_spread, overfitting: as `searched_before` gives them; None if unknown.
        openings_before: of the test range, that the run's last backtest knew of, that one included; 0 if there was none.
        sealed: whether an edit by hand of its settings or records would have been seen.
        coins: of a run on several coins, by symbol: what differs for each (`of_coin`).
        validated: what its validations were made on, in words: the symbols and the range; empty where unknown.
    """

    place: Path
    agents: dict[str, Agent]
    features: AnyFeatures
    learning: dict[str, list[dict[str, Any]]]
    trials: int | None
    sharpe_spread: float | None
    overfitting: float | None
    openings_before: int = 0
    sealed: bool = False
    coins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    validated: str = ""

    @property
    def seeds(self) -> tuple[str, ...]:
        """The names of the single seeds; empty for a run of one."""
        return tuple(name for name in self.agents if name != AGENT)

    def of_coin(self, symbol: str) -> "TrainedRun":
        """The same with the trials and openings of one coin's bars; itself for a run on one series."""
        return replace(self, **self.coins[symbol]) if symbol in self.coins else self

    @classmethod
    def load(cls, folder: Path) -> "TrainedRun":
        """Read `agent/` and `training.json` of the folder, or of all of its seeds.

        Raises:
            RunError: no agent, a seed without one, seeds that see different features, or settings or records that were edited.
            SealError: a damaged file.
        """
        places = agent_folders(folder)
        _require_one_view(places)
        sealed = [require_sealed_run(place) for place in places]
        single = {place.name.replace("-", " "): LearnedAgent.load(place / "agent") for place in places}
        agents: dict[str, Agent] = {AGENT: next(iter(single.values()))}
        if len(places) > 1:
            agents = {AGENT: EnsembleAgent(list(single.values())), **single}
        names = list(single) if len(places) > 1 else [AGENT]
        records = {name: _record(place) for name, place in zip(names, places, strict=True)}
        origin, before = records[names[0]].get("origin", {}), _openings_before(folder / "metrics.json")
        return cls(
            places[0],
            agents,
            load_features(places[0] / "agent"),
            {name: record["validation"] for name, record in records.items() if record.get("validation")},
            origin.get("trials"),
            origin.get("sharpe_spread"),
            origin.get("overfitting"),
            before.get("", 0),
            all(sealed),
            {symbol: {**found, "openings_before": before.get(symbol, 0)} for symbol, found in origin.get("coins", {}).items()},
        )


def _require_one_view(places: list[Path]) -> None:
    """Seeds of a run differ in their weights alone."""
    first = places[0] / "agent"
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.name in FEATURE_FILES)
    for place in places[1:]:
        for name in names:
            if (place / "agent" / name).read_bytes() != (first / name).read_bytes():
                raise RunError(
                    f"the seeds of a run must see the same features, but {name} of {place} and of {places[0]} differ; "
                    "backtest them one by one"
                )


def _openings_before(metrics: Path) -> dict[str, int]:
    """What the file says, or said when it was written if it is gone: by symbol, or under "" of a single series."""
    try:
        if metrics.exists():
            require_seal(metrics)
        said = json.loads(metrics.read_text()) if metrics.exists() else sealed_content(metrics) or {}
        return {symbol: int(each.get(WRITTEN, each.get("test_range_openings", 0))) for symbol, each in _by_coin(said).items()}
    except RunError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(f"cannot read {metrics}: {one_line(error)}; delete it, and run the backtest again") from None


def _by_coin(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    coins: dict[str, dict[str, Any]] = metrics.get("coins", {"": metrics})
    return coins


def _record(place: Path) -> dict[str, Any]:
    """`training.json`, or nothing if there is none that can be read."""
    try:
        content = json.loads((place / "training.json").read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("origin"), dict) else {}
