"""Hour of day and day of week as columns."""

import numpy as np
import pandas as pd

DAY = 86_400 * 10**9
WEEK = 7 * DAY
MONDAY = 4 * DAY  # 1970-01-05, the first Monday of the epoch


def calendar_columns(index: pd.DatetimeIndex) -> pd.DataFrame:
    """Columns `hour_sin`, `hour_cos`, `weekday_sin`, `weekday_cos` of the times, float64 (T, 4), in [-1, 1], no warm-up.

    The angle goes once around in a day from midnight UTC, minutes and seconds included, and once in a week from Monday 00:00,
    hours included: Sunday runs into Monday without a jump.

    The times are the bars' OPEN times, as everywhere in candles. The row is known one bar later, when the bar closes and the next
    one opens, where the order fills. All bars are of one length, so that is the same angle plus a constant, which any linear
    layer can turn. This holds for the week's angle because it includes the hours: of a plain day number, the last row before
    midnight would tell the day before the fill's. Daily bars have the same hour in every row: two constant columns.
    """
    times = index.as_unit("ns").asi8
    day = 2 * np.pi * ((times % DAY) / DAY)
    week = 2 * np.pi * ((times - MONDAY) % WEEK / WEEK)
    columns = {"hour_sin": np.sin(day), "hour_cos": np.cos(day), "weekday_sin": np.sin(week), "weekday_cos": np.cos(week)}
    return pd.DataFrame(columns, index=index)
