"""The run folders of models of interactions: what is written, what goes on after a stop, and what the lines say."""

import io
import json
import re

import numpy as np
import pytest
from click_files import write_clicks
from rich.console import Console

from common import InputError, RunError
from evaluation.forecasts import compare_interactions, interaction_progress, interaction_runs as runs
from evaluation.forecasts.interaction_progress import shown_training
from evaluation.forecasts.interaction_runs import InteractionTask, Learned, strongest_features, strongest_pairs
from features.fields import FieldSettings, prepare
from features.forecasters import Epoch
from features.interactions import InteractionSettings, fit_interactions


@pytest.fixture
def task(tmp_path, monkeypatch):
    """Two files in the working folder."""
    monkeypatch.chdir(tmp_path)
    files = {name: write_clicks(tmp_path / f"{name}.libffm", 300, seed) for seed, name in enumerate(("train", "valid"))}
    settings = InteractionSettings(epochs=3, patience=3)
    return InteractionTask(command="compare", models=("lr", "fm"), fields=FieldSettings(), interactions=settings, **files)


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


class StoppedError(Exception):
    """Instead of a kill."""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lr", "ffm"])
def test_a_training_that_is_stopped_goes_on_to_the_same_bytes(task, tmp_path, model):
    files = runs.load_files(task, quiet())

    def stop(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise StoppedError

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    runs.train_interactions(whole, model, files["train"], files["valid"], task.interactions)
    with pytest.raises(StoppedError):
        runs.train_interactions(stopped, model, files["train"], files["valid"], task.interactions, stop)
    (stopped / ".model.safetensors.half").write_bytes(b"left behind by a kill")
    runs.train_interactions(stopped, model, files["train"], files["valid"], task.interactions)
    names = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    assert names == {path.relative_to(stopped) for path in stopped.rglob("*") if path.is_file()}
    for name in names - {path for path in names if path.name in ("seconds.csv", "checkpoint.safetensors")}:
        assert (whole / name).read_bytes() == (stopped / name).read_bytes(), name


def test_a_model_that_is_trained_is_read_and_not_trained_again(task, tmp_path):
    files = runs.load_files(task, quiet())
    first = runs.train_interactions(tmp_path / "lr", "lr", files["train"], files["valid"], task.interactions)
    told: list[Epoch] = []
    again = runs.train_interactions(tmp_path / "lr", "lr", files["train"], files["valid"], task.interactions, told.append)
    assert told == []
    np.testing.assert_array_equal(first.predict(files["valid"]), again.predict(files["valid"]))


def test_a_run_folder_gives_back_what_it_was_begun_with(task):
    files = runs.load_files(task, quiet())
    folder = runs.begin_interactions(task, files)
    again, same = runs.resume_interactions(folder, "compare", quiet())
    assert again == task
    assert {role: data.sha256 for role, data in same.items()} == {role: data.sha256 for role, data in files.items()}
    with pytest.raises(RunError, match=r"was begun by `forecast.py interactions compare`, but got train"):
        runs.resume_interactions(folder, "train", quiet())


def renamed(text: str) -> str:
    """Each feature has another number, in the same order."""
    return re.sub(r":(\d+):", r":9\1:", text)


CHANGES = {
    "a label": (lambda text: str(1 - int(text[0])) + text[1:], "train.libffm (--train) has changed: its rows had the hash"),
    "more rows": (lambda text: text + text, "train.libffm (--train) has changed: its rows had the hash"),
    "other order": (lambda text: "".join(reversed(text.splitlines(True))), "train.libffm (--train) has changed: its rows"),
    "other features": (renamed, "train.libffm (--train) has changed: the names, numbers or bins of its features are others now"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_does_not_go_on_with_other_rows_or_features(task, change):
    change_text, told = CHANGES[change]
    task = task.model_copy(update={"valid": None})
    folder = runs.begin_interactions(task, runs.load_files(task, quiet()))
    before = task.train.read_text()
    task.train.write_text(change_text(before))
    with pytest.raises(RunError, match=re.escape(told)):
        runs.resume_interactions(folder, "compare", quiet())
    task.train.write_text(before)
    runs.resume_interactions(folder, "compare", quiet())
    (folder / "data.sha256").unlink()
    with pytest.raises(RunError, match=r"cannot read .*data.sha256: No such file or directory; begin a new run"):
        runs.resume_interactions(folder, "compare", quiet())


@pytest.mark.parametrize("n_rows", [1, 7, 64])
def test_rows_of_several_blocks_are_forecast_in_their_order(task, n_rows, tmp_path, monkeypatch):
    """A block is smaller than the file, which has a last one that is not full."""
    monkeypatch.setattr("features.fields.block_writer.BLOCK_ROWS", n_rows)
    many = prepare(task.train, task.fields, folder=tmp_path / "many")
    monkeypatch.undo()
    one = prepare(task.train, task.fields, folder=tmp_path / "one")
    assert (many.n_blocks, one.n_blocks, many.n_rows) == (-(-300 // n_rows), 1, 300)
    np.testing.assert_array_equal(runs.labels_of(many), runs.labels_of(one))
    for name in ("lr", "ffm"):
        model = fit_interactions(name, one, None, task.interactions)
        np.testing.assert_array_equal(model.predict(many), model.predict(one))
        fit_interactions(name, many, many, task.interactions)


@pytest.mark.parametrize(
    ("config", "told"),
    [("command: [", "was edited by hand"), (None, "holds no config.yaml")],
)
def test_a_damaged_run_folder_is_named(task, config, told):
    folder = runs.begin_interactions(task, runs.load_files(task, quiet()))
    (folder / "config.yaml").unlink()
    if config:
        (folder / "config.yaml").write_text(config)
    with pytest.raises(RunError, match=told) as error:
        runs.read_interactions_task(folder)
    assert "\n" not in str(error.value)


def test_a_run_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        RunError, match=r"nowhere is no run of `forecast.py interactions`: it does not exist; name a folder in runs/"
    ):
        runs.read_interactions_task(tmp_path / "nowhere")
    (tmp_path / "a").write_text("")
    with pytest.raises(RunError, match=r"a is no run of `forecast.py interactions`: it is a file"):
        runs.read_interactions_task(tmp_path / "a")


def test_forecasts_that_cannot_be_written_are_one_clear_line(task, monkeypatch):
    files = runs.load_files(task, quiet())
    folder = runs.begin_interactions(task, files)
    runs.train_interactions(folder / "lr", "lr", files["train"], files["valid"], task.interactions)
    out = task.train.parent / "locked" / "p.csv"
    runs.predict_file(folder, task.train, out, "lr", quiet())

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "some temporary name")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(InputError, match=r"locked/p.csv cannot be written \(Permission denied\); name another file$"):
        runs.predict_file(folder, task.train, out, "lr", quiet())
    assert len(out.read_text().splitlines()) == 301


def test_the_run_of_another_script_is_no_run_of_this_one(tmp_path):
    (tmp_path / "config.yaml").write_text("name: default\nmarket: {bars: 1500}\n")
    with pytest.raises(RunError, match=r"is no run of `forecast.py interactions`"):
        runs.read_interactions_task(tmp_path)


def test_the_best_model_on_validation_is_taken_unless_one_is_named(task, tmp_path):
    files = runs.load_files(task, quiet())
    for model in task.models:
        with pytest.raises(RunError, match=r"finish it with `python forecast.py interactions compare --resume"):
            runs.fitted_of(tmp_path, task, model)
        runs.train_interactions(tmp_path / model, model, files["train"], files["valid"], task.interactions)
    losses = {name: runs._validation_loss(tmp_path / name) for name in task.models}
    assert runs.fitted_of(tmp_path, task, None)[1].name == min(losses, key=lambda name: losses[name])
    assert runs.fitted_of(tmp_path, task, "lr")[0] == tmp_path / "lr"
    with pytest.raises(RunError, match="did you mean 'fm'"):
        runs.fitted_of(tmp_path, task, "ffm")


def test_without_validation_rows_its_column_is_empty(task):
    runs.train_interactions(task.train.parent / "m", "lr", prepare(task.train, task.fields), None, task.interactions)
    lines = (task.train.parent / "m" / "epochs.csv").read_text().splitlines()
    assert [line.split(",")[2:] for line in lines[1:]] == [["", "true"]] * 3


def test_the_csv_holds_what_the_comparison_does():
    labels = np.array([0.0, 1.0] * 50)
    compared = compare_interactions(labels, {"lr": np.linspace(0, 1, 100), "fm": labels}, draws=20)
    lines = runs.comparison_lines(compared, {"lr": Learned(2, 4, 1.5), "fm": Learned(3, 3, 2.5)}).splitlines()
    assert lines[0] == "algorithm,auc,logloss,auc_low,auc_high,epochs,kept_epoch"
    assert lines[1].startswith("fm,1.0,")
    assert lines[1].endswith(",1.0,1.0,3,3")
    assert lines[2].startswith("lr,0.51,")
    alike = compare_interactions(np.ones(10), {"lr": np.linspace(0.1, 1, 10)}, draws=20)
    line = runs.comparison_lines(alike, {"lr": Learned(1, 1, 1.0)}).splitlines()[1]
    assert line.startswith("lr,,")  # no AUC, and no NaN


def test_the_strongest_pairs_are_named():
    strengths = np.array([[0.0, 2.0, 1e-10], [2.0, 0.5, 0.25], [1e-10, 0.25, 0.0]])
    lines = strongest_pairs(strengths, ("user", "item", "hour"))
    assert lines[1:] == ["  2  user and item", "  0.5  item and itself", "  0.25  item and hour"]
    assert strongest_pairs(np.zeros((1, 1)), ("all",))[0].startswith("no pair of fields moves any forecast")


def test_the_strongest_features_are_named():
    weights = np.array([0.5, -2.0, 0.0, 1.0], np.float32)
    lines = strongest_features(weights, lambda feature: f"hour={feature}")
    assert lines[1:] == ["  -2  hour=1", "  +1  hour=3", "  +0.5  hour=0"]


def test_the_scores_are_strict_json(task, tmp_path):
    """Rows of one label have no AUC: null, and not NaN."""
    lines = task.valid.read_text().splitlines()
    task.valid.write_text("".join(f"1{line[1:]}\n" for line in lines))
    files = runs.load_files(task, quiet())
    runs.teach_interactions(tmp_path, task, files, quiet())
    console = quiet()
    runs.judge_interactions(tmp_path, task, files, console)
    scores = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)
    assert scores["scores"]["lr"]["measures"]["auc"] is None
    assert scores["measure"] == "logloss"
    assert isinstance(console.file, io.StringIO)
    assert "AUC is not defined here, for all 300 labels are 1." in console.file.getvalue()


def test_where_stderr_is_no_terminal_progress_is_lines(capsys, monkeypatch):
    with shown_training("fm", 5) as (on_epoch, on_part):
        on_part(1, 9)
        on_epoch(Epoch(1, 0.5, 0.25, True, 1.0))
        monkeypatch.setattr(interaction_progress, "LINE_SECONDS", 0.0)
        on_part(2, 9)
    assert capsys.readouterr().err.splitlines() == [
        "fm: epoch 1 of 5: loss 0.5000, validation loss 0.2500", "fm: epoch 2 of 5, block 2 of 9",
    ]  # fmt: skip


def test_in_a_terminal_progress_is_bars(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(interaction_progress, "Console", lambda **_: Console(file=out, force_terminal=True, width=100))
    with shown_training("fm", 5) as (on_epoch, on_part):
        on_part(2, 9)
        on_epoch(Epoch(1, 0.5, 0.25, True, 1.0))
    assert "fm: epochs" in out.getvalue()
    assert "2/9" in out.getvalue()


def test_models_are_judged_by_rows_that_they_were_not_made_with(task):
    with pytest.raises(InputError, match="hold the same rows"):
        runs.load_files(task.model_copy(update={"test": task.train}), quiet())
