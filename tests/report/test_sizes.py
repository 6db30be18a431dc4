"""Sizes and times as people read and write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.report.sizes import format_seconds, format_share, format_size
from layerkit.sizes import parse_rate, parse_size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (12_800, "12.8 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1_048_576, "1.05 MB"),
        (3_180_000_000, "3.18 GB"),
    ],
)
def test_three_significant_digits(count: int, text: str) -> None:
    assert format_size(count) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GB", 10**9),
        ("512MB", 512 * 10**6),
        ("1GiB", 1 << 30),
        ("1.5 k", 1500),
        ("77", 77),
        ("2Ti", 2 << 40),
        ("9B", 9),
        ("1gb", 10**9),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1 XB", "0", "0.5", "1e9", "1,000", "1iB", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|byte"):
        parse_size(text)


@given(st.integers(min_value=1, max_value=10**14))
def test_what_is_shown_reads_back_within_rounding(count: int) -> None:
    assert abs(parse_size(format_size(count)) - count) <= 0.006 * count


def test_times_and_shares() -> None:
    assert [format_seconds(value) for value in (4.4, 65, 3720)] == ["4 s", "1 min 05 s", "1 h 02 min"]
    assert [format_share(part, 1000) for part in (0, 1, 370, 1000)] == ["0 %", "<1 %", "37 %", "100 %"]
    assert format_share(1, 0) == "0 %"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("50Mbit", 6_250_000),
        ("1 Gbit/s", 125_000_000),
        ("8bit/s", 1),
        ("100kbps", 12_500),
        ("10MB", 10_000_000),
        ("1.5MB/s", 1_500_000),
    ],
)
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "50", "fast", "0Mbit", "-1MB", "1e9MB", "9" * 40 + "MB", "1MiB"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)


@given(st.text(max_size=20))
def test_any_text_is_a_rate_or_refused(text: str) -> None:
    try:
        assert parse_rate(text) >= 1
    except ValueError as error:
        assert "is no rate" in str(error)
