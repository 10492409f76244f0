"""Dates and date-times as days since 1970-01-01 in UTC, and their ISO 8601 texts."""

import re
from datetime import UTC, datetime, time, timedelta
from math import nan

EPOCH = datetime(1970, 1, 1)
LAST = (datetime(9999, 12, 31, 23, 59, 59) - EPOCH) // timedelta(milliseconds=1)
SECOND = 1_000  # milliseconds
ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def parse_datetime(text: str) -> datetime:
    """An ISO 8601 date or date-time, without a time zone; one that has a zone is converted to UTC.

    Raises
    ------
    ValueError
        When the text is not such a date.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:  # out of the years 1 to 9999
        raise ValueError(text) from error


def parse_date(text: str) -> float:
    """Days since 1970-01-01 of an ISO 8601 date or date-time; ValueError when the text is not such a date."""
    return (parse_datetime(text) - EPOCH) / timedelta(days=1)


def days(text: str) -> float:
    """The same of a text as tables write it; NaN when it is not such a date."""
    try:
        return parse_date(text) if ISO.fullmatch(text) else nan
    except ValueError:
        return nan


def show_datetime(moment: datetime) -> str:
    """Its ISO 8601 text; midnight has no time part."""
    return moment.date().isoformat() if moment.time() == time.min else moment.isoformat()


def show_date(days: float) -> str:
    """The ISO 8601 text of days since 1970-01-01; a whole day has no time part."""
    # to the millisecond: far from 1970 a double has no microseconds, and the last of them is none of the year 9999
    milliseconds = min(round(days * 86_400_000), LAST)
    moment = EPOCH + timedelta(milliseconds=milliseconds)
    if float(days).is_integer():
        return moment.date().isoformat()
    return moment.isoformat(timespec="milliseconds" if milliseconds % SECOND else "seconds")
