"""One training: the same weights however often it is killed, the best epoch by validation, penalties that reach the weights."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import global_random_state

from common import InputError, SealError, read_sealed
from features.forecasters import Epoch, ForecastSettings, Watch, fit_forecaster
from features.forecasters.training import NetworkTraining
from market import Candles, simulate

ROOT = Path(__file__).parents[3]
SETTINGS = ForecastSettings(past_bars=24, future_bars=3, units=6, epochs=6, conv_layers=4, batch_size=32, threads=1)
CANDLES = simulate("bitcoin", bars=900, seed=2)
TRAIN, STOP = CANDLES[:500], CANDLES[500:700]
NETWORKS = ["cnn", "lstm", "gru"]
KILLED = """
'''Trains in processes of their own: in the folder `whole` without a stop, in `killed` with a SIGKILL in each but the last.'''
import os, random, signal, sys, time
from pathlib import Path
import features.forecasters.registry  # else each attempt would import torch
from common import read_sealed
from features.forecasters import ForecastSettings, Watch, fit_forecaster
from market import simulate

candles = simulate("bitcoin", bars=900, seed=2)
settings = ForecastSettings.model_validate_json(sys.argv[1])
kills, rng = int(sys.argv[2]), random.Random(1)

def epochs(folder):
    path = folder / "checkpoint"
    return len(read_sealed(path, "forecaster checkpoint")[1]["history"]) if path.exists() else 0

def newest(folder):
    path = folder / "checkpoint"
    return path.stat().st_mtime_ns if path.exists() else 0

def attempt(folder, seconds=None, further=0):
    seen, child = [newest(folder)], os.fork()
    if child == 0:
        status = 1
        try:
            fit_forecaster("lstm", candles[:500], candles[500:700], settings, Watch(checkpoint=folder / "checkpoint")).save(
                folder / "done"
            )
            status = 0
        finally:
            os._exit(status)
    if seconds is not None:
        while len(seen) <= further and os.waitpid(child, os.WNOHANG) == (0, 0):
            if newest(folder) != seen[-1]:
                seen.append(newest(folder))
            time.sleep(0.001)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

for name in ("whole", "killed"):
    Path(name).mkdir()
assert attempt(Path("whole")) == 0
for kill in range(kills):
    status = attempt(Path("killed"), rng.uniform(0, 0.05), further=kill % 3)
    assert status == -signal.SIGKILL, f"it was over before kill {kill + 1}, with status {status}; give it more epochs"
    print(epochs(Path("killed")))
assert not Path("killed/done").exists()
assert attempt(Path("killed")) == 0
"""


class Stopped(Exception):
    pass


def trained(name: str, settings: ForecastSettings = SETTINGS, **watch) -> tuple[dict[str, np.ndarray], list[Epoch]]:
    history: list[Epoch] = []
    fitted = fit_forecaster(name, TRAIN, STOP, settings, Watch(history.append, **watch))
    return fitted.estimates, history


@functools.cache
def plainly(name: str, epochs: int = 6) -> tuple[dict[str, np.ndarray], list[Epoch]]:
    """The training that the others are compared with."""
    return trained(name, SETTINGS.model_copy(update={"epochs": epochs}))


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

    whole, history = plainly(name)
    with pytest.raises(Stopped):
        fit_forecaster(name, TRAIN, STOP, SETTINGS, Watch(stop, tmp_path / "checkpoint"))
    resumed, again = trained(name, checkpoint=tmp_path / "checkpoint")
    assert same(whole, resumed)
    assert without_seconds(history) == without_seconds(again)


@pytest.mark.slow
def test_a_training_that_is_killed_at_random_moments_ends_with_the_same_bytes(tmp_path):
    """SIGKILL of a process, while it starts, trains or writes, again and again."""
    settings = SETTINGS.model_copy(update={"epochs": 20, "patience": 20})
    command = [sys.executable, "-c", KILLED, settings.model_dump_json(), "6"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(set(run.stdout.split())) >= 4, "the kills fell at few places"
    assert (tmp_path / "killed/done").read_bytes() == (tmp_path / "whole/done").read_bytes()
    killed, whole = (read_sealed(tmp_path / name / "checkpoint", "forecaster checkpoint") for name in ("killed", "whole"))
    assert same(*({key: tensor.numpy() for key, tensor in tensors.items()} for tensors, _ in (killed, whole)))
    histories = [without_seconds([Epoch(**epoch) for epoch in about["history"]]) for _, about in (killed, whole)]
    assert histories[0] == histories[1]
    assert len(histories[0]) == 20


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"units": 7}, "units"), ({"learning_rate": 0.01}, "learning_rate"), ({"seed": 4}, "seed"), ({"epochs": 9}, "epochs")],
)
def test_the_checkpoint_of_other_settings_is_refused_with_the_difference(changes, told, tmp_path):
    trained("gru", checkpoint=tmp_path / "checkpoint")
    with pytest.raises(
        InputError, match=f"goes on with its own data and settings, but .* differs: settings.{told}: .* -> "
    ) as no:
        trained("gru", SETTINGS.model_copy(update=changes), checkpoint=tmp_path / "checkpoint")
    assert "\n" not in str(no.value)


def test_the_checkpoint_of_other_data_or_of_another_forecaster_is_refused(tmp_path):
    trained("gru", checkpoint=tmp_path / "checkpoint")
    watch = Watch(checkpoint=tmp_path / "checkpoint")
    others = [
        ("gru", TRAIN[1:], STOP, "data"),
        ("gru", TRAIN, STOP[1:], "data"),
        ("lstm", TRAIN, STOP, "forecaster: gru -> lstm"),
    ]
    for name, train, stop, told in others:
        with pytest.raises(InputError, match=f"differs: .*{told}") as refused:
            fit_forecaster(name, train, stop, SETTINGS, watch)
        assert "\n" not in str(refused.value)


def test_the_checkpoint_of_other_filled_bars_is_refused(tmp_path):
    """Same prices, another mask: other windows, so other data."""
    filled = np.zeros(len(TRAIN), bool)
    filled[100:200] = True
    repaired = Candles(TRAIN.frame, TRAIN.bar, TRAIN.symbol, TRAIN.source, filled)
    watch = Watch(checkpoint=tmp_path / "checkpoint")
    fit_forecaster("cnn", repaired, STOP, SETTINGS, watch)
    with pytest.raises(InputError, match="differs"):
        fit_forecaster("cnn", TRAIN, STOP, SETTINGS, watch)


def test_a_training_that_is_over_is_not_gone_on_with(tmp_path, monkeypatch):
    whole, history = trained("gru", checkpoint=tmp_path / "checkpoint")
    monkeypatch.setattr(NetworkTraining, "_epoch", lambda self: pytest.fail("trained again"))
    again, told = trained("gru", checkpoint=tmp_path / "checkpoint")
    assert same(whole, again)
    assert told == history


def test_keeping_a_checkpoint_changes_nothing(tmp_path):
    kept, history = trained("lstm", checkpoint=tmp_path / "checkpoint")
    plain, without = plainly("lstm")
    assert same(kept, plain)
    assert without_seconds(history) == without_seconds(without)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    whole, _ = plainly("cnn")
    original = os.replace
    written: list[tuple[object, ...]] = []

    def full_at_the_third(*given):
        if len(written) == 2:
            raise OSError("no space left on device")
        written.append(given)
        original(*given)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full_at_the_third)
        with pytest.raises(OSError, match="no space"):
            trained("cnn", checkpoint=tmp_path / "checkpoint")
    assert len(read_sealed(tmp_path / "checkpoint", "forecaster checkpoint")[1]["history"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    assert same(whole, trained("cnn", checkpoint=tmp_path / "checkpoint")[0])


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
        with pytest.raises(SealError, match=r"cannot read .*checkpoint") as refused:
            trained("cnn", checkpoint=path)
        assert "\n" not in str(refused.value)
    path.write_bytes(content[: len(content) // 2])
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
    again = NetworkTraining(name, TRAIN, STOP, settings)
    again.network.load_state_dict({key[8:]: torch.tensor(value) for key, value in estimates.items() if "weights/" in key})
    outputs = again.network(again.validation.rows(slice(None)))[0]  # two roads: all windows at once
    loss = torch.nn.functional.mse_loss(outputs, again.validation.targets).item()
    assert loss == pytest.approx(best.validation_loss, rel=1e-5)


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
    one, same_seed = plainly(name)[0], trained(name)[0]
    other = trained(name, SETTINGS.model_copy(update={"seed": 1}))[0]
    assert same(one, same_seed)
    assert not same(one, other)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_leaves_the_global_random_states_alone_and_does_not_heed_them(name):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.get_rng_state(), global_random_state()
    one = trained(name, SETTINGS.model_copy(update={"epochs": 2}))[0]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert global_random_state() == before[1]
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    assert same(one, trained(name, SETTINGS.model_copy(update={"epochs": 2}))[0])


def test_torch_keeps_its_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        within: list[int] = []
        fit_forecaster("cnn", TRAIN, STOP, SETTINGS, Watch(lambda epoch: within.append(torch.get_num_threads())))
        assert set(within) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_loss_that_is_not_finite_is_refused_in_one_line():
    settings = SETTINGS.model_copy(update={"l2": 1e39})
    with pytest.raises(
        InputError, match=r"the loss of cnn must stay finite, but is .*; lower the learning rate or the penalty"
    ) as refused:
        trained("cnn", settings)
    assert "\n" not in str(refused.value)


ARRIVING = {
    "past_bars": 25, "future_bars": 2, "inputs": ("close", "volume"), "windows": "disjoint", "target": "price", "units": 7,
    "dropout": 0.0, "l1": 0.01, "l2": 0.01, "learning_rate": 0.01, "batch_size": 64, "epochs": 2, "seed": 1,
}  # fmt: skip


@pytest.mark.parametrize("setting", ARRIVING)
def test_every_setting_arrives(setting):
    settings = SETTINGS.model_copy(update={"epochs": 1, setting: ARRIVING[setting]})
    assert not same(plainly("gru", epochs=1)[0], trained("gru", settings)[0])


def test_the_number_of_convolutions_arrives():
    settings = SETTINGS.model_copy(update={"past_bars": 80, "epochs": 1})
    shapes = [
        {key: array.shape for key, array in trained("cnn", settings.model_copy(update={"conv_layers": layers}))[0].items()}
        for layers in (2, 3, 4)
    ]
    assert [sum("layers" in key for key in kept) for kept in shapes] == [4, 6, 8]  # a weight and a bias each


def test_the_windows_come_in_another_order_each_epoch(monkeypatch):
    training = NetworkTraining("cnn", TRAIN, STOP, SETTINGS)
    orders: list[np.ndarray] = []
    original = training.train.rows

    def noted(which: np.ndarray) -> torch.Tensor:
        orders.append(which)
        return original(which)

    monkeypatch.setattr(training.train, "rows", noted)
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
    for penalty in ("l1", "l2"):
        settings = SETTINGS.model_copy(update={penalty: 0.1, "regularize": group, "epochs": 1})
        assert not same(plainly(name, epochs=1)[0], trained(name, settings)[0])


@pytest.mark.parametrize(("group", "array"), [("kernel", "layer.weight_ih_l0"), ("recurrent", "layer.weight_hh_l0")])
def test_a_strong_penalty_shrinks_its_group_and_no_other(group, array):
    other = {"layer.weight_ih_l0": "layer.weight_hh_l0", "layer.weight_hh_l0": "layer.weight_ih_l0"}[array]
    settings = SETTINGS.model_copy(update={"learning_rate": 0.01, "patience": 6})
    plain, punished = (trained("gru", settings.model_copy(update={"l2": l2, "regularize": group}))[0] for l2 in (0.0, 1.0))
    norms = [[np.linalg.norm(weights[f"weights/{name}"]) for weights in (plain, punished)] for name in (array, other)]
    assert norms[0][1] < 0.7 * norms[0][0]
    assert norms[1][1] > 0.8 * norms[1][0]
