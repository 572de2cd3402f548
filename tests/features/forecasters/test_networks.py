"""The networks by hand: shapes, equations, activations, dropout, penalties."""

import numpy as np
import pytest
import torch

from features.forecasters import ForecastSettings
from features.forecasters.networks import CONVOLUTIONS, build_network, drop, initialise, penalty
from market import InputError

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
    assert [(layer.kernel_size[0], layer.stride[0]) for layer in made.layers] == CONVOLUTIONS[layers]
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


def test_a_cnn_has_no_recurrent_weights():
    with pytest.raises(InputError, match="a cnn has no recurrent weights; use kernel"):
        penalty(network("cnn", l2=0.1, regularize="recurrent"), [])


@pytest.mark.parametrize("name", ["linear", "cnn", "lstm", "gru"])
def test_building_one_leaves_the_global_random_state_alone(name):
    before = torch.get_rng_state()
    network(name)
    assert torch.equal(torch.get_rng_state(), before)
