from .candle_fields import require_volumes as require_volumes
from .chart_forecasters import require_drawable as require_drawable
from .registry import (
    FORECASTERS as FORECASTERS,
    FittedForecaster as FittedForecaster,
    Forecaster as Forecaster,
    fit_forecaster as fit_forecaster,
    require_buildable as require_buildable,
)
from .rise_labels import rises as rises
from .scaling import scaled_loss as scaled_loss, windows_of as windows_of
from .settings import (
    CHART_MODELS as CHART_MODELS,
    FIELD_MODELS as FIELD_MODELS,
    NAMES as NAMES,
    OF_CHARTS as OF_CHARTS,
    OF_FIELDS as OF_FIELDS,
    OF_RISES as OF_RISES,
    PRICES as PRICES,
    RISES as RISES,
    VOLUMES as VOLUMES,
    ChartModelSettings as ChartModelSettings,
    ForecastSettings as ForecastSettings,
)
from .training import Epoch as Epoch, Watch as Watch
from .walk_forward_models import (
    fit_and_stop as fit_and_stop,
    fit_walk_forward as fit_walk_forward,
    memory as memory,
    walk_forward as walk_forward,
)
from .windows import Windows as Windows, sample_windows as sample_windows, save_windows as save_windows
