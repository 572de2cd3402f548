"""What is kept is what would have been computed, and never what was computed from something else."""

from pathlib import Path

import numpy as np
import pytest

from features import INDICATORS, FeaturePipeline, FeatureSettings, Indicator, cache, fitted as fitted_module, pipeline
from features.settings import SarimaxSettings
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=500, seed=3)
SETTINGS = FeatureSettings.model_validate({"indicators": ("rsi", "ema_8", "roc"), "keep_indicators": 2, "window": 2})


@pytest.fixture(autouse=True)
def code_version():
    """Looked up anew before and after each test."""
    original = cache.code_version
    original.cache_clear()
    yield
    original.cache_clear()


@pytest.fixture
def computed(monkeypatch):
    """Counts the computations."""
    counts: list[int] = []

    def counting(original):
        def counted(*arguments, **options):
            counts.append(1)
            return original(*arguments, **options)

        return counted

    for module, name in ((pipeline, "compute_columns"), (fitted_module, "compute_tables")):
        monkeypatch.setattr(module, name, counting(getattr(module, name)))
    return counts


def run(folder: Path | None, settings: FeatureSettings = SETTINGS, candles: Candles = CANDLES) -> bytes:
    fitted = FeaturePipeline(settings, folder).fit(candles[:400])
    matrix = fitted.transform(candles)
    estimated = b"".join(name.encode() + array.tobytes() for name, array in fitted.estimated.items())
    return matrix.values.tobytes() + repr((matrix.names, matrix.warmup, matrix.bound, fitted.notes)).encode() + estimated


LIGHT = SETTINGS.model_copy(update={"sarimax": SarimaxSettings(forecast_len=0)})


def other_candles() -> Candles:
    """The last volume is another one."""
    frame = CANDLES.frame.copy()
    frame.iloc[-1, 4] = 2 * CANDLES.column("volume")[-1]
    return Candles(frame, CANDLES.bar, "", "one volume moved")


CASES = {
    "as they are": (LIGHT, CANDLES),
    "another clip": (LIGHT.model_copy(update={"clip": 3.0}), CANDLES),
    "another window": (LIGHT.model_copy(update={"window": 1}), CANDLES),
    "other columns": (LIGHT.model_copy(update={"calendar": False}), CANDLES),
    "other candles": (LIGHT, other_candles()),
    "a forecast": (SETTINGS, CANDLES),
}


def test_the_second_run_computes_nothing_and_gives_the_same_bytes(tmp_path, computed):
    """All cases share a folder; what comes out of it is what each gives without one, and no two give the same."""
    plain = {name: run(None, *case) for name, case in CASES.items()}
    assert len(set(plain.values())) == len(CASES)
    computed.clear()
    for name, case in CASES.items():
        assert run(tmp_path, *case) == plain[name], name
        assert computed, name
        computed.clear()
    for name, case in CASES.items():
        assert run(tmp_path, *case) == plain[name], name
    assert not computed


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["settings", "candles", "code", "library"])
def test_whatever_a_result_depends_on_is_part_of_its_key(change, tmp_path, computed, monkeypatch):
    run(tmp_path)
    computed.clear()
    settings = SETTINGS
    candles: Candles = CANDLES
    if change == "settings":
        settings = SETTINGS.model_copy(update={"clip": 3.0})
    elif change == "candles":
        frame = CANDLES.frame.copy()
        frame.iloc[5, 4] = CANDLES.column("volume")[5] + 1e-9
        candles = Candles(frame, CANDLES.bar, "", "one volume moved")
    elif change == "code":
        monkeypatch.setattr(cache, "code_version", lambda: "another")
    else:
        cache.code_version.cache_clear()  # as a new process would
        monkeypatch.setattr(cache, "version", lambda name: "another" if name == "statsmodels" else "1")
    run(tmp_path, settings, candles)
    assert computed


def test_the_code_s_version_is_a_hash_of_the_source(tmp_path, monkeypatch):
    before = cache.code_version()
    cache.code_version.cache_clear()
    for path in Path(cache.__file__).parent.rglob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes() + (b"# one comment more\n" if path.name == "scaler.py" else b""))
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    assert cache.code_version() != before


def test_what_was_fitted_on_other_candles_is_another_entry(tmp_path):
    """The same candles transformed by two pipelines with equal settings."""
    one, two = (FeaturePipeline(SETTINGS, tmp_path).fit(CANDLES[:bars]) for bars in (400, 300))
    assert one.transform(CANDLES).values.tobytes() != two.transform(CANDLES).values.tobytes()


@pytest.mark.parametrize("damage", [b"", b"\x00" * 20, None])
def test_a_damaged_entry_is_computed_and_written_anew(tmp_path, damage, computed):
    first = run(tmp_path)
    for path in sorted(tmp_path.rglob("*.*")):
        path.unlink() if damage is None else path.write_bytes(damage)
    assert run(tmp_path) == first
    computed.clear()
    assert run(tmp_path) == first
    assert not computed


def test_a_flipped_bit_in_the_values_is_noticed(tmp_path, computed):
    first = run(tmp_path)
    for path in tmp_path.rglob("values.npy"):
        whole = path.read_bytes()
        path.write_bytes(whole[:-999] + bytes([whole[-999] ^ 1]) + whole[-998:])
    computed.clear()
    assert run(tmp_path) == first
    assert computed


def test_a_column_of_your_own_is_computed_every_time(tmp_path, monkeypatch):
    """Its code may change without the project's noticing."""

    def change_over(bars):
        return Indicator(lambda b: b.close.diff(bars) / b.close, 3, 0.0)

    results = []
    for bars in (1, 2):
        monkeypatch.setitem(INDICATORS, "mine", change_over(bars))
        results.append(run(tmp_path, FeatureSettings(indicators=("mine",))))
    assert results[0] != results[1]


def test_what_comes_from_the_cache_cannot_be_changed(tmp_path):
    for _ in range(2):
        matrix = FeaturePipeline(FeatureSettings(), tmp_path).fit(CANDLES).transform(CANDLES)
        with pytest.raises(ValueError, match="read-only"):
            matrix.values[0, 0] = np.float32(1)


def test_what_comes_from_the_cache_is_read_as_it_is_needed(tmp_path):
    """Not copied into memory: processes that use the same values share it."""
    settings = FeatureSettings(indicators=())
    for kind in (np.ndarray, np.memmap):
        values = FeaturePipeline(settings, tmp_path).fit(CANDLES).transform(CANDLES).values
        base = values if values.base is None else values.base
        assert type(values) is np.ndarray
        assert type(base) is kind
