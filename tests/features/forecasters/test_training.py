"""One training: the same weights however often it is killed, the best epoch by validation, penalties that reach the weights."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from features import SealError, read_sealed
from features.forecasters import Epoch, ForecastSettings, Watch, fit_forecaster
from features.forecasters.training import NetworkTraining
from market import InputError, simulate

ROOT = Path(__file__).parents[3]
SETTINGS = ForecastSettings(past_bars=24, future_bars=3, units=6, epochs=6, conv_layers=4, batch_size=32, threads=1)
CANDLES = simulate("bitcoin", bars=900, seed=2)
TRAIN, STOP = CANDLES[:500], CANDLES[500:700]
NETWORKS = ["cnn", "lstm", "gru"]
KILLED = """
import sys
from pathlib import Path
from features.forecasters import ForecastSettings, Watch, fit_forecaster
from market import simulate
candles = simulate("bitcoin", bars=900, seed=2)
settings = ForecastSettings.model_validate_json(sys.argv[1])
def told(epoch):
    print(epoch.number, flush=True)
fitted = fit_forecaster("lstm", candles[:500], candles[500:700], settings, Watch(told, Path("checkpoint")))
fitted.save(Path("done"))
"""


class Stopped(Exception):
    pass


def trained(name: str, settings: ForecastSettings = SETTINGS, **watch) -> tuple[dict[str, np.ndarray], list[Epoch]]:
    history: list[Epoch] = []
    fitted = fit_forecaster(name, TRAIN, STOP, settings, Watch(history.append, **watch))
    return fitted.estimates, history


def without_seconds(history: list[Epoch]) -> list[tuple]:
    return [(epoch.number, epoch.loss, epoch.validation_loss, epoch.best) for epoch in history]


def same(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    return one.keys() == two.keys() and all(one[key].tobytes() == two[key].tobytes() for key in one)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("after", [1, 4])
def test_a_training_that_stops_goes_on_to_the_same_weights(name, after, tmp_path):
    def stop(epoch):
        if epoch.number == after:
            raise Stopped

    whole, history = trained(name)
    with pytest.raises(Stopped):
        fit_forecaster(name, TRAIN, STOP, SETTINGS, Watch(stop, tmp_path / "checkpoint"))
    resumed, again = trained(name, checkpoint=tmp_path / "checkpoint")
    assert same(whole, resumed)
    assert without_seconds(history) == without_seconds(again)


def test_a_training_that_is_killed_at_random_moments_ends_with_the_same_bytes(tmp_path):
    """SIGKILL of a process, while it trains or writes, again and again."""
    settings = SETTINGS.model_copy(update={"epochs": 30, "patience": 30})
    command = [sys.executable, "-c", KILLED, settings.model_dump_json()]
    environment, rng, killed = os.environ | {"PYTHONPATH": str(ROOT)}, random.Random(1), 0
    whole = tmp_path / "whole"
    whole.mkdir()
    subprocess.run(command, cwd=whole, env=environment, check=True, capture_output=True, timeout=240)
    while killed < 3:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
        known = len(read_sealed(tmp_path / "checkpoint", "forecaster checkpoint")[1]["history"]) if killed else 0
        for line in process.stdout or ():
            if int(line) > known:  # it has gone on
                break
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was over before it was killed; give it more epochs"
        killed += 1
    assert not (tmp_path / "done").exists()
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=240)
    assert (tmp_path / "done").read_bytes() == (whole / "done").read_bytes()


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"units": 7}, "units"), ({"learning_rate": 0.01}, "learning_rate"), ({"seed": 4}, "seed"), ({"epochs": 9}, "epochs")],
)
def test_the_checkpoint_of_other_settings_is_refused_with_the_difference(changes, told, tmp_path):
    trained("gru", checkpoint=tmp_path / "checkpoint")
    with pytest.raises(InputError, match=f"goes on with its own data and settings, but .* differs: .*{told}"):
        trained("gru", SETTINGS.model_copy(update=changes), checkpoint=tmp_path / "checkpoint")


def test_the_checkpoint_of_other_data_or_of_another_forecaster_is_refused(tmp_path):
    trained("gru", checkpoint=tmp_path / "checkpoint")
    watch = Watch(checkpoint=tmp_path / "checkpoint")
    for name, train, told in (("gru", TRAIN[1:], "data"), ("lstm", TRAIN, "forecaster")):
        with pytest.raises(InputError, match=f"differs: .*{told}"):
            fit_forecaster(name, train, STOP, SETTINGS, watch)


def test_what_cannot_change_the_weights_may_change(tmp_path):
    """The settings of the walk-forward columns are not those of one model."""
    whole, _ = trained("cnn", checkpoint=tmp_path / "checkpoint")
    other = SETTINGS.model_copy(update={"ensemble": 7, "refit_bars": 99})
    assert same(whole, trained("cnn", other, checkpoint=tmp_path / "checkpoint")[0])


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint"
    trained("cnn", checkpoint=path)
    content = path.read_bytes()
    for place in np.linspace(8, len(content) - 1, 15).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with pytest.raises(SealError, match=r"cannot read .*checkpoint"):
            trained("cnn", checkpoint=path)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_weights_of_the_best_epoch_on_validation_are_kept(name):
    settings = SETTINGS.model_copy(update={"learning_rate": 0.03, "epochs": 12, "patience": 12})
    estimates, history = trained(name, settings)
    best = min(history, key=lambda epoch: epoch.validation_loss)
    assert [epoch.best for epoch in history] == [
        all(epoch.validation_loss < before.validation_loss for before in history[:place]) for place, epoch in enumerate(history)
    ]
    assert best.number < len(history), "the last epoch is the best one, so this shows nothing"
    until_best, _ = trained(name, settings.model_copy(update={"epochs": best.number}))
    assert same(estimates, until_best)


def test_it_ends_after_epochs_without_a_better_one():
    settings = SETTINGS.model_copy(update={"learning_rate": 0.05, "epochs": 60, "patience": 3})
    _, history = trained("gru", settings)
    best = max(epoch.number for epoch in history if epoch.best)
    assert len(history) == best + 3 < 60


def test_epochs_are_a_bound():
    _, history = trained("cnn", SETTINGS.model_copy(update={"epochs": 2}))
    assert [epoch.number for epoch in history] == [1, 2]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_decides_the_weights(name):
    one, same_seed = trained(name)[0], trained(name)[0]
    other = trained(name, SETTINGS.model_copy(update={"seed": 1}))[0]
    assert same(one, same_seed)
    assert not same(one, other)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_leaves_the_global_random_states_alone_and_does_not_heed_them(name):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    one = trained(name)[0]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tobytes() == before[1]  # noqa: NPY002
    torch.manual_seed(99)
    assert same(one, trained(name)[0])


def test_torch_keeps_its_threads():
    before = torch.get_num_threads()
    trained("cnn", SETTINGS.model_copy(update={"threads": 1}))
    assert torch.get_num_threads() == before


def test_a_loss_that_is_not_finite_is_refused_in_one_line():
    settings = SETTINGS.model_copy(update={"l2": 1e39})
    with pytest.raises(InputError, match=r"the loss of cnn must stay finite, but is .*; lower the learning rate or the penalty"):
        trained("cnn", settings)


def test_the_windows_come_in_another_order_each_epoch():
    training = NetworkTraining("cnn", TRAIN, STOP, SETTINGS)
    orders: list[np.ndarray] = []
    original = training.train.rows
    training.train.rows = lambda which: orders.append(which) or original(which)  # type: ignore[method-assign, func-returns-value]
    training.run(Watch())
    per_epoch = len(orders) // len(training.history)
    first, second = (np.concatenate(orders[k * per_epoch : (k + 1) * per_epoch]) for k in (0, 1))
    assert sorted(first) == sorted(second) == list(range(len(training.train)))
    assert list(first) != list(second)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("group", ["kernel", "bias", "recurrent", "activity"])
def test_a_penalty_on_any_group_reaches_the_weights(name, group):
    if (name, group) == ("cnn", "recurrent"):
        pytest.skip("a cnn has no recurrent weights")
    plain = trained(name)[0]
    for penalty in ("l1", "l2"):
        assert not same(plain, trained(name, SETTINGS.model_copy(update={penalty: 0.1, "regularize": group}))[0])


@pytest.mark.parametrize(("group", "array"), [("kernel", "layer.weight_ih_l0"), ("recurrent", "layer.weight_hh_l0")])
def test_a_strong_penalty_shrinks_its_group_and_no_other(group, array):
    other = {"layer.weight_ih_l0": "layer.weight_hh_l0", "layer.weight_hh_l0": "layer.weight_ih_l0"}[array]
    settings = SETTINGS.model_copy(update={"learning_rate": 0.01, "patience": 6})
    plain, punished = (trained("gru", settings.model_copy(update={"l2": l2, "regularize": group}))[0] for l2 in (0.0, 1.0))
    norms = [[np.linalg.norm(weights[f"weights/{name}"]) for weights in (plain, punished)] for name in (array, other)]
    assert norms[0][1] < 0.7 * norms[0][0]
    assert norms[1][1] > 0.8 * norms[1][0]
