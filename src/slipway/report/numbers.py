"""Numbers and names for reading."""

import math
from collections.abc import Sequence
from typing import Any

LONGEST_LABEL = 120
SETTINGS = {"native_levels": "categories as sets"}


def places(values: Sequence[float]) -> int:
    """Decimals that give the largest of these numbers four significant digits."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0)
    return 0 if largest == 0 else max(0, 3 - math.floor(math.log10(largest)))


def number(value: float, decimals: int | None = None) -> str:
    """A number for reading: four significant digits, or more for its integer part."""
    extreme = value and not 1e-4 <= abs(value) < 1e15
    if extreme and decimals is None or not math.isfinite(value):
        return f"{value:.4g}".replace("-", "−")
    text = f"{value:,.{places([value]) if decimals is None else decimals}f}"
    if decimals is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def aligned(values: Sequence[float]) -> list[str]:
    """Numbers read together: all with the decimals that the largest needs, or each by itself where these were many."""
    decimals = places(values)
    return [number(value, min(decimals, 6) if decimals <= 7 else None) for value in values]


def signed(amount: float, decimals: int) -> str:
    """A change: with its sign, unless it rounds to nothing."""
    text = number(abs(amount), decimals)
    sign = "" if float(text.replace(",", "")) == 0 else "+" if amount > 0 else "−"
    return sign + text


def share(value: float) -> str:
    """A probability in per cent; 0 % and 100 % only if exact."""
    if 0 < value < 0.0005:
        return "<\N{NO-BREAK SPACE}0.1\N{NO-BREAK SPACE}%"
    if 0.9995 < value < 1:
        return ">\N{NO-BREAK SPACE}99.9\N{NO-BREAK SPACE}%"
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def percent(value: float) -> str:
    """A level or another round share, such as 90 %."""
    return f"{100 * value:.6g}\N{NO-BREAK SPACE}%"


def counted(number: int, noun: str) -> str:
    """A count with its noun: 1 row, 1,338 rows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def last(number: int, noun: str) -> str:
    """A period that ends now: the last day, the last 28 days."""
    return f"the last {noun}" if number == 1 else f"the last {counted(number, noun)}"


def settings(values: dict[str, Any]) -> str:
    """The settings of an estimator in one line: max iter 100, categories as sets: yes."""
    return ", ".join(_setting(name, value) for name, value in sorted(values.items()))


def _setting(name: str, value: Any) -> str:
    called = SETTINGS.get(name, name.replace("_", " "))
    return f"{called}: {'yes' if value else 'no'}" if isinstance(value, bool) else f"{called} {value}"


def brief(name: str, longest: int = LONGEST_LABEL) -> str:
    """A name short enough for a label: the start and the end of a long one."""
    start = longest * 2 // 3
    return name if len(name) <= longest else f"{name[:start]}…{name[start + 1 - longest :]}"
