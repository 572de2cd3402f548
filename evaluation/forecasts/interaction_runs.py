"""The run folder of models of interactions: what it was begun with, the trainings in it, and what they are worth.

`config.yaml` holds the command, the files and all settings; `data.sha256` a hash of each file's rows; `schema` the numbers of the
features. Each model of `compare` has a folder of its own; the one of `train` lies in the run folder itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import yaml
from pydantic import ValidationError
from rich.console import Console

from common import (
    InputError,
    RunError,
    Settings,
    atomic_file,
    describe_run,
    new_run,
    one_line,
    require_sealed_run,
    unknown,
    write_atomically,
    write_json,
)
from evaluation.forecasts.interaction_progress import shown_training
from evaluation.forecasts.interaction_scores import (
    InteractionComparison,
    compare_interactions,
    interactions_table,
    listed,
)
from features.fields import BlockFile, FieldData, FieldSchema, FieldSettings, prepare, readable
from features.forecasters import Epoch, Watch
from features.interactions import MODELS, PAIRWISE, FittedInteractions, InteractionSettings, fit_interactions

MODEL = "model.safetensors"
SCHEMA = "schema.safetensors"
SCORES = "scores.json"
MOST_SHOWN = 5
"""features, and pairs of fields, that `show` names"""


class InteractionTask(Settings):
    """All that a run of `forecast.py interactions` was begun with; its `config.yaml`."""

    command: Literal["compare", "train"]
    """what made the run"""
    models: tuple[str, ...]
    """the models, in the order of their training"""
    train: Path
    """rows that models are trained on"""
    valid: Path | None = None
    """rows that the epoch is chosen by"""
    test: Path | None = None
    """rows that models are judged by; without them those of `valid` are used"""
    fields: FieldSettings
    """how the files are read"""
    interactions: InteractionSettings
    """how models are built and trained"""

    @property
    def files(self) -> dict[str, Path]:
        """By role: `train`, `valid`, `test`, those that were given."""
        roles = {"train": self.train, "valid": self.valid, "test": self.test}
        return {role: path for role, path in roles.items() if path is not None}

    def place_of(self, folder: Path, model: str) -> Path:
        """Where a model of the run lies."""
        return folder if self.command == "train" else folder / model


class Learned(NamedTuple):
    """How long a model was trained: the epoch that was kept, all epochs, and the seconds of all."""

    kept: int
    epochs: int
    seconds: float


def load_files(task: InteractionTask, console: Console, schema: FieldSchema | None = None) -> dict[str, BlockFile]:
    """The rows of each file, by role; what there is to note of a file is printed.

    Args:
        task: names the files.
        console: for the notes.
        schema: of the run that goes on; None learns it from train.

    Raises:
        InputError: a missing or damaged file, labels of one kind, roles with the same rows, or files without a common feature.
    """
    files: dict[str, BlockFile] = {}
    for role, path in task.files.items():
        data = read_rows(path, task.fields, console, schema)
        schema, files[role] = schema or data.schema, data
        for other in files:
            if other != role and files[other].sha256 == data.sha256:
                raise InputError(
                    f"a model is judged by rows that it was not made with, but --{other} {task.files[other]} and --{role} {path} "
                    "hold the same rows; give different files"
                )
    _require_both_labels(files["train"], task)
    return files


def read_rows(
    path: Path,
    settings: FieldSettings,
    console: Console,
    schema: FieldSchema | None = None,
    labels: Literal["needed", "ignored"] = "needed",
) -> BlockFile:
    """The rows of a file, its notes printed; the arguments are those of `prepare`.

    Raises:
        InputError: a missing or damaged file, no rows, or none of the schema's features in it.
    """
    data = prepare(path, settings, schema, labels=labels)
    for note in data.notes:
        console.print(note if note.startswith(path.name) else f"{path.name}: {note}", markup=False)
    if not data.n_rows:
        raise InputError(f"a file of rows must hold some, but {path} has none")
    if schema is not None and not any(len(data.block(number).features) for number in range(data.n_blocks)):
        raise InputError(
            f"a model knows the features of its training file alone, but {path} holds none of them; give a file of the same "
            "fields and features"
        )
    return data


def begin_interactions(task: InteractionTask, files: Mapping[str, BlockFile]) -> Path:
    """Make the run folder, and write what it begins with."""
    folder = new_run(Path("runs"), f"interactions-{task.command}")
    config = yaml.safe_dump(task.model_dump(mode="json"), sort_keys=False)
    files["train"].schema.save(folder / SCHEMA)
    describe_run(folder, config, {role: data.sha256 for role, data in files.items()})
    return folder


def read_interactions_task(folder: Path) -> InteractionTask:
    """What `begin_interactions` wrote.

    Raises:
        RunError: no such run folder, a damaged one, or one that was edited.
    """
    path = folder / "config.yaml"
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise RunError(f"{folder} is no run of `forecast.py interactions`: it {found}; name a folder in runs/")
    try:
        require_sealed_run(folder)
        return InteractionTask.model_validate(yaml.safe_load(path.read_text()))
    except FileNotFoundError:
        raise RunError(f"{folder} is no run of `forecast.py interactions`: it holds no config.yaml; name one of runs/") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read {path}: {getattr(error, 'strerror', None) or one_line(error)}; begin a new run") from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = ".".join(map(str, fault["loc"]))
        raise RunError(f"{folder} is no run of `forecast.py interactions` ({name}: {fault['msg']}); name one of runs/") from None


def resume_interactions(folder: Path, command: str, console: Console) -> tuple[InteractionTask, dict[str, BlockFile]]:
    """The task and the files of a run that goes on.

    Raises:
        RunError: no such run, one of another command, or a file that holds other rows than before.
    """
    task = read_interactions_task(folder)
    if task.command != command:
        raise RunError(f"{folder} was begun by `forecast.py interactions {task.command}`, but got {command}; resume it by that")
    files = load_files(task, console)
    before = _hashes_of(folder)
    for role, data in files.items():
        if before.get(role) != data.sha256:
            raise RunError(
                f"a run goes on with the rows that it was begun with, but {task.files[role]} (--{role}) has changed: its rows "
                f"had the hash {before.get(role, 'none')[:12]} and now have {data.sha256[:12]}; restore it, or begin a new run"
            )
    if files["train"].schema.sha256 != FieldSchema.load(folder / SCHEMA).sha256:
        raise RunError(
            f"a run goes on with the features that it was begun with, but {task.train} (--train) has changed: the names, numbers "
            "or bins of its features are others now; restore it, or begin a new run"
        )
    return task, files


def _hashes_of(folder: Path) -> dict[str, str]:
    """Of the rows of each role, when the run was begun."""
    path = folder / "data.sha256"
    try:
        lines = [line.partition("  ") for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read {path}: {getattr(error, 'strerror', None) or one_line(error)}; begin a new run") from None
    return {role: sha256 for sha256, _, role in lines}


def train_interactions(
    place: Path,
    model: str,
    train: FieldData,
    valid: FieldData | None,
    settings: InteractionSettings,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_part: Callable[[int, int], None] = lambda done, total: None,
) -> FittedInteractions:
    """Train one model, or read what was trained here before.

    Writes `epochs.csv`, `seconds.csv` (apart, since the rest repeats to the byte), `checkpoint.safetensors`,
    `figures/loss.png` and at last `model.safetensors`.

    Args:
        place: the model's folder.
        model: of `MODELS`.
        train: rows to learn from.
        valid: rows that choose the epoch.
        settings: of the model.
        on_epoch: called after each epoch, those of a checkpoint included.
        on_part: called with the blocks of the epoch that are done, and how many there are.
    """
    if (place / MODEL).exists():
        return FittedInteractions.load(place / MODEL)
    history: list[Epoch] = []

    def keep(epoch: Epoch) -> None:
        history.append(epoch)
        write_atomically(place / "epochs.csv", epoch_lines(history, valid is not None))
        write_atomically(place / "seconds.csv", "epoch,seconds\n" + "".join(f"{e.number},{e.seconds:.3f}\n" for e in history))
        on_epoch(epoch)

    place.mkdir(parents=True, exist_ok=True)
    for left_behind in place.glob(".*"):  # by a write that was killed
        left_behind.unlink()
    watch = Watch(keep, place / "checkpoint.safetensors", on_part)
    fitted = fit_interactions(model, train, valid, settings, watch)
    from evaluation.forecasts.interaction_figures import draw_interaction_losses  # matplotlib, which forecasting needs not

    title = f"{model}: {'logloss' if settings.loss == 'logloss' else 'half the squared error'}, mean of the rows"
    draw_interaction_losses(fitted.history, valid is not None, title, place / "figures" / "loss.png")
    fitted.save(place / MODEL)
    return fitted


def teach_interactions(folder: Path, task: InteractionTask, files: Mapping[str, FieldData], console: Console) -> None:
    """Train every model of the run that is not trained yet, with its progress on stderr; a line each says what came of it."""
    for model in task.models:
        place, epochs = task.place_of(folder, model), task.interactions.epochs
        with shown_training(model, epochs) as (on_epoch, on_part):
            train_interactions(place, model, files["train"], files.get("valid"), task.interactions, on_epoch, on_part)
        console.print(f"{model}: {_in_words(place, task)}")


def judge_interactions(folder: Path, task: InteractionTask, files: Mapping[str, FieldData], console: Console) -> None:
    """Print the table and the words of a comparison, and write `comparison.csv`, `scores.json`, `seconds.csv` and the picture."""
    from evaluation.forecasts.interaction_figures import draw_comparison

    role = "test" if "test" in files else "valid"
    learned = {model: learned_of(task.place_of(folder, model)) for model in task.models}
    comparison, words = compared_on(folder, task, files[role], role)
    title = f"{role} rows: {comparison.rows:,} of {task.files[role].name}" + (
        "" if comparison.ones is None else f", of which {comparison.ones / comparison.rows:.1%} are 1"
    )
    console.print(interactions_table(comparison, title, learned))
    console.print("\n".join(words), markup=False)
    write_atomically(folder / "comparison.csv", comparison_lines(comparison, learned))
    seconds = "".join(f"{model},{took.seconds:.3f}\n" for model, took in learned.items())
    write_atomically(folder / "seconds.csv", f"algorithm,seconds\n{seconds}")
    write_json(folder / SCORES, asdict(comparison) | {"range": role, "in_words": words})
    draw_comparison(comparison, title, folder / "figures" / "comparison.png")
    console.print(f"written: {folder}/comparison.csv, scores.json, figures/comparison.png")


def compared_on(folder: Path, task: InteractionTask, data: FieldData, role: str) -> tuple[InteractionComparison, list[str]]:
    """The trained models of a run on some rows, and what that shows in words."""
    forecasts = {model: FittedInteractions.load(task.place_of(folder, model) / MODEL).predict(data) for model in task.models}
    with shown_training("resampling rows", 0) as (_, on_part):
        comparison = compare_interactions(labels_of(data), forecasts, task.interactions.loss, on_part=on_part)
    words = comparison.in_words
    if role == "valid":
        words = [
            *words,
            "The epoch of each model was chosen on these same rows, which flatters them; --test FILE judges by others.",
        ]
    return comparison, words


def predict_file(run: Path, path: Path, out: Path, model: str | None, console: Console) -> None:
    """Write a forecast for each row of a file, in its order, a block of rows in memory at a time.

    Args:
        run: folder of a run of `compare` or `train`.
        path: of the rows, with labels, which are ignored, or without; features that the model does not know are left out, and
            counted in the notes.
        out: written whole or not at all; with a header if it ends in `.csv`.
        model: of the run; None takes the best one.
        console: for the lines.
    """
    if out.resolve() == path.resolve():
        raise InputError(f"forecasts go into a file of their own, but got {path} as --data and --out; change --out")
    task = read_interactions_task(run)
    _, fitted = fitted_of(run, task, model)
    data = read_rows(path, task.fields, console, FieldSchema.load(run / SCHEMA), "ignored")
    name = "probability" if task.interactions.loss == "logloss" else "forecast"
    with readable(out, "written"), atomic_file(out) as file, shown_training(f"{fitted.name} forecasts", 0) as (_, on_part):
        if out.suffix == ".csv":
            file.write(f"{name}\n".encode())
        for done, told in enumerate(fitted.forecasts(data), 1):
            file.write("".join(f"{value!r}\n" for value in told.tolist()).encode())
            on_part(done, data.n_blocks)
    console.print(f"written: {out}, {data.n_rows:,} forecasts of {fitted.name}", markup=False)


def show_interactions(run: Path, model: str | None, console: Console) -> None:
    """Print what moves a model's forecasts most, and draw the strengths of its pairs of fields into its folder.

    Args:
        run: folder of a run of `compare` or `train`.
        model: of the run; None takes the best one of those that have pairs, if there is one.
        console: for the lines.

    Raises:
        InputError: no such run or model, or one that has neither pairs of fields nor weights of single features.
    """
    task, schema = read_interactions_task(run), FieldSchema.load(run / SCHEMA)
    place, fitted = fitted_of(run, task, model, tuple(name for name in task.models if name in PAIRWISE) or task.models)
    linear = fitted.arrays.get("linear")
    if linear is not None and linear.any():
        console.print("\n".join(strongest_features(linear, schema.feature_name)), markup=False)
    if linear is not None and fitted.name not in PAIRWISE:
        return
    from evaluation.forecasts.interaction_figures import draw_field_pairs

    strengths, picture = fitted.field_pairs(), place / "figures" / "field-pairs.png"
    console.print("\n".join(strongest_pairs(strengths, fitted.field_names)), markup=False)
    draw_field_pairs(strengths, fitted.field_names, f"{fitted.name}: how strongly each pair of fields acts together", picture)
    console.print(f"written: {picture}", markup=False)


def strongest_features(weights: np.ndarray, name_of: Callable[[int], str], most: int = MOST_SHOWN) -> list[str]:
    """A line each for the features with the largest weights of their own, float32 (D,)."""
    strongest = [int(feature) for feature in np.argsort(-np.abs(weights), kind="stable")[:most] if weights[feature]]
    heading = "features with the largest weights of their own, which may be rare ones:"
    return [heading, *(f"  {weights[feature]:+.3g}  {name_of(feature)}" for feature in strongest)]


def strongest_pairs(strengths: np.ndarray, names: tuple[str, ...], most: int = MOST_SHOWN) -> list[str]:
    """A line each for the strongest pairs.

    Args:
        strengths: float64 (F, F), symmetric: how much a pair moves the margin of a row, as a standard deviation over the rows.
        names: of the F fields.
        most: lines at most.
    """
    rows, columns = np.triu_indices(len(names))
    values = strengths[rows, columns]
    noise = 1e-6 * values.max()  # a pair that adds the same to every row has a rounding error instead of 0
    strongest = [place for place in np.argsort(-values, kind="stable")[:most] if values[place] > noise]
    if not strongest:
        return ["no pair of fields moves any forecast: there is one field alone, or each pair adds the same to every row"]
    lines = ["pairs of fields that move the forecasts most, by the standard deviation over train of what a pair adds:"]
    for place in strongest:
        one, other = names[rows[place]], names[columns[place]]
        lines.append(f"  {values[place]:.3g}  {one} and {'itself' if rows[place] == columns[place] else other}")
    return lines


def comparison_lines(comparison: InteractionComparison, learned: Mapping[str, Learned]) -> str:
    """`comparison.csv`: a row a model, the best one first. How long each took stands in `seconds.csv`."""
    measures = list(next(iter(comparison.scores.values())).measures)
    main = comparison.measure
    lines = [",".join(["algorithm", *measures, f"{main}_low", f"{main}_high", "epochs", "kept_epoch"])]
    for name, score in comparison.scores.items():
        figures = ["" if value is None else repr(value) for value in score.measures.values()]
        lines.append(",".join([name, *figures, *map(repr, score.interval), str(learned[name].epochs), str(learned[name].kept)]))
    return "\n".join(lines) + "\n"


def labels_of(data: FieldData) -> np.ndarray:
    """float32 (N,)"""
    return np.concatenate([data.block(number).labels.copy() for number in range(data.n_blocks)])


def epoch_lines(history: Sequence[Epoch], validated: bool) -> str:
    """`epochs.csv`; without validation rows that column is empty, and the last epoch is the one that is kept."""
    lines = [
        f"{epoch.number},{epoch.loss!r},{repr(epoch.validation_loss) if validated else ''},{str(epoch.best).lower()}\n"
        for epoch in history
    ]
    return f"epoch,loss,validation_loss,best\n{''.join(lines)}"


def learned_of(place: Path) -> Learned:
    """What the files of a training say of its length.

    Raises:
        RunError: they are missing or damaged.
    """
    try:
        rows = [line.split(",") for line in (place / "epochs.csv").read_text().splitlines()[1:]]
        seconds = [float(line.split(",")[1]) for line in (place / "seconds.csv").read_text().splitlines()[1:]]
        kept = next(int(row[0]) for row in reversed(rows) if row[3] == "true")
        return Learned(kept, len(rows), sum(seconds))
    except (OSError, ValueError, IndexError, StopIteration) as error:
        raise RunError(f"cannot read epochs.csv and seconds.csv of {place}: {one_line(error)}; begin a new run") from None


def fitted_of(
    run: Path, task: InteractionTask, model: str | None, among: tuple[str, ...] = MODELS
) -> tuple[Path, FittedInteractions]:
    """One trained model of a run, with its folder.

    Args:
        run: the run folder.
        task: what it was begun with.
        model: its name; None takes the only one, or of several the one with the lowest validation loss.
        among: models that come into question.

    Raises:
        RunError: no such model in the run, or none that is trained.
    """
    if model is not None and model not in task.models:
        raise RunError(unknown("model", model, task.models) + f" in {run}")
    wanted = [name for name in task.models if name in among] if model is None else [model]
    places = {name: task.place_of(run, name) for name in wanted}
    trained = {name: place for name, place in places.items() if (place / MODEL).exists()}
    if not trained:
        which = listed(wanted or list(among), "or")
        raise RunError(
            f"this needs a trained {which}, but {run} holds none; finish it with "
            f"`python forecast.py interactions {task.command} --resume {run}`, or train one"
        )
    name = min(trained, key=lambda name: _validation_loss(trained[name]))
    return trained[name], FittedInteractions.load(trained[name] / MODEL)


def _validation_loss(place: Path) -> float:
    """The lowest one; without validation rows that of train."""
    rows = [line.split(",") for line in (place / "epochs.csv").read_text().splitlines()[1:]]
    return min(float(row[2] or row[1]) for row in rows)


def _in_words(place: Path, task: InteractionTask) -> str:
    took = learned_of(place)
    row = (place / "epochs.csv").read_text().splitlines()[took.kept].split(",")
    loss = f"validation loss {float(row[2]):.4f}" if row[2] else f"train loss {float(row[1]):.4f}"
    return f"{loss} at epoch {took.kept} of {took.epochs}, {took.seconds:.1f} s"


def _require_both_labels(train: FieldData, task: InteractionTask) -> None:
    if task.interactions.loss != "logloss":
        return
    lowest, highest = 1.0, 0.0
    for number in range(train.n_blocks):
        labels = train.block(number).labels
        lowest, highest = min(lowest, float(labels.min())), max(highest, float(labels.max()))
    if lowest == highest:
        raise InputError(
            f"a model of clicks learns from rows of both labels, but all {train.n_rows:,} rows of {task.train} have the label "
            f"{lowest:g}; give other rows, or `--loss squared`"
        )
