"""The networks of interactions by hand: each part against its formula in explicit loops, gradients against finite differences."""

import itertools

import pytest
import torch
from torch import nn

from features.interactions import InteractionSettings, Shape
from features.interactions.networks import (
    NETWORKS,
    CompressedInteractions,
    CrossNetwork,
    Deep,
    MatrixCross,
    Network,
    VectorCross,
    WideDeep,
    XDeepFM,
    build_network,
    pair_products,
)

SHAPE = Shape(n_features=50, n_fields=4)
SETTINGS = InteractionSettings(k=3, hidden_layers=(6, 5), cross_layers=3, cin_layers=(5, 4, 3))


def numbers(*sizes: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fill(module: nn.Module, seed: int = 1) -> None:
    """In float64, every weight and bias drawn."""
    module.double()
    for place, weight in enumerate(module.parameters()):
        weight.data = numbers(*weight.shape, seed=seed + place) / 2


def network(name: str, **changes) -> Network:
    settings = SETTINGS.model_copy(update=changes)
    made = build_network(name, SHAPE, settings, torch.Generator().manual_seed(0))
    fill(made)
    return made


def test_the_vector_cross_is_its_formula():
    cross, first = VectorCross(6, 4), numbers(5, 6)
    fill(cross)
    for row, given in zip(first, cross(first), strict=True):
        now = row
        for weight, bias in zip(cross.weight, cross.bias, strict=True):
            now = row * sum(now[i] * weight[i] for i in range(6)) + bias + now
        torch.testing.assert_close(given, now)


def test_the_matrix_cross_is_its_formula():
    cross, first = MatrixCross(6, 3), numbers(5, 6)
    fill(cross)
    for row, given in zip(first, cross(first), strict=True):
        now = row
        for layer in cross.layers:
            assert isinstance(layer, nn.Linear)
            weight, bias = layer.weight, layer.bias
            mapped = [bias[i] + torch.stack([weight[i, j] * now[j] for j in range(6)]).sum() for i in range(6)]
            now = row * torch.stack(mapped) + now
        torch.testing.assert_close(given, now)


@pytest.mark.parametrize("n_fields", [1, 2, 5])
def test_the_pair_products_are_the_sum_over_all_pairs(n_fields):
    fields = numbers(4, n_fields, 3)
    double_sum = torch.zeros(4, dtype=torch.float64)
    for i, j in itertools.combinations(range(n_fields), 2):
        double_sum += (fields[:, i] * fields[:, j]).sum(1)
    torch.testing.assert_close(pair_products(fields), double_sum)


def cin_by_loops(cin: CompressedInteractions, maps: tuple[int, ...], row: torch.Tensor) -> torch.Tensor:
    """One row (F, k): each map as the sum over pairs (h, m), then split, then summed over k."""
    now, outputs = row, []
    for layer, (weight, count) in enumerate(zip(cin.weights, maps, strict=True)):
        shaped = weight.view(count, len(now), len(row))
        made = torch.zeros((count, row.shape[1]), dtype=row.dtype)
        for o, h, m in itertools.product(range(count), range(len(now)), range(len(row))):
            made[o] += shaped[o, h, m].detach() * now[h] * row[m]
        onward = 0 if layer == len(maps) - 1 else (count + 1) // 2
        outputs += [each.sum() for each in made[onward:]]
        now = made[:onward]
    return torch.stack(outputs)


@pytest.mark.parametrize("maps", [(3,), (4, 4), (1, 2), (5, 6, 3)])
def test_the_cin_is_its_formula_with_half_of_each_layer_going_on(maps):
    cin, fields = CompressedInteractions(3, maps), numbers(4, 3, 2)
    fill(cin)
    given = cin(fields)
    assert given.shape == (4, cin.width)
    assert cin.width == sum(count // 2 for count in maps[:-1]) + maps[-1]
    torch.testing.assert_close(given, torch.stack([cin_by_loops(cin, maps, row) for row in fields]))


def test_the_cin_in_small_parts_is_the_cin_at_once(monkeypatch):
    cin, fields = CompressedInteractions(3, (4, 4)), numbers(7, 3, 2)
    fill(cin)
    at_once = cin(fields)
    monkeypatch.setattr("features.interactions.networks.PRODUCTS", 40)
    torch.testing.assert_close(cin(fields), at_once)


def test_the_deep_part_is_its_formula():
    deep, row = Deep(4, (3, 2), dropout=0.5), numbers(4)
    fill(deep)
    now = row
    for layer in deep.layers:
        assert isinstance(layer, nn.Linear)
        now = torch.clamp(layer.weight @ now + layer.bias, min=0)
    torch.testing.assert_close(deep(row[None])[0], (deep.head.weight @ now + deep.head.bias)[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_margin_is_the_sum_of_its_parts(name):
    made, fields, linear = network(name), numbers(5, 4, 3), numbers(5, seed=9)
    row = fields.flatten(1)
    expected = made.deep(row) + (linear if made.HAS_LINEAR else 0)
    if isinstance(made, CrossNetwork):
        expected = expected + (made.cross(row) * made.head.weight).sum(1)
    elif isinstance(made, XDeepFM):
        expected = expected + (made.cin(fields) * made.head.weight).sum(1)
    elif not isinstance(made, WideDeep):
        expected = expected + pair_products(fields)
    torch.testing.assert_close(made(fields, linear), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_agree_with_finite_differences(name):
    made = network(name, k=2)
    names, weights = zip(*made.named_parameters(), strict=True)
    inputs = (numbers(3, 4, 2).requires_grad_(), numbers(3, seed=5).requires_grad_(made.HAS_LINEAR))

    def margins(fields, linear, *values):
        return torch.func.functional_call(made, dict(zip(names, values, strict=True)), (fields, linear))

    assert torch.autograd.gradcheck(margins, (*inputs, *weights))


@pytest.mark.parametrize("name", NETWORKS)
def test_first_weights_are_those_of_the_seed_and_leave_the_global_one(name):
    before = torch.random.get_rng_state()
    first, second, other = (
        build_network(name, SHAPE, SETTINGS, torch.Generator().manual_seed(seed)).state_dict() for seed in (3, 3, 4)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    for key, weight in first.items():
        assert torch.equal(weight, second[key])
        assert torch.equal(weight, other[key]) == ("bias" in key) == bool((weight == 0).all()), key


def test_dropout_draws_from_its_generator_and_only_when_given():
    made = network("wide_deep", dropout=0.5, hidden_layers=(64, 64))
    fields, linear = numbers(5, 4, 3), numbers(5)
    first, second = (made(fields, linear, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, made(fields, linear))


SIZES = {"hidden_layers": (9,), "cross_layers": 2, "cin_layers": (6, 7), "k": 5}


@pytest.mark.parametrize(
    ("name", "setting"),
    [(name, setting) for name in NETWORKS for setting in ("hidden_layers", "k")]
    + [("dcn", "cross_layers"), ("dcn_v2", "cross_layers"), ("xdeepfm", "cin_layers")],
)
def test_every_size_that_is_set_arrives(name, setting):
    sizes = [
        [weight.shape for weight in build_network(name, SHAPE, settings, torch.Generator()).parameters()]
        for settings in (SETTINGS, SETTINGS.model_copy(update={setting: SIZES[setting]}))
    ]
    assert sizes[0] != sizes[1]
