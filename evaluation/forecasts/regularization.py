"""What l1 and l2 on each group of weights do to a forecaster: every penalty, several seeds each, a file a training."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scipy.stats import ttest_ind

from common import InputError, RunError, one_line, run_side_by_side, write_atomically, write_json
from evaluation.forecasts.figures import draw_boxes
from evaluation.forecasts.scores import last_value, price_errors
from features.forecasters import FORECASTERS, ForecastSettings, fit_and_stop, fit_forecaster, windows_of
from market import Split

GROUPS = ("kernel", "bias", "recurrent", "activity")
WEIGHTS = (0.1, 0.01, 0.001, 0.0001)
NONE = "none"
CHANCE = 0.05


class Job(NamedTuple):
    """One training: the penalty and the repeat, which decides the seed."""

    group: str
    l1: float
    l2: float
    repeat: int

    @property
    def penalty(self) -> str:
        return f"l1 {self.l1:g}" if self.l1 else f"l2 {self.l2:g}" if self.l2 else NONE

    @property
    def file_name(self) -> str:
        return f"{self.group} {self.penalty} {self.repeat}.json".replace(" ", "-")


def jobs_of(model: str, repeats: int) -> list[Job]:
    """All trainings, repeat by repeat; those without a penalty serve every group. A cnn has no recurrent weights."""
    groups = [group for group in GROUPS if model != "cnn" or group != "recurrent"]
    penalties = [(weight, 0.0) for weight in WEIGHTS] + [(0.0, weight) for weight in WEIGHTS]
    of_repeat = [("all", 0.0, 0.0)] + [(group, *penalty) for group in groups for penalty in penalties]
    return [Job(*job, repeat) for repeat in range(repeats) for job in of_repeat]


def require_network(model: str) -> None:
    """Raise `RunError` for a forecaster that l1 and l2 are not applied to."""
    networks = [name for name, forecaster in FORECASTERS.items() if forecaster.network and forecaster.probability is None]
    if model not in networks:
        raise RunError(f"l1 and l2 are for {', '.join(networks)}, but got {model}; name one of them with --model")


def run_jobs(
    folder: Path, model: str, split: Split, settings: ForecastSettings, jobs: Iterable[Job], on_done: Callable[[str], None]
) -> None:
    """Train what has no result in `folder/results` yet; each result is written whole.

    Weights come from the first four fifths of train, the epoch from its last fifth, the error from validation.
    """
    for job in jobs:
        path = folder / "results" / job.file_name
        if not path.exists():
            write_json(path, job._asdict() | {"penalty": job.penalty, **_outcome(model, split, settings, job)})
        on_done(job.file_name)


def run_in_processes(command: list[str], folder: Path, total: int, processes: int | None, console: Console) -> None:
    """Run the command once for each share, `K/N`, side by side; it prints the name of each result that it has written.

    Raises:
        RunError: one of them failed.
    """
    processes = os.cpu_count() or 1 if processes is None else processes
    told: list[str] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("training", total=total)

        def on_line(process: str, line: str) -> None:
            told.append(line)
            progress.update(bar, advance=line.endswith(".json"))

        shares = [f"{k}/{processes}" for k in range(processes)]
        codes = run_side_by_side({share: [*command, share] for share in shares}, on_line, processes)
    if any(codes.values()):
        raise RunError(f"a training failed ({told[-1] if told else 'without a word'}); go on with --resume {folder}")


def conclude(folder: Path, model: str, split: Split, settings: ForecastSettings, jobs: list[Job], console: Console) -> None:
    """Print and write the table, the box plot and the words of a run whose trainings are all done."""
    results, title = read_results(folder, jobs), f"{model}: mean squared error on validation, USD²"
    described = describe(results)
    reference = price_error(last_value(settings).forecast(split.validation.own), split, settings)
    write_atomically(folder / "results.csv", results.to_csv(index=False))
    write_atomically(folder / "describe.csv", described.to_csv())
    draw_boxes(results, reference, title, folder / "figures" / "regularization.png")
    console.print(penalties_table(described, title))
    console.print(f"{penalties_in_words(results)} The last value's is {reference:,.0f}.")
    console.print(f"written: {folder}/describe.csv, results.csv, figures/regularization.png")


def _outcome(model: str, split: Split, settings: ForecastSettings, job: Job) -> dict[str, object]:
    changes: dict[str, object] = {"l1": job.l1, "l2": job.l2, "seed": settings.seed + job.repeat}
    if job.group in GROUPS:
        changes["regularize"] = job.group
    of_job, own = settings.model_copy(update=changes), split.validation.own
    try:
        fitted = fit_forecaster(model, *fit_and_stop(model, split.train.own), of_job)
    except InputError as error:  # a penalty under which it diverges is an outcome, too
        return {"mse": None, "reason": str(error)}
    return {"mse": price_error(fitted.forecast(own), split, settings), "reason": None}


def price_error(paths: np.ndarray, split: Split, settings: ForecastSettings) -> float:
    """Mean squared error of forecasts (T, K) of the validation bars, USD squared, over all its windows."""
    own = split.validation.own
    ends = windows_of(own, settings, sliding=True).ends
    return float(price_errors(own.column("close"), ends, paths[ends]).mean())


def read_results(folder: Path, jobs: list[Job]) -> pd.DataFrame:
    """One row a group, penalty and repeat; what has no penalty stands in every group. A diverged training has a NaN.

    Raises:
        RunError: a result that is missing or damaged.
    """
    rows = []
    for job in jobs:
        path = folder / "results" / job.file_name
        try:
            mse = json.loads(path.read_text())["mse"]
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"cannot read {path}: {one_line(error)}; delete it and resume the run") from None
        groups = [job.group] if job.group in GROUPS else list(dict.fromkeys(j.group for j in jobs if j.group in GROUPS))
        rows += [(group, job.penalty, job.repeat, np.nan if mse is None else float(mse)) for group in groups]
    table = pd.DataFrame(rows, columns=["group", "penalty", "repeat", "mse"])
    order = [NONE, *dict.fromkeys(job.penalty for job in jobs if job.penalty != NONE)]
    table["penalty"] = pd.Categorical(table["penalty"], order, ordered=True)
    table["group"] = pd.Categorical(table["group"], list(dict.fromkeys(table["group"])), ordered=True)
    return table.sort_values(["group", "penalty", "repeat"], ignore_index=True)


def describe(results: pd.DataFrame) -> pd.DataFrame:
    """Count, mean, deviation, least, quartiles and largest mean squared error of each group and penalty."""
    return results.groupby(["group", "penalty"], observed=True)["mse"].describe()


def penalties_table(described: pd.DataFrame, title: str) -> Table:
    """The middle of `describe`, for the terminal."""
    table = Table(title=title, title_justify="left")
    for heading in ("group", "penalty"):
        table.add_column(heading)
    shown = ["count", "mean", "std", "min", "50%", "max"]
    for heading in shown:
        table.add_column(heading, justify="right")
    before = ""
    for row in described.reset_index().to_dict("records"):
        cells = ["-" if np.isnan(row[name]) else f"{row[name]:,.0f}" for name in shown]
        table.add_row("" if row["group"] == before else row["group"], row["penalty"], *cells)
        before = row["group"]
    return table


def penalties_in_words(results: pd.DataFrame) -> str:
    """Whether any penalty is better than none beyond what chance makes of so many."""
    of_group = results[results["group"] == results["group"].iloc[0]]
    plain = of_group.loc[of_group["penalty"] == NONE, "mse"].dropna().to_numpy()
    penalised = results[results["penalty"] != NONE].dropna()
    names = penalised["group"].astype(str) + " " + penalised["penalty"].astype(str)
    tried = {str(name): rows.to_numpy() for name, rows in penalised["mse"].groupby(names)}
    best = min(tried, key=lambda name: tried[name].mean())
    means = f"{tried[best].mean():,.0f} against {plain.mean():,.0f}"
    lowest = f"Of {len(tried)} penalties the lowest mean error is that of {best}: {means}"
    if min(len(plain), len(tried[best])) < 2:
        return f"{lowest} without one. One repeat cannot say whether that is chance."
    probability = min(ttest_ind(tried[best], plain, equal_var=False, alternative="less").pvalue * len(tried), 1.0)
    verdict = "more than chance" if probability < CHANCE else "no more than chance may give"
    return f"{lowest} without one, which is {verdict} (Welch's t-test, times {len(tried)} tried: p = {probability:.2g})."
