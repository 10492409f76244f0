"""Parts of dates: what of a day or an hour comes again."""

from collections.abc import Callable

import numpy as np

from slipway.table.dates import EPOCH

INSTANT = 1e-6  # hours; a time of day is not exact as a part of a double


def _weekday(days: np.ndarray) -> np.ndarray:
    return (days + EPOCH.weekday()) % 7


def _since(days: np.ndarray, unit: str) -> np.ndarray:
    """Days since the month or the year began."""
    dates = days.astype("datetime64[D]")
    since: np.ndarray = (dates - dates.astype(f"datetime64[{unit}]")).astype(np.int64)
    return since


def _months(days: np.ndarray) -> np.ndarray:
    """Months since January 1970."""
    months: np.ndarray = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months


_OF_WHOLE_DAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "year": lambda days: _months(days) // 12 + EPOCH.year,
    "month": lambda days: _months(days) % 12 + 1,
    "week": lambda days: _since(days - _weekday(days) + 3, "Y") // 7 + 1,  # ISO 8601: the one that its Thursday is in
    "day": lambda days: _since(days, "M") + 1,
    "day_of_year": lambda days: _since(days, "Y") + 1,
    "weekday": _weekday,
}
PARTS = (*_OF_WHOLE_DAYS, "hour")


def date_part(name: str, days: np.ndarray) -> np.ndarray:
    """One part of each date; NaN where there is none.

    Parameters
    ----------
    name : str
        ``year``, ``month`` (1–12), ``week`` (1–53, ISO 8601), ``day`` (1–31), ``day_of_year`` (1–366), ``weekday`` (0 =
        Monday) or ``hour`` (0–23).
    days : ndarray
        Days since 1970-01-01.
    """
    known = ~np.isnan(days)
    whole = np.floor(days)
    if name == "hour":
        part = np.minimum(np.floor((days - whole) * 24 + INSTANT), 23)
    else:
        part = _OF_WHOLE_DAYS[name](np.where(known, whole, 0).astype(np.int64))
    return np.where(known, part, np.nan)
