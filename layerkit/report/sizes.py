"""Sizes and times as people read them: decimal units (1 GB is 1,000,000,000 bytes), as registries and `docker images` count."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def format_size(count: int | float) -> str:
    """Three significant digits: `0 B`, `532 B`, `12.8 kB`, `1.05 GB`."""
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{value:.0f} B"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def format_seconds(seconds: float) -> str:
    """`4 s`, `2 min 05 s`, `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_share(part: int, whole: int) -> str:
    """`37 %`; `<1 %` for what is there but rounds to nothing."""
    if whole <= 0 or part <= 0:
        return "0 %"
    share = 100 * part / whole
    return "<1 %" if share < 0.5 else f"{share:.0f} %"
