"""Recurring usage by the day: docs/rules/metering.md 2.5 with its examples."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.calendar import DAY, SubscriptionTimes, Window, days_between, end_of_day
from billing_core.domain.calendar import start_of_day as midnight
from billing_core.domain.metrics import Fact, fold
from billing_core.domain.money import minor_from_major
from billing_core.domain.recurring import (
    Span,
    ceil5,
    double_ratio,
    presences,
    prorated_sum,
    prorated_unique_count,
    span_of,
    sum_entries,
    unique_entries,
)

NEW_YORK = "America/New_York"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def monthly(start: str = "2023-01-01", tz: str = "UTC") -> SubscriptionTimes:
    began = midnight(date.fromisoformat(start), tz)
    return SubscriptionTimes(
        interval="monthly",
        anniversary=False,
        pay_in_advance=False,
        subscription_at=began,
        started_at=began,
        terminated_at=None,
        tz=tz,
    )


def span(first: str, last: str, tz: str = "UTC", minus_days: int = 0) -> Span:
    """Return the days of a monthly calendar subscription."""
    days = date.fromisoformat(first), date.fromisoformat(last)
    window = Window(midnight(days[0], tz), end_of_day(days[1], tz))
    return span_of(monthly(tz=tz), window, minus_days)


def operations(*script: str) -> list[Fact]:
    """Read lines such as "2024-02-11T10:00 add p3"."""
    found = []
    for order, line in enumerate(script):
        at, operation, value = line.split()
        found.append(Fact(utc(at), order, value, operation))
    return found


@pytest.mark.parametrize(
    ("units", "rounded"),
    [
        ("1.000000", "1"),
        ("1.000001", "1.00001"),
        ("-1.000019", "-1.00001"),
        ("-0.000001", "0.00000"),
        ("9" * 500 + ".000001", "9" * 500 + ".00001"),
    ],
)
def test_ceil5_goes_up(units: str, rounded: str) -> None:
    assert ceil5(Decimal(units)) == Decimal(rounded)
    assert not str(ceil5(Decimal(units))).startswith("-0")


def test_prorated_sum_e30() -> None:
    may = span("2024-05-01", "2024-05-31")
    day = date(2024, 5, 26)
    found = prorated_sum(Decimal("2.5") + Decimal("2.5"), [(day, Decimal(12))] * 2, may)
    assert found.units == Decimal("9.64517")
    assert found.full_units == 29
    assert minor_from_major(found.units * 10, "EUR") == 9645
    assert prorated_sum(Decimal(5), [(day, Decimal(24))], may) == found


def test_noise_of_limited_divisions_e31() -> None:
    late = prorated_sum(
        Decimal(0), [(date(2024, 5, 26), Decimal(31))], span("2024-05-01", "2024-05-31")
    )
    assert late.units == Decimal("6.00001")
    week = Span(utc("2024-05-06"), "UTC", date(2024, 5, 6), date(2024, 5, 10), 5, 7)
    carried = prorated_sum(Decimal(7), [], week)
    assert carried.units == Decimal("5.00001")
    assert minor_from_major(carried.units * 1000, "EUR") == 500_001


@pytest.mark.parametrize(
    ("period_days", "noisy"),
    [
        (31, {3, 4, 6, 9, 11, 12, 13, 15, 18, 24, 26, 27, 30}),
        (30, {2, 7, 13, 14, 17, 23, 25, 26, 29}),
    ],
)
def test_carried_noise_is_that_of_surprise_10(period_days: int, noisy: set[int]) -> None:
    inflated = {
        days
        for days in range(1, period_days + 1)
        if ceil5(period_days * double_ratio(days, period_days)) != days
    }
    assert inflated == noisy


HISTORY_E32 = operations(
    "2024-01-05T09:00 add p1",
    "2024-01-10T09:00 add p2",
    "2024-01-20T09:00 remove p1",
    "2024-02-11T09:00 add p3",
    "2024-02-15T09:00 remove p3",
    "2024-02-20T09:00 add p4",
    "2024-02-20T17:00 remove p4",
)


@pytest.mark.parametrize(
    ("value", "units"), [("p1", "0"), ("p2", "1"), ("p3", "0.17242"), ("p4", "0.03449")]
)
def test_prorated_unique_count_by_value_e32(value: str, units: str) -> None:
    group = [fact for fact in HISTORY_E32 if fact.value == value]
    assert prorated_unique_count(group, span("2024-02-01", "2024-02-29")).units == Decimal(units)


def test_prorated_unique_count_e32() -> None:
    february = span("2024-02-01", "2024-02-29")
    found = prorated_unique_count(HISTORY_E32, february)
    assert found.units == Decimal("1.20690")
    assert found.full_units == 1
    assert [(str(full), str(share)) for full, share in unique_entries(HISTORY_E32, february)] == [
        ("1", "1.00000"),
        ("1", "0.17242"),
        ("-1", "0"),
        ("1", "0.03449"),
        ("-1", "0"),
    ]


def test_prorated_seat_in_advance_e42() -> None:
    days = days_between(
        utc("2024-06-11T10:00"), utc("2024-07-01") - timedelta(microseconds=1), "UTC"
    )
    assert days == 20
    units = ceil5(1 * double_ratio(days, 30))
    assert units == Decimal("0.66667")
    assert units * 30 == Decimal("20.0001")
    assert minor_from_major(units * 30, "EUR") == 2000
    assert (
        minor_from_major(
            prorated_sum(Decimal(5), [], span("2024-07-01", "2024-07-31")).units * 30, "EUR"
        )
        == 15000
    )


def test_a_full_period_carries_everything() -> None:
    assert span("2024-05-01", "2024-05-31").carried_ratio == 1


def test_days_are_counted_in_the_customers_zone() -> None:
    # March 2024 in New York has a day of 23 hours and begins five hours after UTC's.
    march = span("2024-03-15", "2024-03-31", NEW_YORK)
    assert (march.first, march.last) == (date(2024, 3, 15), date(2024, 3, 31))
    assert (march.days, march.period_days) == (17, 31)
    history = operations("2024-03-21T02:00 add seat")  # still the 20th in New York
    assert prorated_unique_count(history, march).units == ceil5(Decimal(12) / 31)


def test_an_upgrade_takes_its_day_from_what_was_carried() -> None:
    assert span("2024-05-01", "2024-05-10", minus_days=1).days == 9
    assert span("2024-05-10", "2024-05-10", minus_days=1).days == 0
    assert prorated_sum(Decimal(9), [], span("2024-05-10", "2024-05-10", minus_days=1)).units == 0


def test_a_started_day_counts_from_the_start_of_the_row() -> None:
    started = utc("2024-05-15T10:00")
    window = Window(started, utc("2024-05-20T08:00") + timedelta(microseconds=1))
    found = span_of(monthly(), window)
    assert (found.first, found.last, found.days) == (date(2024, 5, 15), date(2024, 5, 20), 5)
    gone = operations("2024-05-01T00:00 add a", "2024-05-15T09:00 remove a")
    assert prorated_unique_count(gone, found).units == 0


def test_semiannual_plans_prorate_by_the_month_where_usage_is_monthly() -> None:
    times = monthly()
    window = Window(utc("2024-02-01"), utc("2024-03-01"))
    for charges_monthly, period_days in ((True, 29), (False, 182)):
        split = SubscriptionTimes(
            interval="semiannual",
            anniversary=False,
            pay_in_advance=False,
            subscription_at=times.subscription_at,
            started_at=times.started_at,
            terminated_at=None,
            tz="UTC",
            bill_charges_monthly=charges_monthly,
        )
        assert span_of(split, window).period_days == period_days


def test_negative_changes_subtract_in_the_same_way() -> None:
    may = span("2024-05-01", "2024-05-31")
    changes = [(date(2024, 5, 11), Decimal(10)), (date(2024, 5, 21), Decimal(-10))]
    found = prorated_sum(Decimal(4), changes, may)
    assert found.full_units == 4
    assert found.units == ceil5(4 + Decimal(210) / 31 - Decimal(110) / 31)
    entries = sum_entries(Decimal(4), changes, may)
    assert [full for full, _ in entries] == [4, 10, -10]
    assert sum_entries(Decimal(0), [], may) == []


@pytest.mark.parametrize(
    ("script", "days"),
    [
        (["add"], 31),
        (["remove"], 0),
        (["add", "add"], 31),
        (["2024-05-03T10:00 add", "2024-05-03T11:00 remove", "2024-05-03T12:00 add"], 29),
        (["2024-05-03T10:00 add", "2024-05-05T11:00 remove", "2024-05-05T12:00 remove"], 3),
        (["2024-05-03T10:00 add", "2024-05-05T11:00 remove", "2024-05-05T12:00 add"], 29),
        (
            [
                "2024-05-03T10:00 add",
                "2024-05-05T11:00 remove",
                "2024-05-05T12:00 remove",
                "2024-05-05T13:00 add",
            ],
            29,
        ),
        (["2024-05-03T10:00 add", "2024-05-05T11:00 remove", "2024-05-07T12:00 add"], 28),
        (["2024-05-03T10:00 add", "2024-05-05T11:00 remove", "2024-05-07T12:00 other"], 28),
        (["2024-04-03T10:00 add", "2024-05-01T00:00 remove"], 1),
        (["2024-04-03T10:00 add", "2024-04-30T23:59 remove"], 0),
        (["2024-04-03T10:00 add", "2024-04-30T22:00 remove", "2024-04-30T23:00 add"], 31),
    ],
)
def test_days_of_presence(script: Sequence[str], days: int) -> None:
    lines = [line if " " in line else f"2024-04-01T00:00 {line}" for line in script]
    history = operations(*(f"{line} seat" for line in lines))
    found = prorated_unique_count(history, span("2024-05-01", "2024-05-31"))
    assert found.units == ceil5(Decimal(days) / 31)


histories = st.lists(
    st.tuples(
        st.integers(-40 * 24, 31 * 24 - 1),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["add", "remove", None]),
    ),
    max_size=12,
)


@given(histories, st.sampled_from(["UTC", NEW_YORK, "Asia/Kolkata"]))
def test_presence_by_the_day_is_what_a_list_of_days_says(
    drawn: list[tuple[int, str | None, str | None]], tz: str
) -> None:
    may = span("2024-05-01", "2024-05-31", tz)
    history = [
        Fact(may.start + timedelta(hours=hour), order, value, operation)
        for order, (hour, value, operation) in enumerate(drawn)
    ]
    expected = Fraction(0)
    for value in {fact.value for fact in history} - {None}:
        mine = sorted(
            (fact for fact in history if fact.value == value), key=lambda one: (one.at, one.order)
        )
        expected += Fraction(len(days_present(mine, may)), 31)
    found = prorated_unique_count(history, may)
    # The last digits are those of divisions with 20 decimals (surprise 10).
    exact = (Decimal(expected.numerator) / expected.denominator).quantize(
        Decimal("0.00001"), rounding=ROUND_CEILING
    )
    assert 0 <= found.units - exact <= Decimal("0.00001")
    assert found.full_units == fold("unique_count_agg", history).units


def days_present(operations_of_value: list[Fact], billed: Span) -> set[date]:
    """Return the billed local days on which a value was there, walked day by day."""
    found: set[date] = set()
    since: datetime | None = None
    end = end_of_day(billed.last, billed.tz) - timedelta(microseconds=1)
    for fact in operations_of_value:
        if fact.operation == "remove":
            if since is not None and fact.at >= billed.start:
                found |= local_days(since, fact.at, billed)
            since = None
        elif since is None:
            since = fact.at
    if since is not None:
        found |= local_days(since, end, billed)
    return found


def local_days(since: datetime, until: datetime, billed: Span) -> set[date]:
    day, found = billed.first, set[date]()
    while day <= billed.last:
        if since < end_of_day(day, billed.tz) and until >= midnight(day, billed.tz):
            found.add(day)
        day += DAY
    return found


@given(histories)
def test_groups_add_up_to_the_whole(drawn: list[tuple[int, str | None, str | None]]) -> None:
    may = span("2024-05-01", "2024-05-31")
    history = [
        Fact(may.start + timedelta(hours=hour), order, value, operation)
        for order, (hour, value, operation) in enumerate(drawn)
    ]
    groups = [[fact for fact in history if fact.value == value] for value in ("a", "b", None)]
    parts = [prorated_unique_count(group, may) for group in groups]
    whole = prorated_unique_count(history, may)
    assert sum(part.full_units for part in parts) == whole.full_units
    assert 0 <= sum(part.units for part in parts) - whole.units < Decimal("0.00003")
    entries = unique_entries(history, may)
    assert sum(full for full, _ in entries) == whole.full_units
    assert sum(share for _, share in entries) >= whole.units


@given(histories)
def test_presences_of_a_value_never_share_a_day(
    drawn: list[tuple[int, str | None, str | None]],
) -> None:
    history = [
        Fact(utc("2024-05-01") + timedelta(hours=hour), order, value, operation)
        for order, (hour, value, operation) in enumerate(drawn)
    ]
    found = presences(history, "UTC")
    for value in ("a", "b", None):
        mine = sorted(
            (one for one in found if one.added.value == value), key=lambda one: one.added.at
        )
        for earlier, later in pairwise(mine):
            assert earlier.removed is not None
            assert earlier.removed.at.date() < later.added.at.date()
