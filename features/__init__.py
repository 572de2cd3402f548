"""Causal features: computed from candles known at the bar's close, estimated on train alone. Imports `market`."""

from features.indicators import INDICATORS
from features.pipeline import FeatureMatrix, FeaturePipeline, FittedFeatures, warmup_bars
from features.settings import FeatureSettings

__all__ = ["INDICATORS", "FeatureMatrix", "FeaturePipeline", "FeatureSettings", "FittedFeatures", "warmup_bars"]
