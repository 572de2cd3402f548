"""The networks by hand: shapes, equations, activations, dropout, penalties."""

import numpy as np
import pytest
import torch
from helpers import global_random_state

from common import InputError
from features.forecasters import ForecastSettings
from features.forecasters.networks import CONVOLUTIONS, Convolutions, build_network, initialise, penalty
from features.torch_tools import drop

SETTINGS = ForecastSettings(past_bars=20, future_bars=3, units=5, inputs="close,volume", dropout=0.5, conv_layers=4)


def network(name: str, **changes):
    made = build_network(name, SETTINGS.model_copy(update=changes))
    initialise(made, torch.Generator().manual_seed(3))
    return made


def rows(count: int = 4, past: int = 20, columns: int = 2) -> torch.Tensor:
    return torch.randn((count, past, columns), generator=torch.Generator().manual_seed(1))


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_256_bars_become_16_stretches(layers):
    made = build_network("cnn", ForecastSettings(conv_layers=layers))
    assert isinstance(made, Convolutions)
    convolutions = [layer for layer in made.layers if isinstance(layer, torch.nn.Conv1d)]
    assert len(convolutions) == len(made.layers)
    assert [(layer.kernel_size[0], layer.stride[0]) for layer in convolutions] == CONVOLUTIONS[layers]
    outputs, hidden = made(rows(2, 256, 1))
    assert outputs.shape == (2, 16)
    assert hidden[-1].shape == (2, 8, 16)


@pytest.mark.parametrize("name", ["linear", "cnn", "lstm", "gru"])
def test_any_lengths_and_columns_are_mapped(name):
    for past, future, columns in ((20, 3, 1), (33, 1, 4), (47, 20, 2)):
        inputs = ("close", "open", "volume", "high")[:columns]
        made = network(name, past_bars=past, future_bars=future, inputs=inputs)
        assert made(rows(5, past, columns))[0].shape == (5, future)


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_a_convolution_sees_the_newest_bar_at_any_length(layers):
    for past in range(75, 90):
        made = network("cnn", conv_layers=layers, past_bars=past)
        shown = rows(1, past)
        other = shown.clone()
        other[0, -1] += 1
        assert not torch.equal(made(shown)[0], made(other)[0]), past


@pytest.mark.parametrize(("layers", "least"), [(2, 65), (3, 71), (4, 16)])
def test_fewer_bars_than_the_kernels_need_are_refused(layers, least):
    build_network("cnn", SETTINGS.model_copy(update={"conv_layers": layers, "past_bars": least}))
    with pytest.raises(InputError, match=f"a cnn of {layers} layers needs more bars than `past_bars` {least - 1}; raise it"):
        build_network("cnn", SETTINGS.model_copy(update={"conv_layers": layers, "past_bars": least - 1}))


def test_a_cnn_is_its_equations():
    """Plain loops over the newest rows that the strides fit, tanh after each layer, then the head over filters and places."""
    made, shown = network("cnn", conv_layers=3, past_bars=78), rows(4, 78)
    held = {name: weight.detach().numpy().astype(float) for name, weight in made.named_parameters()}
    now = shown.numpy().astype(float).transpose(0, 2, 1)  # (B, N, C) -> (B, C, N)
    for layer, (kernel, stride) in enumerate(CONVOLUTIONS[3]):
        weight, bias = held[f"layers.{layer}.weight"], held[f"layers.{layer}.bias"]
        firsts = range(now.shape[2] - kernel, -1, -stride)[::-1]
        places = [np.einsum("bck,fck->bf", now[:, :, first : first + kernel], weight) + bias for first in firsts]
        now = np.tanh(np.stack(places, axis=2))
    expected = now.reshape(4, -1) @ held["head.weight"].T + held["head.bias"]
    np.testing.assert_allclose(made.outputs(shown, None)[0].detach().numpy(), expected, atol=1e-5)


def test_a_linear_one_is_a_product():
    made, shown = network("linear"), rows()
    weight, bias = (value.detach().numpy() for value in (made.head.weight, made.head.bias))
    np.testing.assert_allclose(made(shown)[0].detach().numpy(), shown.numpy().reshape(4, 40) @ weight.T + bias, atol=1e-5)


@pytest.mark.parametrize(("name", "gates"), [("lstm", 4), ("gru", 3)])
def test_recurrent_weights_begin_orthogonal_and_the_others_within_glorots_bound(name, gates):
    made = network(name)
    for gate in made.layer.weight_hh_l0.detach().split(5):
        torch.testing.assert_close(gate @ gate.T, torch.eye(5), atol=1e-5, rtol=0)
    bound = np.sqrt(6 / (2 + gates * 5))
    assert 0.8 * bound < made.layer.weight_ih_l0.abs().max().item() <= bound
    assert not made.head.bias.any()
    assert not made.layer.bias_hh_l0.any()


def test_an_lstm_is_its_equations():
    """Hochreiter & Schmidhuber (1997) with Gers' forget gate; torch orders the gates input, forget, cell, output."""
    made, shown = network("lstm"), rows()
    weights = {name: weight.detach().numpy().astype(float) for name, weight in made.named_parameters()}
    hidden = cell = np.zeros((4, 5))
    for step in range(20):
        gates = shown[:, step].numpy() @ weights["layer.weight_ih_l0"].T + weights["layer.bias_ih_l0"]
        gates = gates + hidden @ weights["layer.weight_hh_l0"].T + weights["layer.bias_hh_l0"]
        enter, keep, new, out = np.split(gates, 4, axis=1)
        cell = sigmoid(keep) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(out) * np.tanh(cell)
    expected = np.tanh(hidden) @ weights["head.weight"].T + weights["head.bias"]
    np.testing.assert_allclose(made.outputs(shown, None)[0].detach().numpy(), expected, atol=1e-5)
    assert weights["layer.bias_ih_l0"][5:10].tolist() == [1.0] * 5, "an LSTM begins by keeping"


def test_a_gru_is_its_equations():
    """Cho et al. (2014); torch orders the gates reset, update, new, and resets after the product."""
    made, shown = network("gru"), rows()
    weights = {name: weight.detach().numpy().astype(float) for name, weight in made.named_parameters()}
    hidden = np.zeros((4, 5))
    for step in range(20):
        of_input = np.split(shown[:, step].numpy() @ weights["layer.weight_ih_l0"].T + weights["layer.bias_ih_l0"], 3, axis=1)
        of_memory = np.split(hidden @ weights["layer.weight_hh_l0"].T + weights["layer.bias_hh_l0"], 3, axis=1)
        reset, update = sigmoid(of_input[0] + of_memory[0]), sigmoid(of_input[1] + of_memory[1])
        hidden = (1 - update) * np.tanh(of_input[2] + reset * of_memory[2]) + update * hidden
    expected = np.tanh(hidden) @ weights["head.weight"].T + weights["head.bias"]
    np.testing.assert_allclose(made.outputs(shown, None)[0].detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["cnn", "lstm", "gru"])
@pytest.mark.parametrize(("activation", "slope"), [("relu", 0.0), ("leaky_relu", 0.3)])
def test_the_output_activation_has_its_zero_at_the_lowest_target(name, activation, slope):
    made = network(name, activation=activation)
    before = made.outputs(rows(50), None)[0]
    made.low.copy_(before.mean(axis=0))
    expected = torch.where(before > made.low, before, made.low + slope * (before - made.low))
    torch.testing.assert_close(made(rows(50))[0], expected)
    assert (before < made.low).any()
    assert (before > made.low).any()
    if activation == "relu":
        assert (made(rows(50))[0] >= made.low).all()


def test_dropout_is_off_in_evaluation_and_keeps_the_mean_in_training():
    made = network("gru")
    assert torch.equal(made(rows())[0], made(rows())[0])
    values = torch.ones(200_000)
    dropped = drop(values, 0.3, torch.Generator().manual_seed(0))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    one, same, other = (made(rows(), torch.Generator().manual_seed(seed))[0] for seed in (4, 4, 5))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


LSTM_GROUPS = {
    "kernel": ["layer.weight_ih_l0"], "recurrent": ["layer.weight_hh_l0"], "bias": ["layer.bias_ih_l0", "layer.bias_hh_l0"],
}  # fmt: skip
CNN_GROUPS = {kind: [f"layers.{k}.{name}" for k in range(4)] for kind, name in (("kernel", "weight"), ("bias", "bias"))}


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.0), (0.0, 0.01), (0.3, 0.2)])
@pytest.mark.parametrize(
    ("name", "group", "weights"),
    [
        *(("lstm", group, names) for group, names in LSTM_GROUPS.items()),
        *(("cnn", group, names) for group, names in CNN_GROUPS.items()),
    ],
)
def test_a_penalty_is_the_sum_over_its_weights(l1, l2, name, group, weights):
    made = network(name, l1=l1, l2=l2, regularize=group)
    held = dict(made.named_parameters())
    with torch.no_grad():
        for name in weights:
            held[name] += 0.1  # biases begin at 0
    values = np.concatenate([held[name].detach().numpy().ravel() for name in weights])
    expected = l1 * np.abs(values).sum() + l2 * (values**2).sum()
    assert penalty(made, []).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["lstm", "cnn"])
def test_a_penalty_on_activities_is_a_mean_over_the_windows(name):
    made = network(name, l1=0.1, l2=0.2, regularize="activity")
    _, hidden = made(rows())
    expected = sum(0.1 * h.abs().sum().item() / 4 + 0.2 * h.square().sum().item() / 4 for h in hidden)
    assert penalty(made, hidden).item() == pytest.approx(expected, rel=1e-5)
    _, twice = made(torch.cat([rows(), rows()]))
    assert penalty(made, twice).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("group", ["kernel", "bias", "recurrent", "activity"])
def test_without_l1_and_l2_there_is_no_penalty(group):
    made = network("lstm", regularize=group)
    assert penalty(made, made(rows())[1]).item() == 0


@pytest.mark.parametrize("name", ["lstm", "cnn"])
def test_no_penalty_reaches_the_head(name):
    """`regularize` is of the hidden layers: what the head weighs costs nothing."""
    for group in ("kernel", "bias", "activity"):
        made = network(name, l1=0.1, l2=0.1, regularize=group)
        before = penalty(made, made(rows())[1]).item()
        with torch.no_grad():
            made.head.weight.mul_(10)
            made.head.bias.add_(10)
        assert penalty(made, made(rows())[1]).item() == before


def test_a_cnn_has_no_recurrent_weights():
    with pytest.raises(InputError, match="a cnn has no recurrent weights; use kernel"):
        penalty(network("cnn", l2=0.1, regularize="recurrent"), [])


@pytest.mark.parametrize("name", ["linear", "cnn", "lstm", "gru"])
def test_building_one_leaves_the_global_random_states_alone_and_does_not_heed_them(name):
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before = torch.get_rng_state(), global_random_state()
        made.append(network(name))
        made[-1](rows(), torch.Generator().manual_seed(0))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert global_random_state() == before[1]
    for one, two in zip(made[0].parameters(), made[1].parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_on_average_dropout_changes_no_output(name):
    made, window = network(name), rows(1)
    dropped = made.outputs(window.expand(5_000, -1, -1), torch.Generator().manual_seed(3))[0]
    torch.testing.assert_close(dropped.mean(axis=0), made.outputs(window, None)[0][0], atol=0.01, rtol=0)
    assert (dropped.std(axis=0) > 0.05).all()


@pytest.mark.parametrize("name", ["cnn", "lstm", "gru"])
def test_dropout_draws_from_its_generator_alone(name):
    made, outputs = network(name), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        outputs.append(made(rows(), torch.Generator().manual_seed(7))[0])
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], made(rows())[0]), "in training something is dropped"
