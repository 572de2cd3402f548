"""The table of embeddings against torch: lookups against sums by hand, its Adam against torch's Adam."""

import numpy as np
import pytest
import torch

from features.fields.rows import FieldRows
from features.interactions.embedding_table import EmbeddingTable, LookedUp

D, F, K = 9, 3, 4


def table(has_linear: bool = True) -> EmbeddingTable:
    made = EmbeddingTable(D, K, has_linear, torch.Generator().manual_seed(5))
    made.weights[:] = np.random.default_rng(1).normal(size=made.weights.shape)
    return made


def rows(count: int = 40, seed: int = 2) -> FieldRows:
    """0 to 4 entries a row, so that some fields have none and some have several; feature 8 occurs nowhere."""
    draw = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(draw.integers(0, 5, count))])
    entries = int(starts[-1])
    features, fields = draw.integers(0, D - 1, entries).astype(np.int32), draw.integers(0, F, entries).astype(np.uint16)
    return FieldRows(
        draw.integers(0, 2, count).astype(np.float32), starts, features, fields, draw.normal(size=entries).astype("f4")
    )


def by_hand(rows: FieldRows, batch: np.ndarray, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Embeddings (B, F, k), linear parts (B,), and the sum of the squares of what each row uses."""
    embeddings, linear, squares = torch.zeros(len(batch), F, K), torch.zeros(len(batch)), torch.zeros(())
    for place, row in enumerate(batch):
        for entry in range(rows.starts[row], rows.starts[row + 1]):
            weight, value = weights[rows.features[entry]], float(rows.values[entry])
            embeddings = embeddings.index_put(
                (torch.tensor(place), torch.tensor(int(rows.fields[entry]))), value * weight[:K], True
            )
            linear = linear.index_put((torch.tensor(place),), value * weight[K:].sum(), True)
            squares = squares + weight.square().sum()
    return embeddings, linear, squares


@pytest.mark.parametrize("has_linear", [True, False])
def test_a_lookup_sums_each_fields_entries(has_linear):
    made, given, batch = table(has_linear), rows(), np.array([7, 3, 39, 0, 12])
    out = LookedUp(torch.full((6, F, K), 9.0), torch.full((6,), 9.0))  # one row more than the batch
    made.look_up(given, batch, out)
    embeddings, linear, _ = by_hand(given, batch, torch.from_numpy(made.weights))
    torch.testing.assert_close(out.fields[:5], embeddings)
    torch.testing.assert_close(out.linear[:5], linear)
    assert not out.fields[5].any()
    assert not out.linear[5]


@pytest.mark.parametrize("has_linear", [True, False])
def test_its_adam_is_one_of_torchs_for_each_feature(has_linear):
    made, given, l2 = table(has_linear), rows(), 0.3
    each = [torch.tensor(weight, requires_grad=True) for weight in made.weights]
    optimizer = torch.optim.Adam(each, 0.05)
    for step in range(8):
        batch = np.random.default_rng(step).permutation(len(given))[:4]
        by_fields, by_linear = torch.randn(4, F, K, generator=torch.Generator().manual_seed(step)), torch.full((4,), 0.5)
        made.learn(given, batch, LookedUp(by_fields, by_linear), rate=0.05, l2=l2)
        embeddings, linear, squares = by_hand(given, batch, torch.stack(each))
        optimizer.zero_grad()
        ((embeddings * by_fields).sum() + (linear * by_linear).sum() + l2 / 2 * squares / len(batch)).backward()
        used = {int(feature) for row in batch for feature in given[row : row + 1].features}
        for feature in set(range(D)) - used:
            each[feature].grad = None  # torch leaves out what has no gradient
        optimizer.step()
    assert len(set(made.steps)) > 2
    np.testing.assert_allclose(made.weights, torch.stack(each).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_features_beyond_the_batch_keep_their_bytes():
    made, given = table(), rows()
    before, batch = made.weights.copy(), np.array([1, 2, 3])
    made.learn(given, batch, LookedUp(torch.ones(3, F, K), torch.ones(3)), rate=0.1, l2=0.1)
    used = np.unique(given[1:4].features)
    assert (made.weights[used] != before[used]).all()
    others = np.setdiff1d(np.arange(D), used)
    assert len(others)
    np.testing.assert_array_equal(made.weights[others], before[others])


def test_first_embeddings_are_small_and_linear_weights_zero():
    made = EmbeddingTable(10_000, K, True, torch.Generator().manual_seed(0))
    assert 0.0009 < made.weights[:, :K].std() < 0.0011
    assert not made.weights[:, K].any()
