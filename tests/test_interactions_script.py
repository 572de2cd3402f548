"""`forecast.py interactions` as a user runs it: in an empty folder, with small click-through files."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click_files import write_clicks
from scripts import run_script, run_well, start

pytestmark = pytest.mark.slow

FILES = ["--train", "train.libffm", "--valid", "valid.libffm", "--test", "test.libffm"]
RUN = "runs/interactions-compare-001"
OF_A_MODEL = {"epochs.csv", "seconds.csv", "checkpoint.safetensors", "model.safetensors", "figures"}
OF_A_RUN = {"config.yaml", "command.txt", "data.sha256", "seals.json", "schema.safetensors", "seconds.csv", "comparison.csv",
            "scores.json", "figures"}  # fmt: skip


def interactions(place: Path, *arguments: str) -> str:
    return run_well(place, "forecast", "interactions", *arguments).stdout


def write_files(place: Path) -> None:
    for seed, (name, rows) in enumerate({"train": 1_200, "valid": 400, "test": 400}.items()):
        write_clicks(place / f"{name}.libffm", rows, seed)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("user")
    write_files(place)
    (place / "compare.out").write_text(interactions(place, "compare", *FILES, "--models", "lr,ffm", "--epochs", "6", "--k", "2"))
    return place


def same_bytes(one: Path, other: Path) -> None:
    """All files but those that tell the time or the folder."""
    names = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    assert names == {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    for name in names:
        if name.name not in ("seconds.csv", "checkpoint.safetensors", "command.txt"):
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_compare_says_which_model_is_better_and_writes_a_run_folder(place):
    told, run = (place / "compare.out").read_text(), place / RUN
    assert {path.name for path in run.iterdir()} == OF_A_RUN | {"lr", "ffm"}
    assert all({path.name for path in (run / model).iterdir()} == OF_A_MODEL for model in ("lr", "ffm"))
    assert "test rows: 400 of test.libffm" in told
    assert "ffm is better than lr (by 0." in told  # the label is a product of two fields, of which lr knows nothing
    assert "chosen on these same rows" not in told
    assert all(len(line) <= 80 for line in told.splitlines() if line[:3] in ("lr ", "ffm", "alg") and "better" not in line)
    table = pd.read_csv(run / "comparison.csv")
    assert list(table) == ["algorithm", "auc", "logloss", "auc_low", "auc_high", "epochs", "kept_epoch"]
    assert list(table["algorithm"]) == ["ffm", "lr"]
    assert ((table["auc_low"] < table["auc"]) & (table["auc"] < table["auc_high"])).all()
    assert json.loads((run / "scores.json").read_text())["scores"]["ffm"]["measures"]["auc"] == table["auc"][0]
    assert "k: 2" in (run / "config.yaml").read_text()
    assert [line.split()[1] for line in (run / "data.sha256").read_text().splitlines()] == ["train", "valid", "test"]
    assert {path.name for path in place.iterdir()} - {"compare.out"} >= {"runs", "cache"}


def test_a_comparison_that_is_done_is_told_again(place):
    assert interactions(place, "compare", "--resume", RUN) == (place / "compare.out").read_text()


def test_without_test_rows_the_words_say_what_the_epoch_was_chosen_by(place):
    told = interactions(place, "compare", *FILES[:4], "--models", "lr", "--epochs", "1")
    assert "valid rows: 400 of valid.libffm" in told
    assert "The epoch of each model was chosen on these same rows" in told


def test_predict_keeps_the_order_of_the_rows(place):
    lines = (place / "test.libffm").read_text().splitlines()
    (place / "turned.libffm").write_text("\n".join(reversed(lines)) + "\n")
    told = interactions(place, "predict", "--run", RUN, "--data", "test.libffm", "--out", "out/p.csv")
    assert "400 forecasts of ffm" in told  # the better one on validation
    forecasts = pd.read_csv(place / "out" / "p.csv")
    assert list(forecasts) == ["probability"]
    interactions(place, "predict", "--run", RUN, "--data", "turned.libffm", "--out", "out/p.txt")
    turned = np.loadtxt(place / "out" / "p.txt")
    assert turned.tolist() == forecasts["probability"].tolist()[::-1]
    clicks = np.array([line[0] == "1" for line in lines])
    assert forecasts["probability"][clicks].mean() > 0.6 > 0.4 > forecasts["probability"][~clicks].mean()


def test_predict_needs_no_labels_and_is_not_moved_by_them(place):
    lines = [line.split(" ", 1) for line in (place / "test.libffm").read_text().splitlines()]
    (place / "bare.libffm").write_text("".join(f"{entries}\n" for _, entries in lines))
    (place / "turned.libffm").write_text("".join(f"{1 - int(label)} {entries}\n" for label, entries in lines))
    for name in ("test", "bare", "turned"):
        interactions(place, "predict", "--run", RUN, "--data", f"{name}.libffm", "--out", f"out/{name}-p.csv")
    forecasts = {(place / "out" / f"{name}-p.csv").read_bytes() for name in ("test", "bare", "turned")}
    assert len(forecasts) == 1


def test_features_that_train_never_showed_are_counted(place):
    write_clicks(place / "newer.libffm", 50, 9, first_feature=3)
    told = interactions(place, "predict", "--run", RUN, "--data", "newer.libffm", "--out", "out/newer.txt", "--model", "lr")
    assert "entries have features that train never showed" in told
    assert len((place / "out" / "newer.txt").read_text().splitlines()) == 50


def test_show_names_the_pair_that_decides(place):
    told = interactions(place, "show", "--run", RUN).splitlines()
    assert told[told.index(next(line for line in told if line.startswith("pairs of fields"))) + 1].endswith("  0 and 1")
    assert (place / RUN / "ffm" / "figures" / "field-pairs.png").read_bytes().startswith(b"\x89PNG")
    assert "features with the largest weights" in interactions(place, "show", "--run", RUN, "--model", "lr")


def test_train_writes_one_model_and_judges_it(place):
    told = interactions(place, "train", "--model", "fm", *FILES[:4], "--epochs", "2", "--seed", "3")
    run = place / "runs" / "interactions-train-001"
    assert {path.name for path in run.iterdir()} == OF_A_RUN | OF_A_MODEL
    assert "fm: validation loss 0." in told
    assert list(pd.read_csv(run / "epochs.csv")) == ["epoch", "loss", "validation_loss", "best"]
    assert "seed: 3" in (run / "config.yaml").read_text()


def test_without_validation_rows_a_model_is_trained_for_all_its_epochs(place):
    told = interactions(place, "train", "--model", "lr", "--train", "train.libffm", "--epochs", "4", "--loss", "squared")
    assert "lr: train loss 0." in told
    assert "at epoch 4 of 4" in told


def test_convert_writes_the_rows_in_another_format(place):
    assert "written: clicks.csv" in interactions(place, "convert", "--data", "test.libffm", "--out", "clicks.csv")
    assert len(pd.read_csv(place / "clicks.csv")) == 400
    assert "at epoch 1 of 1" in interactions(place, "train", "--model", "lr", "--train", "clicks.csv", "--epochs", "1")


def test_predict_says_that_a_table_has_no_labels(place):
    interactions(place, "convert", "--data", "train.libffm", "--out", "some.csv")
    interactions(place, "train", "--model", "lr", "--train", "some.csv", "--epochs", "1")
    run = sorted((place / "runs").glob("interactions-train-*"))[-1]
    pd.read_csv(place / "some.csv").drop(columns="label").to_csv(place / "bare.csv", index=False, sep=";")
    told = interactions(place, "predict", "--run", str(run), "--data", "bare.csv", "--out", "out/bare.csv")
    assert "bare.csv: it has no column of labels 'label', and forecasts need none" in told
    assert len(pd.read_csv(place / "out" / "bare.csv")) == 1_200


def between_epochs(run: Path) -> set[str]:
    """The models whose training has made its first epoch and not its last."""
    begun = {path.parent for path in run.glob("*/epochs.csv") if len(path.read_text().splitlines()) >= 2}
    return {place.name for place in begun if not (place / "model.safetensors").exists()}


@pytest.mark.slow
def test_a_comparison_that_is_killed_goes_on_to_the_same_bytes(tmp_path):
    """SIGKILL between two epochs, a kernel's and a network's; finished models are not trained again."""
    write_files(tmp_path)
    models = ["--models", "ffm,deepfm", "--epochs", "25", "--patience", "25"]
    interactions(tmp_path, "compare", *FILES, *models)
    run, arguments, hit = tmp_path / "runs" / "interactions-compare-002", ["compare", *FILES, *models], set[str]()
    for _ in range(2):
        begun = start(tmp_path, "forecast", "interactions", *arguments)
        deadline = time.monotonic() + 120
        while not between_epochs(run) - hit and time.monotonic() < deadline:
            time.sleep(0.002)
        os.killpg(begun.pid, signal.SIGKILL)
        assert begun.wait() == -signal.SIGKILL, "it was over before it was killed"
        hit |= between_epochs(run)
        arguments = ["compare", "--resume", str(run.relative_to(tmp_path))]
    assert hit == {"ffm", "deepfm"}
    before = (run / "ffm" / "model.safetensors").stat().st_mtime_ns
    interactions(tmp_path, *arguments)
    assert (run / "ffm" / "model.safetensors").stat().st_mtime_ns == before
    same_bytes(tmp_path / RUN, run)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["compar"], "there is no command 'compar'; did you mean 'compare'?"),
        (["compare", *FILES, "--models", "lr,fmm"], "there is no model 'fmm'; did you mean 'fm'?"),
        (["compare", *FILES, "--models", "lr,lr"], "takes each model once"),
        (["compare", *FILES, "--epoch", "3"], "there is no option `--epoch`; did you mean `--epochs`?"),
        (["compare", *FILES, "--k", "0"], "`k`: must be greater than or equal to 1, but got 0"),
        (["compare", *FILES, "--bins", "many"], "`bins`: must be a valid integer"),
        (["compare", *FILES[2:]], "give --train FILE"),
        (["compare", *FILES[:2]], "give --valid FILE"),
        (["compare", "--train", "none.libffm", *FILES[2:]], "none.libffm"),
        (["compare", *FILES[:2], "--valid", "train.libffm"], "hold the same rows"),
        (["compare", *FILES[:2], "--valid", "other.libffm"], "other.libffm holds none of them"),
        (["compare", "--train", "clicks-only.libffm", *FILES[2:]], "all 30 rows of clicks-only.libffm have the label 1"),
        (["compare", "--resume", RUN, "--k", "4"], "`k` cannot be given with --resume"),
        (["compare", "--resume", RUN, "--models", "lr"], "`models` cannot be given with --resume"),
        (
            ["compare", "--resume", "nowhere"],
            "nowhere is no run of `forecast.py interactions`: it does not exist; name a folder in runs/",
        ),
        (["train", "--resume", RUN], "was begun by `forecast.py interactions compare`"),
        (["predict", "--run", RUN, "--data", "test.libffm"], "the following arguments are required: --out"),
        (["predict", "--run", RUN, "--data", "test.libffm", "--out", "test.libffm"], "a file of their own"),
        (["predict", "--run", RUN, "--data", "test.libffm", "--out", "p", "--model", "fm"], "there is no model 'fm'"),
        (
            ["predict", "--run", "nowhere", "--data", "test.libffm", "--out", "p"],
            "nowhere is no run of `forecast.py interactions`: it does not",
        ),
        (
            ["predict", "--run", "test.libffm", "--data", "test.libffm", "--out", "p"],
            "interactions`: it is a file; name a folder",
        ),
        (
            ["predict", "--run", RUN, "--data", "test.libffm", "--out", "test.libffm/p"],
            "test.libffm/p cannot be written (File exists)",
        ),
        (["predict", "--run", RUN, "--data", "test.libffm", "--out", "runs"], "runs is a folder; name a file in it"),
        (["predict", "--run", "runs", "--data", "test.libffm", "--out", "p"], "runs is no run of `forecast.py interactions`"),
        (["convert", "--data", "test.libffm", "--out", "test.libffm"], "change --out"),
    ],
)
def test_bad_input_is_refused_in_one_line(place, arguments, told):
    write_clicks(place / "other.libffm", 30, 5, first_feature=500)
    lines = write_clicks(place / "clicks-only.libffm", 30, 6).read_text().splitlines()
    (place / "clicks-only.libffm").write_text("".join(f"1{line[1:]}\n" for line in lines))
    before = sorted(path.name for path in (place / "runs").iterdir())
    run = run_script(place, "forecast", "interactions", *arguments)
    assert run.returncode == 2, run.stdout
    assert len(run.stderr.splitlines()) == 1, run.stderr
    assert told in run.stderr
    assert sorted(path.name for path in (place / "runs").iterdir()) == before


def test_each_command_has_a_help_of_its_own(place):
    assert "interactions predict --run" in interactions(place)
    for command in ("compare", "train", "predict", "show", "convert"):
        told = interactions(place, command, "--help")
        assert told.startswith(f"usage: python forecast.py interactions {command}")
        assert ("--help-all shows all" in told) == (command in ("compare", "train", "convert"))
    assert "--ftrl_alpha" in interactions(place, "train", "--help-all")


def test_a_run_whose_file_has_changed_does_not_go_on(tmp_path):
    write_files(tmp_path)
    interactions(tmp_path, "compare", *FILES, "--models", "lr", "--epochs", "1")
    write_clicks(tmp_path / "valid.libffm", 400, 77)
    run = run_script(tmp_path, "forecast", "interactions", "compare", "--resume", RUN)
    assert "valid.libffm (--valid) has changed" in run.stderr
    write_files(tmp_path)
    config = tmp_path / RUN / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 1", "epochs: 2"))
    assert "epochs: 1 -> 2" in run_script(tmp_path, "forecast", "interactions", "compare", "--resume", RUN).stderr
    (tmp_path / RUN / "lr" / "model.safetensors").write_bytes(b"half")
    config.write_text(config.read_text().replace("epochs: 2", "epochs: 1"))
    damaged = run_script(tmp_path, "forecast", "interactions", "predict", "--run", RUN, "--data", "test.libffm", "--out", "p")
    assert (damaged.returncode, len(damaged.stderr.splitlines())) == (2, 1)
    assert "cannot read runs/interactions-compare-001/lr/model.safetensors" in damaged.stderr
