"""`forecast.py images` as a user runs it: in an empty folder, with small pictures."""

import csv
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from picture_data import FILTERS, edge_tensors, write_keras, write_torchvision
from picture_folders import picture, save, write_classes, write_flat
from PIL import Image
from scripts import run_script, run_well, start
from sklearn.datasets import load_digits

pytestmark = pytest.mark.slow

SMALL = ["--height", "12", "--width", "12", "--filters", "4", "--precision", "float32"]
LARGE = ["--height", "32", "--width", "32", "--filters", str(FILTERS), "--precision", "float32"]
TRAIN = ["train", "--data", "data", *SMALL, "--batch_size", "8", "--epochs", "4", "--learning_rate", "0.01"]
RUN = "runs/images-train-001"
OF_A_RUN = {"config.yaml", "command.txt", "data.sha256", "seals.json", "epochs.csv", "seconds.csv", "checkpoint.safetensors",
            "model.safetensors", "scores.json", "figures"}  # fmt: skip


def images(place: Path, *arguments: str) -> str:
    return run_well(place, "forecast", "images", *arguments).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A user's folder with pictures, a run on them, and weights of a pretrained network."""
    place = tmp_path_factory.mktemp("user")
    write_flat(place / "all", each=30)
    (place / "organize.out").write_text(images(place, "organize", "all", "--ratio", "0.3", "--out", "data"))
    (place / "train.out").write_text(images(place, *TRAIN))
    write_torchvision(place / "weights.pth", edge_tensors())
    write_keras(place / "weights.h5", edge_tensors())
    return place


def same_bytes(one: Path, other: Path) -> None:
    """All files but those that tell the time or the folder."""
    names = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    assert names == {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    for name in names:
        if name.name not in ("seconds.csv", "checkpoint.safetensors", "command.txt"):
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_organize_says_what_it_made(place):
    told = (place / "organize.out").read_text().splitlines()
    assert told[:2] == ["cat: 21 train, 9 validation", "dog: 21 train, 9 validation"]
    assert told[2] == "written: data, 60 copies"
    assert images(place, "organize", "all", "--links").splitlines()[-2].endswith("all-organized, 60 links")


def test_train_writes_a_run_folder_and_judges_the_model(place):
    told, run = (place / "train.out").read_text(), place / RUN
    assert {path.name for path in run.iterdir()} == OF_A_RUN
    assert {path.name for path in (run / "figures").iterdir()} == {"curves.png", "confusion.png"}
    assert "data/train: 42 pictures (cat: 21, dog: 21)" in told
    assert "small_cnn on 18 pictures of data/validation" in told
    assert "the epoch was chosen on these same pictures" in told
    epochs = pd.read_csv(run / "epochs.csv")
    assert list(epochs) == ["epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "best"]
    scores = json.loads((run / "scores.json").read_text())
    assert scores["accuracy"] == 1.0
    assert 0.8 < scores["accuracy_low"] < scores["accuracy_high"] == 1.0
    assert [line.split()[1] for line in (run / "data.sha256").read_text().splitlines()] == ["train", "valid"]
    assert "height: 12" in (run / "config.yaml").read_text()


def test_a_run_that_is_done_is_told_again(place):
    assert images(place, "train", "--resume", RUN) == (place / "train.out").read_text()


def test_predict_writes_a_label_and_its_probability_in_natural_order(place):
    told = images(place, "predict", "--run", RUN, "all", "--out", "out/p.csv")
    assert "written: out/p.csv, 60 forecasts of small_cnn" in told
    forecasts = pd.read_csv(place / "out" / "p.csv")
    assert list(forecasts) == ["id", "label", "probability"]
    assert list(forecasts["id"]) == [f"{name}.{number}" for name in ("cat", "dog") for number in range(30)]
    assert (forecasts["label"] == [name.split(".")[0] for name in forecasts["id"]]).mean() > 0.9
    assert forecasts["probability"].between(0.5, 1).all()


def test_odd_names_survive_in_the_csv(place, tmp_path):
    names = ("two\nlines", 'a "quote", and', "-rf", "=1+1", "ünï", os.fsdecode(b"x\xff"), "[red]")
    for number, name in enumerate(names):
        save(tmp_path / "new" / f"{number}.png", picture(number)).rename(tmp_path / "new" / f"{name}.png")
    images(place, "predict", "--run", RUN, str(tmp_path / "new"), "--out", str(tmp_path / "p.csv"))
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert set(ids) == {*names[:-2], "x\\udcff", "[red]"}


def test_a_damaged_picture_is_named_and_left_out_only_when_asked(place, tmp_path):
    write_flat(tmp_path / "new", each=2)
    (tmp_path / "new" / "cat.1.png").write_bytes(b"\x89PNG")
    arguments = ["predict", "--run", RUN, str(tmp_path / "new"), "--out", str(tmp_path / "p.csv")]
    ran = run_script(place, "forecast", "images", *arguments)
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert "cat.1.png cannot be read" in ran.stderr
    assert not (tmp_path / "p.csv").exists()
    assert "1 of 4 pictures cannot be read, and are left out: cat.1.png" in images(place, *arguments, "--skip_damaged")
    assert list(pd.read_csv(tmp_path / "p.csv")["id"]) == ["cat.0", "dog.0", "dog.1"]


def test_show_draws_what_the_model_looked_at(place):
    told = images(place, "show", "--run", RUN, "--picture", "all/dog.3.png")
    assert "of 18 pictures were taken for another class" in told
    assert {"grad-cam.png", "feature-maps.png"} <= {path.name for path in (place / RUN / "figures").iterdir()}
    for path in (place / RUN / "figures").iterdir():
        with Image.open(path) as drawn:
            assert drawn.width < 2_000
            assert len(set(np.asarray(drawn.convert("L")).ravel().tolist())) > 20, path


def test_three_classes_are_a_column_each_and_mistakes_are_drawn(place):
    write_classes(place / "three", each=12, classes=("a", "label", "c"))  # a and c look the same
    images(place, "organize", "three", "--out", "three-data")
    told = images(place, "train", "--data", "three-data", *SMALL, "--epochs", "2", "--flip", "--zoom", "0.1")
    run = sorted((place / "runs").glob("images-train-*"))[-1].relative_to(place)
    assert "logloss" in told
    images(place, "predict", "--run", str(run), "three", "--out", "three.csv")
    forecasts = pd.read_csv(place / "three.csv")
    assert list(forecasts) == ["id", "label", "a", "c", "probability of label"]
    assert np.allclose(forecasts.iloc[:, 2:].sum(axis=1), 1)
    images(place, "show", "--run", str(run))
    assert (place / run / "figures" / "mistakes.png").exists()


@pytest.mark.parametrize("weights", ["weights.pth", "weights.h5"])
def test_a_pretrained_network_learns_from_features_that_are_kept(place, weights):
    told = images(place, "bottleneck", "--data", "data", "--weights", weights, *LARGE)
    assert "train: 32 features of each of 42 pictures, kept in cache/images" in told
    kept = {path.name: path.stat().st_mtime_ns for path in (place / "cache" / "images").glob("vgg16-*")}
    arguments = ["--model", "vgg16", "--weights", weights, *LARGE, "--epochs", "3", "--learning_rate", "0.003"]
    told = images(place, "train", "--data", "data", *arguments)
    assert "vgg16 on 18 pictures" in told
    assert kept == {path.name: path.stat().st_mtime_ns for path in (place / "cache" / "images").glob("vgg16-*")}
    run = sorted((place / "runs").glob("images-train-*"))[-1].relative_to(place)
    assert (place / run / "data.sha256").read_text().splitlines()[-1].endswith("  weights")
    images(place, "show", "--run", str(run))
    assert images(place, "train", "--resume", str(run)) == told


def test_without_validation_pictures_all_epochs_are_trained(place):
    told = images(place, "train", "--train", "data/train", *SMALL, "--epochs", "2")
    assert "at epoch 2 of 2" in told
    run = sorted((place / "runs").glob("images-train-*"))[-1].relative_to(place)
    assert (place / run / "epochs.csv").read_text().splitlines()[1].split(",")[3:] == ["", "", "true"]
    assert "of 42 pictures were taken" in images(place, "show", "--run", str(run))


def test_a_picture_that_was_learned_from_is_told(place, tmp_path):
    for name in ("cat", "dog"):
        for number, path in enumerate(sorted((place / "data" / "train" / name).iterdir())[:3]):
            save(tmp_path / "test" / name / f"{number}.png", picture(9_000 + number))
            (tmp_path / "test" / name / f"x{number}.png").write_bytes(path.read_bytes())
    told = images(place, *TRAIN, "--test", str(tmp_path / "test"))
    assert "6 of 12 pictures are in data/train, too, byte for byte" in told
    assert "chosen on these same pictures" not in told


def test_a_training_that_is_killed_goes_on_to_the_same_bytes(place, tmp_path):
    """SIGKILL after the first epochs."""
    write_flat(tmp_path / "all", each=30)
    images(tmp_path, "organize", "all", "--ratio", "0.3", "--out", "data")
    arguments = [*TRAIN[:-4], "--epochs", "30", "--patience", "30", "--learning_rate", "0.0003", "--flip"]
    images(tmp_path, *arguments)
    begun, run = start(tmp_path, "forecast", "images", *arguments), tmp_path / "runs" / "images-train-002"
    deadline = time.monotonic() + 120
    while not (run / "epochs.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(begun.pid, signal.SIGKILL)
    assert begun.wait() == -signal.SIGKILL
    assert not (run / "model.safetensors").exists(), "it was over before it was killed"
    images(tmp_path, "train", "--resume", "runs/images-train-002")
    same_bytes(tmp_path / RUN, run)


def test_an_organize_that_is_killed_leaves_no_folder_that_looks_whole(tmp_path):
    for number in range(3_000):
        (tmp_path / "all").mkdir(exist_ok=True)
        (tmp_path / "all" / f"{'ab'[number % 2]}.{number}.png").write_bytes(b"%d" % number)
    begun, deadline = start(tmp_path, "forecast", "images", "organize", "all", "--out", "data"), time.monotonic() + 120
    while not list(tmp_path.glob(".data.*/train/a/*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(begun.pid, signal.SIGKILL)
    assert begun.wait() == -signal.SIGKILL
    assert not (tmp_path / "data").exists()
    told = images(tmp_path, "organize", "all", "--out", "data")
    assert "an earlier organize was stopped" in told
    assert len(list((tmp_path / "data").rglob("*.png"))) == 3_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trian"], "there is no command 'trian'; did you mean 'train'?"),
        (["organize", "nowhere"], "nowhere does not exist"),
        (["organize", "all", "--out", "data"], "data exists"),
        (["organize", "all", "--ratio", "2"], "above 0 and below 1"),
        (["organize", "all", "--ratio", "half"], "--ratio"),
        (["organize", "all", "--seed", "-1"], "0 or more"),
        (["organize"], "FOLDER"),
        (["train", *SMALL], "give --data OUT"),
        (["train", "--data", "data", "--train", "data/train"], "leave one out"),
        (["train", "--data", "all"], "has no `train`; make one: python forecast.py images organize all"),
        (["train", "--train", "all"], "images organize all"),
        (["train", "--train", "data/train", "--valid", "data/train", *SMALL], "hold the same"),
        (["train", "--train", "one", *SMALL], "has cat alone"),
        (["train", "--train", "data/train", "--valid", "birds", *SMALL], "there is no class 'bird'"),
        (["train", "--data", "data", "--model", "resnet"], "there is no model 'resnet'"),
        (["train", "--data", "data", "--model", "vgg16"], "give --weights FILE: vgg16-397923af.pth"),
        (["train", "--data", "data", "--weights", "weights.pth"], "give --model vgg16"),
        (["train", "--data", "data", "--model", "vgg16", "--weights", "none.pth", *LARGE], "none.pth"),
        (["train", "--data", "data", "--model", "vgg16", "--weights", "weights.pth", "--height", "32"], "VGG16 has"),
        (["train", "--data", "data", "--height", "0"], "`height`: must be greater than or equal to 1"),
        (["train", "--data", "data", "--height", "4", "--width", "4"], "8 x 8 pixels or more"),
        (["train", "--data", "data", "--epoch", "3"], "there is no option `--epoch`; did you mean `--epochs`?"),
        (["train", "--resume", RUN, "--epochs", "9"], "`epochs` cannot be given with --resume"),
        (["train", "--resume", RUN, "--data", "data"], "`data` cannot be given with --resume"),
        (["train", "--resume", "nowhere"], "nowhere is no run of `forecast.py images train`: it does not exist"),
        (["train", "--resume", "runs"], "it holds no config.yaml"),
        (["bottleneck", "--data", "data"], "--weights"),
        (["predict", "--run", RUN, "all"], "--out"),
        (["predict", "--run", RUN, "all", "--out", "runs"], "runs is a folder"),
        (["predict", "--run", RUN, "runs", "--out", "p.csv"], "holds no pictures"),
        (["predict", "--run", RUN, "nowhere", "--out", "p.csv"], "nowhere does not exist"),
        (["predict", "--run", "data", "all", "--out", "p.csv"], "holds no config.yaml"),
        (["show", "--run", RUN, "--picture", "none.png"], "none.png cannot be read (No such file or directory)"),
        (["show", "--run", RUN, "--picture", "organize.out"], "organize.out cannot be read: it is none of JPEG"),
    ],
)
def test_bad_input_is_refused_in_one_line(place, arguments, told):
    write_classes(place / "one", each=2, classes=("cat",))
    write_classes(place / "birds", each=2, classes=("bird",))
    before = sorted(path.name for path in (place / "runs").iterdir())
    ran = run_script(place, "forecast", "images", *arguments)
    assert ran.returncode == 2, ran.stdout
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    assert told in ran.stderr
    assert sorted(path.name for path in (place / "runs").iterdir()) == before


def test_each_command_has_a_help_of_its_own(place):
    assert "images predict --run" in images(place)
    for command in ("organize", "train", "bottleneck", "predict", "show"):
        told = images(place, command, "--help")
        assert told.startswith(f"usage: python forecast.py images {command}")
        assert ("--help-all shows all" in told) == (command in ("train", "bottleneck"))
    assert "--max_pixels" in images(place, "train", "--help-all")


def test_a_run_whose_pictures_have_changed_does_not_go_on(place, tmp_path):
    write_flat(tmp_path / "all", each=6)
    images(tmp_path, "organize", "all", "--out", "data")
    images(tmp_path, "train", "--data", "data", *SMALL, "--epochs", "1")
    changed = next((tmp_path / "data" / "validation" / "cat").iterdir())
    save(changed, picture(4_242))
    ran = run_script(tmp_path, "forecast", "images", "train", "--resume", RUN)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1)
    assert "data/validation (--valid) has changed" in ran.stderr


def test_real_digits_are_told_apart_within_two_minutes(tmp_path):
    """Threes and eights that people wrote, 8 x 8 pixels, enlarged: from scratch, at least 97 % of those that were held back."""
    digits, numbers = load_digits(), {3: "three", 8: "eight"}
    for place, (pixels, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        if digit in numbers:
            small = Image.fromarray((pixels * 255 / 16).astype(np.uint8))
            path = tmp_path / "all" / f"{numbers[digit]}.{place}.png"
            save(path, np.asarray(small.resize((32, 32), Image.Resampling.BICUBIC)))
    began = time.process_time()
    images(tmp_path, "organize", "all", "--ratio", "0.3", "--out", "data")
    images(tmp_path, "train", "--data", "data", "--height", "32", "--width", "32", "--colors", "grey", "--batch_size", "32")
    assert time.process_time() - began < 120
    scores = json.loads((tmp_path / RUN / "scores.json").read_text())
    assert sum(map(sum, scores["confusion"])) == 107
    assert scores["accuracy"] >= 0.97
