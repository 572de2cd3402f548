"""The run folder of one forecaster: trained into it epoch by epoch, so that a killed training goes on where it stood."""

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from common import RunError, describe_run, one_line, unknown, write_atomically, write_json
from evaluation.forecasts.figures import draw_calibration, draw_dots, draw_loss_curves, draw_skill
from evaluation.forecasts.rise_scores import order_table, rise_table
from evaluation.forecasts.scores import Comparison, compared, comparison_table
from features import CACHE
from features.forecasters import (
    CHART_MODELS,
    FIELD_MODELS,
    FORECASTERS,
    RISES,
    Epoch,
    FittedForecaster,
    ForecastSettings,
    Watch,
    fit_forecaster,
    require_buildable,
    require_drawable,
    require_volumes,
    sample_windows,
    save_windows,
    windows_of,
)
from market import Candles, OpeningLedger, Part, Split

FORECASTER = "forecaster.safetensors"
COLUMNS = "epoch,loss,validation_loss,best"


def train(
    folder: Path, name: str, split: Split, settings: ForecastSettings, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> FittedForecaster:
    """Train on train, with the epoch chosen on validation, or read what was trained here before.

    Writes `epochs.csv`, `seconds.csv` (apart, since the rest repeats to the byte), `checkpoint.safetensors`,
    `figures/loss.png` and at last `forecaster.safetensors`.
    """
    if (folder / FORECASTER).exists():
        return FittedForecaster.load(folder / FORECASTER)
    history: list[Epoch] = []

    def keep(epoch: Epoch) -> None:
        history.append(epoch)
        lines = [f"{e.number},{e.loss!r},{e.validation_loss!r},{str(e.best).lower()}\n" for e in history]
        write_atomically(folder / "epochs.csv", f"{COLUMNS}\n{''.join(lines)}")
        write_atomically(folder / "seconds.csv", "epoch,seconds\n" + "".join(f"{e.number},{e.seconds:.3f}\n" for e in history))
        on_epoch(epoch)

    folder.mkdir(parents=True, exist_ok=True)
    for left_behind in folder.glob(".*"):  # by a write that was killed
        left_behind.unlink()
    watch = Watch(keep, folder / "checkpoint.safetensors", cache=CACHE)
    fitted = fit_forecaster(name, split.train.own, split.validation.own, settings, watch)
    if history:
        measure = "logarithmic loss of the probability" if name in RISES else "mean squared error in scaled units"
        draw_loss_curves(history, f"{name}: {measure}", folder / "figures" / "loss.png")
    fitted.save(folder / FORECASTER)
    return fitted


def require_trainable(model: str | None, split: Split, settings: ForecastSettings) -> None:
    """Raise `InputError` if the forecaster, or one of those that are compared, can't be built, or a range has no window."""
    rows = compared().values() if model is None else [(model, {})]
    for name, changes in rows:
        if name not in FORECASTERS:
            raise RunError(unknown("forecaster", name, FORECASTERS) + "; one of your own needs its --plugin")
        of_row = settings.model_copy(update=changes)
        require_buildable(name, of_row)
        for part in (split.train, split.validation):
            windows_of(part.own, of_row)
        if name in FIELD_MODELS:
            require_volumes(split.train.own, of_row.fields)
        if name in CHART_MODELS:
            require_drawable(split.train.own, of_row.charts.style)


def teach(folder: Path, model: str, shown: str, split: Split, settings: ForecastSettings, console: Console) -> FittedForecaster:
    """`train` with a progress bar; a line says what came of it."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(shown, total=_epochs(model, settings))
        fitted = train(folder, model, split, settings, lambda epoch: progress.update(bar, completed=epoch.number))
    console.print(f"{shown}: {_in_words(folder)}")
    return fitted


def _epochs(model: str, settings: ForecastSettings) -> int:
    """Passes over the training bars, at most."""
    own = settings.interactions if model in FIELD_MODELS else settings.charts if model in CHART_MODELS else settings
    return own.epochs


def _in_words(folder: Path) -> str:
    learned = epochs_and_seconds(folder)
    if learned is None:
        return "fitted"
    rows = [line.split(",") for line in (folder / "epochs.csv").read_text().splitlines()[1:]]
    number, _, loss, _ = next(row for row in reversed(rows) if row[3] == "true")
    return f"validation loss {float(loss):.4g} at epoch {number} of {learned[0]}, {learned[1]:.2f} s an epoch"


def plot(folder: Path, fitted: FittedForecaster, part: Part) -> Path:
    """Draw the forecasts on the range, each bar forecast once at most; returns the picture's path."""
    own, settings = part.own, fitted.settings
    ends = windows_of(own, settings, sliding=True).ends[:: settings.future_bars]  # a path begins where the last one ended
    picture = folder / "figures" / f"forecasts-{part.name}.png"
    title = f"{fitted.name} on the {part.name} range of {own.symbol}"
    draw_dots(own, ends, fitted.forecast(own)[ends], title, picture)
    return picture


def save(path: Path, candles: Candles, settings: ForecastSettings) -> int:
    """Write the windows, the columns as they are in the candles, as HDF5; returns how many there are."""
    values = np.column_stack([candles.column(name) for name in settings.inputs])
    past, future, sliding = settings.past_bars, settings.future_bars, settings.windows == "sliding"
    windows = sample_windows(values, past, future, sliding, candles.filled)
    save_windows(path, candles, windows, settings.inputs)
    return len(windows)


def report(folder: Path, comparison: Comparison, range_name: str, places: dict[str, Path], console: Console) -> None:
    """Print the table and the words; write both, and the picture of the skills, into the run folder."""
    title = f"{range_name} range: {comparison.windows:,} windows, of which {comparison.rising:.1%} ended higher"
    learned = {name: epochs_and_seconds(place) for name, place in places.items()}
    console.print(comparison_table(comparison, title, learned))
    console.print(comparison.in_words)
    told = {"range": range_name, "in_words": comparison.in_words}
    pictures = ["figures/skill.png"]
    if (rises := comparison.rises) is not None:
        came = f"{rises.words}: it came in {rises.came:.1%} of {rises.windows:,} windows, in train in {rises.base_rate:.1%}"
        console.print(rise_table(rises, f"{range_name} range, probability of {came}"))
        if table := order_table(rises, f"{range_name} range, order of these probabilities, and the side of 50 % that they take"):
            console.print(table)
        console.print(rises.in_words)
        told["rises_in_words"] = rises.in_words
        draw_calibration(rises, f"Probability of {rises.words}, {range_name} range", folder / "figures" / "calibration.png")
        pictures.append("figures/calibration.png")
    write_json(folder / "scores.json", asdict(comparison) | told)
    draw_skill(comparison, f"Forecasters on the {range_name} range", folder / "figures" / "skill.png")
    console.print(f"written: {folder}/scores.json, {', '.join(pictures)}")


def epochs_and_seconds(folder: Path) -> tuple[int, float] | None:
    """How many epochs a training took, and the median seconds of each; None for what is not trained by epochs."""
    path = folder / "seconds.csv"
    if not path.exists():
        return None
    seconds = [float(line.split(",")[1]) for line in path.read_text().splitlines()[1:]]
    return len(seconds), statistics.median(seconds)


def trained(run: Path) -> dict[Path, FittedForecaster]:
    """Those of a run folder, by the folder of each: the run's own after `train`, those within it after `compare`.

    Raises:
        RunError: there is none.
    """
    if (run / FORECASTER).exists():
        return {run: FittedForecaster.load(run / FORECASTER)}
    found = {path.parent: FittedForecaster.load(path) for path in sorted(run.glob(f"*/{FORECASTER}"))}
    if not found:
        raise RunError(f"there is no trained forecaster in {run}; run `python forecast.py train --model lstm` first")
    return found


def begin(folder: Path, config: str, split: Split, plugins: Mapping[str, str] | None = None, **task: str | int) -> None:
    """Write what a run folder begins with, and in `forecast.json` what it is for, so that it can be resumed."""
    describe_run(folder, config, split.data_sha256, plugins)
    write_json(folder / "forecast.json", task)


def range_of(split: Split, name: str, config_sha256: str, folder: Path) -> Part:
    """One of the ranges; the test range opens through the ledger, which writes down the folder that it is for."""
    if name == "test":
        return split.open_test(OpeningLedger(Path("studies/test_ledger.jsonl")), config_sha256, f"forecast.py {folder}")
    return split.train if name == "train" else split.validation


def read_task(folder: Path, command: str) -> dict[str, str | int]:
    """What `begin` wrote.

    Raises:
        RunError: no such folder, or one of another command.
    """
    path = folder / "forecast.json"
    try:
        task = json.loads(path.read_text())
    except FileNotFoundError:
        raise RunError(f"{folder} is no run of forecast.py: it holds no forecast.json; name one of runs/") from None
    except (ValueError, OSError) as error:
        raise RunError(f"cannot read {path}: {one_line(error)}; begin a new run") from None
    if not isinstance(task, dict) or task.get("command") != command or task.get("model", "lstm") not in FORECASTERS:
        raise RunError(f"{folder} was not begun by `forecast.py {command}` (its forecast.json says {task}); begin a new run")
    return task
