"""Numbers as text, `-` if there is no reading.

Steps are exact with thousands separators (9,500) and become compact (38.4k) only on axes and when they do not fit.
Metrics have four significant digits, sizes one decimal below 100 unless it is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from backprop_tui.domain.limits import GIGABYTE

NOTHING = "-"
METRIC_CELLS = 7
_UNITS = ("", "k", "M", "G", "T")
_SMALL, _LARGE = 1e-3, 1e5


def count(value: float | None) -> str:
    """A step, a line number or another whole number: 950, 9,500, 1,250,000."""
    return NOTHING if value is None else f"{value:,.0f}"


def compact_count(value: float) -> str:
    """Three significant digits without trailing zeros: 950, 1.8k, 38.4k, 60k, 1.25M."""
    amount, unit = _scaled(value)
    if not unit:
        return f"{amount:.0f}"
    decimals = 2 if abs(amount) < 9.995 else 1 if abs(amount) < 99.95 else 0
    text = f"{amount:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if decimals else text) + unit


def _scaled(value: float, step: int = 1000) -> tuple[float, str]:
    amount, unit = float(value), 0
    while abs(amount) >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / step, unit + 1
    return amount, _UNITS[unit]


def steps(step: float | None, total: float | None, *, cells: int | None = None) -> str:
    """Progress in steps: 38,400/60,000, or 38.4k/60k if that takes more than `cells`."""
    if step is None:
        return NOTHING
    exact = count(step) if total is None else f"{count(step)}/{count(total)}"
    if cells is None or len(exact) <= cells:
        return exact
    return compact_count(step) if total is None else f"{compact_count(step)}/{compact_count(total)}"


def epochs(epoch: float, total: int | None) -> str:
    """The epoch that is being trained, of how many: ep 28/90."""
    return f"ep {math.floor(epoch)}" + ("" if total is None else f"/{total}")


def metric(value: object) -> str:
    """Four significant digits, at most seven cells: 2.214, 0.3921, 3.41e-4.

    Takes a number, or "NaN", "Infinity" or "-Infinity" as the public JSON has them.
    """
    if not isinstance(value, int | float | str):
        return NOTHING
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    if number == 0:
        return "0"
    size_of_number = abs(number)
    if size_of_number < _SMALL or size_of_number >= _LARGE:
        return _fitting(number, 2, _scientific)
    if size_of_number >= 1:
        decimals = max(0, 3 - math.floor(math.log10(size_of_number)))
    else:
        decimals = 4 if size_of_number >= 0.1 else 5
    return _fitting(number, decimals, lambda shown, digits: f"{shown:.{digits}f}")


def signed_metric(value: float) -> str:
    """As `metric`, with the sign of a positive value too: +0.017."""
    return f"{'+' if value > 0 else ''}{metric(value)}"


def signed_metrics(values: Sequence[float | None]) -> list[str]:
    """As `signed_metric`, all with the same number of decimals: -0.02010 and +0.01590, +12.3000 and +0.0012."""
    texts = [metric(abs(value)) for value in values if value]
    if not all(text.replace(".", "").isdigit() for text in texts):
        return [NOTHING if value is None else signed_metric(value) for value in values]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    whole = max((len(text.partition(".")[0]) for text in texts), default=0)
    decimals = max(0, min(decimals, METRIC_CELLS - whole - 1))
    return [NOTHING if value is None else f"{value:+.{decimals}f}" if value else "0" for value in values]


def difference(value: float, of: float) -> str:
    """A difference with as many decimals as the metric itself is shown with: 0.019 of 0.147."""
    mantissa, exponent, _ = metric(of).partition("e")
    decimals = len(mantissa.partition(".")[2])
    return metric(value) if exponent else f"{value:.{decimals}f}"


def _fitting(value: float, decimals: int, as_text: Callable[[float, int], str]) -> str:
    texts = (as_text(value, digits) for digits in range(decimals, 0, -1))
    return next((text for text in texts if len(text) <= METRIC_CELLS), as_text(value, 0))


def _scientific(value: float, decimals: int) -> str:
    mantissa, exponent = f"{value:.{decimals}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent_done(fraction: float | None) -> str:
    """Rounded down, so that 100% means finished."""
    if fraction is None:
        return NOTHING
    return f"{max(0, min(100, math.floor(fraction * 100 + 1e-9)))}%"


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f}%"


def whole(value: float | None) -> str:
    """A reading rounded to a whole number, without its unit: degrees, watts."""
    return NOTHING if value is None else f"{value:.0f}"


def celsius(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f} °C"


def watts(value: float | None, limit: float | None = None) -> str:
    """412 W, or 412/700 W if the GPU has a limit."""
    return NOTHING if value is None else f"{value:.0f}" + (" W" if limit is None else f"/{limit:.0f} W")


def used_gigabytes(used: int | None) -> str:
    """Used memory without its unit, one decimal below 100 GB: 61.2, 118."""
    if used is None:
        return NOTHING
    amount = used / GIGABYTE
    return f"{amount:.1f}" if amount < 99.95 else f"{amount:.0f}"


def total_gigabytes(total: int | None) -> str:
    return NOTHING if total is None else f"{total / GIGABYTE:.0f}"


def memory(used: int | None, total: int | None) -> str:
    """Used memory of its capacity: 61.2/80 GB."""
    return f"{used_gigabytes(used)}/{total_gigabytes(total)} GB"


def memory_size(value: float | None) -> str:
    """Bytes of memory, in units of 1,024: 512 MB, 61.2 GB."""
    return _size(value, 1024)


def size(value: float | None) -> str:
    """Bytes of a disk or a file, one decimal below 100 of a unit: 512 B, 1.4 GB, 412 GB, 1.2 TB."""
    return _size(value, 1000)


def _size(value: float | None, step: int) -> str:
    if value is None:
        return NOTHING
    amount, unit = _scaled(value, step)
    text = f"{amount:.1f}" if unit and abs(amount) < 99.95 else f"{amount:.0f}"
    return f"{text.removesuffix('.0')} {unit}B"


def compact_size(value: float | None) -> str:
    """Bytes when there is little room: 61G, 1.2T."""
    if value is None:
        return NOTHING
    number, unit = size(value).split(" ")
    return f"{float(number):.0f}G" if unit == "GB" else f"{number}{unit[0]}"
