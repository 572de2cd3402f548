import numpy as np
import pytest

from features.scaler import apply_scaler, estimate_scaler

ROWS = np.random.default_rng(0).standard_t(3, (5_000, 3)) * [1.0, 1e-6, 1e6] + [0.0, 5.0, -1e7]


def scaled(kind: str, rows: np.ndarray = ROWS, clip: float = 1e9) -> np.ndarray:
    return apply_scaler(rows, *estimate_scaler(rows, kind), clip, np.empty(rows.shape, np.float32))


def test_robust_gives_median_0_and_the_interquartile_range_of_a_normal():
    low, middle, high = np.quantile(scaled("robust"), [0.25, 0.5, 0.75], axis=0)
    np.testing.assert_allclose(middle, 0, atol=1e-6)
    np.testing.assert_allclose(high - low, 1.349, rtol=1e-4)


def test_standard_gives_mean_0_and_deviation_1():
    np.testing.assert_allclose(scaled("standard").mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled("standard").std(axis=0), 1, rtol=1e-5)


def test_minmax_gives_exactly_minus_1_to_1_on_train():
    np.testing.assert_allclose(scaled("minmax").min(axis=0), -1, rtol=1e-6)
    np.testing.assert_allclose(scaled("minmax").max(axis=0), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["robust", "standard", "minmax"])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e9, 1e-300])
def test_a_column_that_never_moves_becomes_0(kind, value):
    assert (scaled(kind, np.full((101, 1), value)) == 0).all()


def test_a_flag_that_is_rarely_up_is_scaled_by_its_deviation():
    """Its interquartile range is 0."""
    flag = (np.arange(1_000) % 50 == 0).astype(float)[:, None]
    center, scale = estimate_scaler(flag, "robust")
    assert (center[0], scale[0]) == (0.0, pytest.approx(flag.std()))


@pytest.mark.parametrize("kind", ["robust", "standard", "minmax"])
def test_what_is_scaled_is_cut_off(kind):
    values = scaled(kind, clip=0.5)
    assert np.abs(values).max() == 0.5
    assert values.dtype == np.float32
