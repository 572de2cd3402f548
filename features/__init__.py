"""Causal features: computed from candles known at the bar's close, estimated on train alone. Imports `market`."""

from features.cache import CACHE
from features.families import FAMILIES, Family, warmup_bars
from features.indicators import INDICATORS, Indicator
from features.matrix import FeatureMatrix
from features.pipeline import FeaturePipeline, FittedFeatures
from features.sealed import SealError, Tensors, read_sealed, write_sealed
from features.settings import FeatureSettings

__all__ = [
    "CACHE", "FAMILIES", "INDICATORS", "Family", "FeatureMatrix", "FeaturePipeline", "FeatureSettings", "FittedFeatures",
    "Indicator", "SealError", "Tensors", "read_sealed", "warmup_bars", "write_sealed",
]  # fmt: skip
