from .candle_fields import require_volumes as require_volumes
from .registry import (
    FORECASTERS as FORECASTERS,
    FittedForecaster as FittedForecaster,
    Forecaster as Forecaster,
    fit_forecaster as fit_forecaster,
    require_buildable as require_buildable,
)
from .rise_forecasters import rises as rises
from .scaling import scaled_loss as scaled_loss, windows_of as windows_of
from .settings import (
    NAMES as NAMES,
    OF_RISES as OF_RISES,
    PRICES as PRICES,
    RISES as RISES,
    VOLUMES as VOLUMES,
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
