"""Money, currencies, rounding and periods."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, FloatOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.money import (
    CURRENCIES,
    Money,
    exact_context,
    exponent,
    is_currency,
    major_from_minor,
    minor_from_major,
    plain,
    precise_minor,
    quantize,
    round_half_up,
    subunit,
)
from billing_core.domain.period import Period

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 1000), min_size=1).filter(any))
def test_split_loses_no_cent(minor: int, weights: list[int]) -> None:
    parts = Money(minor, "EUR").split(weights)
    assert sum(part.minor for part in parts) == minor
    assert all(part.minor == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)


def test_money_refuses_what_is_not_whole_minor_units() -> None:
    for wrong in (1.0, True, Decimal(1)):
        with pytest.raises(AssertionError):
            Money(wrong, "EUR")  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        Money(1, "XXX")
    with pytest.raises(AssertionError):
        Money(1, "EUR") + Money(1, "USD")
    assert Money(1, "EUR") + Money(2, "EUR") == Money(3, "EUR")


def test_currencies_and_their_minor_units() -> None:
    assert len(CURRENCIES) == 142
    whole = " ".join(sorted(code for code in CURRENCIES if exponent(code) == 0))
    assert whole == "BIF CLP DJF GNF HUF ISK JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF"
    assert {code for code in CURRENCIES if exponent(code) == 3} == {"BHD", "JOD", "KWD"}
    assert {code for code in CURRENCIES if exponent(code) == 4} == {"CLF"}
    assert (subunit("EUR"), subunit("JPY"), subunit("KWD")) == (100, 1, 1000)
    assert (subunit("CLF"), subunit("MRO")) == (10000, 5)
    assert is_currency("EUR")
    assert not any(map(is_currency, ("eur", "XXX", "", None, 978)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2.5", 3), ("-2.5", -3), ("-0.5", -1), ("0.5", 1), ("0.4999999999999999999999999999999", 0)],
)
def test_half_goes_away_from_zero(value: str, expected: int) -> None:
    assert round_half_up(Decimal(value)) == expected


def test_nothing_rounds_at_28_digits() -> None:
    many = Decimal("123456789012345678901234567890.123456789")
    assert quantize(many, 2) == Decimal("123456789012345678901234567890.12")
    assert minor_from_major(many, "EUR") == 12345678901234567890123456789012
    assert plain(precise_minor(many, "EUR")) == "12345678901234567890123456789012.3456789"
    with exact_context():
        assert many * many / many == many
        with pytest.raises(FloatOperation):
            Decimal(0.1)  # noqa: RUF032 - the binary number is the point
    assert major_from_minor(1234, "EUR") == Decimal("12.34")
    assert major_from_minor(3, "MRO") == Decimal("0.6")
    assert minor_from_major(Decimal("0.6"), "MRO") == 3


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("12", "12.0"),
        ("0.50", "0.5"),
        ("1E+3", "1000.0"),
        ("1E-7", "0.0000001"),
        ("-0.0", "0.0"),
        ("-0.5", "-0.5"),
        ("100", "100.0"),
    ],
)
def test_plain_notation(value: str, written: str) -> None:
    assert plain(Decimal(value)) == written


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_plain_loses_nothing(value: Decimal) -> None:
    assert Decimal(plain(value)) == value
    assert "E" not in plain(value)


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_two_parts_of_a_period_make_the_whole(left_us: int, right_us: int) -> None:
    middle = START + timedelta(microseconds=left_us)
    whole = Period(START, middle + timedelta(microseconds=right_us))
    left, right = whole.cut(middle)
    assert middle in right
    assert middle not in left
    assert abs(left.share_of(whole) + right.share_of(whole) - 1) < Decimal("1e-20")


def test_a_period_is_utc_and_not_empty() -> None:
    with pytest.raises(AssertionError):
        Period(START, START)
    with pytest.raises(AssertionError):
        Period(START.replace(tzinfo=None), START.replace(tzinfo=None) + timedelta(days=1))
