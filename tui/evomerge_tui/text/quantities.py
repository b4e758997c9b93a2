"""Numbers in the form that is shown: shares, times, bytes, parameters."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")


def percent(share: float | None, decimals: int = 1) -> str:
    """`56.3 %`; an empty text for None."""
    return "" if share is None else f"{100 * share:.{decimals}f} %"


def percent_range(low: float, high: float, *, decimals: int = 0) -> str:
    """`49 to 62 %`; one figure when both are the same."""
    least, most = f"{100 * low:.{decimals}f}", f"{100 * high:.{decimals}f}"
    return f"{most} %" if least == most else f"{least} to {most} %"


def score_text(score: float | None) -> str:
    """A score in per cent, or `failed` for a candidate that has none."""
    return "failed" if score is None else percent(score)


def gain(share: float | None) -> str:
    """A difference of two shares in points: `+13.5`."""
    return "" if share is None else f"{100 * share:+.1f}"


def duration(seconds: float) -> str:
    """`8 s`, `4 min`, `3 h 05`, `2 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d}"
    return f"{minutes // 1440} days"


def duration_range(low: float, high: float) -> str:
    """`3 to 5 min`: one unit when both ends have the same, one figure when they are equal."""
    first, last = duration(low), duration(high)
    if first == last:
        return last
    number, _, unit = first.partition(" ")
    return f"{number} to {last}" if last.endswith(f" {unit}") else f"{first} to {last}"


def amount(count: float) -> str:
    """Bytes in decimal units: `271 MB`, `2.1 GB`."""
    size, unit = float(count), 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit > 2 and size < 99.95 else f"{size:.0f} {_UNITS[unit]}"


def weights(count: float | None) -> str:
    """A number of parameters: `135 M`, `7.2 B`; an empty text for None."""
    if count is None:
        return ""
    return f"{count / 1e9:.1f} B" if count >= 999.5e6 else f"{count / 1e6:.0f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def scored_in(precision: str, scored_on: str | None) -> str:
    """The precision of weights, and the device and arithmetic where they are known: runs of earlier versions have none."""
    return precision + (f" on {scored_on}" if scored_on else "")
