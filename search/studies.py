"""The studies of a storage: a table of them, and how one is deleted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import optuna
from rich.table import Table

from common import unknown
from market import TrialLedger
from search.errors import StudyError
from search.messages import judged_by
from search.overfitting import write_down
from search.settings import LOG_GROWTH, SearchSettings
from search.storage import being_tried, exists, open_storage, shown
from search.study import best_trial, find_study, finished_trials, identity_of, kept_settings, validated_on


@dataclass(frozen=True)
class StudySummary:
    """What a list says of a study.

    Args:
        name: of the study.
        finished: trials that ran to their end or were pruned.
        running: trials whose workers gave a sign of life.
        best: figure of the best trial; None while there is none.
        judged_by: name of that figure.
        reward: of the trials, or `all`.
        bars: the market and the range that the trials are judged on, in words; of several coins each.
        last_used: when the last trial began or ended, in local time.
    """

    name: str
    finished: int
    running: int
    best: float | None
    judged_by: str
    reward: str
    bars: str
    last_used: datetime | None


def studies_in(url: str) -> list[StudySummary]:
    """All studies of a storage, the one that was used last first; looking makes no file."""
    if not exists(url):
        return []
    storage = open_storage(url)
    found = [_summary(optuna.load_study(study_name=name, storage=storage)) for name in optuna.get_all_study_names(storage)]
    return sorted(found, key=lambda each: each.last_used or datetime.min, reverse=True)


def studies_table(studies: Iterable[StudySummary], url: str) -> Table:
    """A row a study."""
    table = Table(title=f"studies in {shown(url)}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("study", overflow="fold")
    table.add_column("trials", justify="right", no_wrap=True)
    table.add_column("best", justify="right")
    table.add_column("reward", overflow="fold")
    table.add_column("judged on")
    table.add_column("last used", no_wrap=True)
    for each in studies:
        running = f" + {each.running}" if each.running else ""
        figure = "" if each.judged_by == LOG_GROWTH else f" {each.judged_by}"
        best = "-" if each.best is None else f"{each.best:+.3f}{figure}"
        used = f"{each.last_used:%Y-%m-%d %H:%M}" if each.last_used else "never"
        table.add_row(each.name, f"{each.finished}{running}", best, each.reward, each.bars, used)
    return table


def require_study(url: str, name: str) -> optuna.Study:
    """The study of that name.

    Raises:
        StudyError: there is none.
    """
    study = find_study(url, name)
    if study is None:
        names = optuna.get_all_study_names(open_storage(url)) if exists(url) else []
        told = f"{unknown('study', name, names)}, in {shown(url)}" if names else f"there are no studies in {shown(url)}"
        raise StudyError(f"{told}; `python optimize.py list` shows them" if names else f"{told}; give their --storage")
    return study


def study_to_delete(url: str, name: str) -> optuna.Study:
    """The study of that name, which nobody works at.

    Raises:
        StudyError: there is none, or a worker gave a sign of life within its last heartbeats.
    """
    study = require_study(url, name)
    beat = int((kept_settings(study) or {}).get("search", {}).get("heartbeat_seconds", SearchSettings().heartbeat_seconds))
    study = optuna.load_study(study_name=name, storage=open_storage(url, beat))
    if trials := being_tried(study):
        raise StudyError(
            f"a study can be deleted while nobody works at it, but {_numbers(trials)} of {name} run{'s' * (len(trials) == 1)}; "
            "end that search first"
        )
    return study


def delete_study(study: optuna.Study, url: str, ledger: TrialLedger) -> str:
    """Delete a study, and say what is gone; its finished trials stay in the trial ledger, which counts them on.

    Args:
        study: as `study_to_delete` gave it.
        url: of the storage that holds it.
        ledger: gets a line for each finished trial that it lacks.
    """
    write_down(study, ledger)
    finished, others, counted = finished_trials(study), len(study.get_trials(deepcopy=False)), bool(validated_on(study))
    name, others = study.study_name, others - finished
    optuna.delete_study(study_name=name, storage=open_storage(url))
    kept = "the trial ledger goes on counting them" if counted else "it did not say on which bars, so no ledger counts them"
    return f"deleted study {name} from {shown(url)}: {finished} finished trials ({kept}) and {others} others"


def _summary(study: optuna.Study) -> StudySummary:
    trials, best, identity = study.get_trials(deepcopy=False), best_trial(study), identity_of(study) or {}
    times = [time for trial in trials for time in (trial.datetime_start, trial.datetime_complete) if time]
    ranges = [f"{_market(each.market)}, {each.bar}, {each.first[:10]} to {each.end[:10]}" for each in validated_on(study)]
    reward = "all" if identity.get("search", {}).get("any_reward") else identity.get("env", {}).get("reward", "unknown")
    value = best.value if best else None
    alive = len(being_tried(study))
    return StudySummary(
        study.study_name, finished_trials(study), alive, value, judged_by(study), reward, "; ".join(ranges) or "unknown",
        max(times, default=None),
    )  # fmt: skip


def _market(known_as: str) -> str:
    """The symbol; of a simulated market its name and seed, too."""
    return ", ".join(known_as.split(", ")[:3]) or "no symbol"


def _numbers(trials: list[int]) -> str:
    return f"trial{'s' * (len(trials) > 1)} {', '.join(map(str, trials))}"
