"""What a plugin may add here: indicators, families of columns, and forecasters."""

from common import Kind, Registry
from features.column_families import FAMILIES, Family
from features.indicators import INDICATORS, Indicator


def _forecasters() -> Registry:
    from features.forecasters import FORECASTERS  # imports torch

    return FORECASTERS


def _is_forecaster(value: object) -> bool:
    from features.forecasters import Forecaster

    return isinstance(value, Forecaster)


FEATURE_KINDS = (
    Kind("INDICATORS", lambda: INDICATORS, "a `features.Indicator`", lambda value: isinstance(value, Indicator)),
    Kind("FAMILIES", lambda: FAMILIES, "a `features.Family`", lambda value: isinstance(value, Family)),
    Kind("FORECASTERS", _forecasters, "a `features.forecasters.Forecaster`", _is_forecaster),
)
