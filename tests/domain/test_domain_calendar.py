"""Billing boundaries: docs/rules/subscriptions.md 13.1 and the shape of time."""

from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.calendar import (
    Grid,
    Interval,
    Kind,
    SubscriptionTimes,
    Window,
    Windows,
    days_between,
    end_of_day,
    is_timezone,
    local_date,
    next_billing_day,
    start_of_day,
    windows,
)

INTERVALS: tuple[Interval, ...] = get_args(Interval)
ZONES = [
    *("UTC", "America/New_York", "America/Sao_Paulo", "America/Havana", "Asia/Kolkata"),
    *("Asia/Beirut", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo"),
]
intervals = st.sampled_from(INTERVALS)
days = st.dates(date(2000, 1, 1), date(2040, 12, 31))
anchors = st.dates(date(2000, 1, 1), date(2039, 12, 31))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)


def subscription(  # noqa: PLR0913 - a table of cases reads best with all columns
    interval: Interval,
    start: str,
    *,
    anniversary: bool = True,
    in_advance: bool = False,
    tz: str = "UTC",
    anchor: str | None = None,
    end: str | None = None,
    monthly: str = "",
) -> SubscriptionTimes:
    return SubscriptionTimes(
        interval=interval,
        anniversary=anniversary,
        pay_in_advance=in_advance,
        subscription_at=utc(anchor or start),
        started_at=utc(start),
        terminated_at=utc(end) if end else None,
        tz=tz,
        bill_charges_monthly="charges" in monthly,
        bill_fixed_charges_monthly="fixed" in monthly,
    )


def shown(window: Window | None) -> str | None:
    """Write a window as the rules do: whole days by their dates, else to the second."""
    if window is None:
        return None
    start, last = window.start, window.last
    whole = start.time() == datetime.min.time()
    left = f"{start:%F}" if whole else f"{start:%FT%H:%M}"
    right = f"{last:%F}" if last.time() == datetime.max.time() else f"{last:%FT%H:%M}"
    return f"{left}..{right}"


def line(times: SubscriptionTimes, at: str, kind: Kind = "periodic") -> Windows:
    return windows(times, utc(at), kind)


def ticks(times: SubscriptionTimes, after: str, count: int) -> list[str]:
    found, current = [], day(after)
    for _ in range(count):
        current = next_billing_day(times, current)
        found.append(current.isoformat())
    return found


def test_b1_anniversary_on_the_31st() -> None:
    times = subscription("monthly", "2024-01-31T01:00")
    first = line(times, "2024-02-29")
    assert shown(first.fee) == "2024-01-31..2024-02-28"
    assert first.fee.last == utc("2024-02-28T23:59:59.999999")
    assert shown(first.charges) == shown(first.fixed) == "2024-01-31T01:00..2024-02-28"
    assert shown(line(times, "2024-03-31").fee) == "2024-02-29..2024-03-30"
    assert shown(line(times, "2024-04-30").fee) == "2024-03-31..2024-04-29"
    assert ticks(times, "2024-01-31", 3) == ["2024-02-29", "2024-03-31", "2024-04-30"]


def test_b2_paid_in_advance() -> None:
    times = subscription("monthly", "2024-01-30T00:00", in_advance=True)
    creation = line(times, "2024-01-30", "starting")
    assert shown(creation.fee) == "2024-01-30..2024-02-28"
    assert creation.charges is not None
    assert creation.charges.is_empty
    february = line(times, "2024-02-29")
    assert shown(february.fee) == "2024-02-29..2024-03-29"
    assert shown(february.charges) == "2024-01-30..2024-02-28"
    march = line(times, "2024-03-30")
    assert shown(march.fee) == "2024-03-30..2024-04-29"
    assert shown(march.charges) == "2024-02-29..2024-03-29"


def test_b3_yearly_with_monthly_charges() -> None:
    times = subscription("yearly", "2024-01-31T01:00", monthly="charges")
    february = line(times, "2024-02-29")
    assert shown(february.fee) == "2024-01-31..2024-01-31T01:00"
    assert shown(february.charges) == "2024-01-31T01:00..2024-02-28"
    assert february.fixed is None
    january = line(times, "2025-01-31")
    assert shown(january.fee) == "2024-01-31..2025-01-30"
    assert shown(january.charges) == "2024-12-31..2025-01-30"
    assert shown(january.fixed) == "2024-01-31T01:00..2025-01-30"
    assert ticks(times, "2024-01-31", 2) == ["2024-02-29", "2024-03-31"]


def test_b4_the_same_in_advance() -> None:
    times = subscription("yearly", "2024-01-31T01:00", in_advance=True, monthly="charges")
    creation = line(times, "2024-01-31T01:00", "starting")
    assert shown(creation.fee) == "2024-01-31..2025-01-30"
    assert shown(creation.charges) == "2024-01-31T01:00..2024-01-31T01:00"
    february = line(times, "2024-02-29")
    assert february.fee == creation.fee
    assert shown(february.charges) == "2024-01-31T01:00..2024-02-28"
    assert shown(line(times, "2025-01-31").fee) == "2025-01-31..2026-01-30"


def test_b5_yearly_with_monthly_fixed_charges() -> None:
    times = subscription("yearly", "2024-01-31T01:00", monthly="fixed")
    february = line(times, "2024-02-29")
    assert february.charges is None
    assert shown(february.fixed) == "2024-01-31T01:00..2024-02-28"
    january = line(times, "2025-01-31")
    assert shown(january.charges) == "2024-01-31T01:00..2025-01-30"
    assert shown(january.fixed) == "2024-12-31..2025-01-30"


@pytest.mark.parametrize(
    ("times", "after", "boundaries"),
    [
        (subscription("semiannual", "2024-01-31"), "2024-01-31", "2024-07-31 2025-01-31"),  # B6
        (subscription("quarterly", "2024-01-31"), "2024-01-31", "2024-04-30 2024-07-31"),  # B7
        (subscription("yearly", "2020-02-29"), "2022-03-01", "2023-02-28 2024-02-29"),  # B8
        (
            subscription("monthly", "2022-12-31"),  # B9
            "2022-12-31",
            "2023-01-31 2023-02-28 2023-03-31 2023-04-30",
        ),
        (subscription("monthly", "2022-12-31"), "2024-01-31", "2024-02-29 2024-03-31"),
        (
            subscription("weekly", "2024-02-14", anniversary=False),
            "2024-02-12",
            "2024-02-19 2024-02-26",
        ),
        (subscription("weekly", "2024-02-14"), "2024-02-14", "2024-02-21 2024-02-28"),
    ],
)
def test_b6_to_b9_boundaries(times: SubscriptionTimes, after: str, boundaries: str) -> None:
    assert " ".join(ticks(times, after, len(boundaries.split()))) == boundaries


def test_b6_to_b8_periods() -> None:
    half = subscription("semiannual", "2024-01-31")
    assert shown(line(half, "2024-07-31").fee) == "2024-01-31..2024-07-30"
    assert shown(line(half, "2025-01-31").fee) == "2024-07-31..2025-01-30"
    quarter = subscription("quarterly", "2024-01-31")
    assert shown(line(quarter, "2024-04-30").fee) == "2024-01-31..2024-04-29"
    assert shown(line(quarter, "2024-07-31").fee) == "2024-04-30..2024-07-30"
    leap = subscription("yearly", "2020-02-29")
    assert shown(line(leap, "2025-02-28").fee) == "2024-02-29..2025-02-27"
    assert leap.grid().length(day("2024-06-01")) == 365
    assert leap.grid().length(day("2023-06-01")) == 366


@pytest.mark.parametrize(
    ("interval", "start", "tz", "anniversary", "now", "billed"),
    [
        ("monthly", "2023-02-01", "Asia/Kolkata", False, "2023-02-28T18:00", False),  # B10
        ("monthly", "2023-02-01", "Asia/Kolkata", False, "2023-02-28T19:00", True),
        ("monthly", "2023-02-01", "Asia/Kolkata", False, "2023-03-01T18:00", True),
        ("monthly", "2023-02-01", "Asia/Kolkata", False, "2023-03-01T18:30", False),
        ("yearly", "2022-02-04T19:00", "America/Bogota", True, "2023-02-04T00:00", False),  # B11
        ("yearly", "2022-02-04T19:00", "America/Bogota", True, "2023-02-04T05:00", True),
        ("yearly", "2022-02-04T19:00", "America/Bogota", True, "2023-02-05T05:00", False),
    ],
)
def test_b10_b11_the_local_day_decides(  # noqa: PLR0913 - one row per observed run
    *, interval: Interval, start: str, tz: str, anniversary: bool, now: str, billed: bool
) -> None:
    times = subscription(interval, start, tz=tz, anniversary=anniversary)
    assert times.grid().is_billing_day(local_date(utc(now), tz)) is billed


def test_b12_new_york() -> None:
    times = subscription("monthly", "2021-06-01T04:00", anniversary=False, tz="America/New_York")
    fee = line(times, "2022-03-01T00:00").fee
    assert fee.start == utc("2022-01-01T05:00")
    assert fee.last.replace(microsecond=0) == utc("2022-02-01T04:59:59")


def test_b13_calendar_in_advance() -> None:
    times = subscription("monthly", "2023-12-01", anniversary=False, in_advance=True)
    february = line(times, "2024-02-01")
    assert shown(february.fee) == "2024-02-01..2024-02-29"
    assert shown(february.charges) == "2024-01-01..2024-01-31"


def test_b15_a_recreated_row_starts_where_the_old_one_ended() -> None:
    times = subscription("yearly", "2026-03-13T10:00", anchor="2025-03-15")
    tick = line(times, "2026-03-15")
    assert shown(tick.fee) == "2026-03-13..2026-03-14"
    assert shown(tick.charges) == "2026-03-13T10:00..2026-03-14"


def test_an_ended_row_is_billed_to_its_end() -> None:
    times = subscription("monthly", "2024-01-10", end="2024-03-20T12:00", anniversary=False)
    kinds: tuple[Kind, ...] = ("terminated", "upgraded")
    for kind in kinds:
        last = line(times, "2024-03-20T12:00:01", kind)
        assert shown(last.fee) == "2024-03-01..2024-03-20T12:00"
        assert last.charges == last.fixed == last.fee
    rotated = subscription("monthly", "2024-01-10", end="2024-04-01T00:10", anniversary=False)
    assert shown(line(rotated, "2024-04-01T00:10", "downgraded").fee) == "2024-03-01..2024-03-31"
    # A refresh of an older line must not see the later end.
    assert shown(line(times, "2024-02-01").fee) == "2024-01-10..2024-01-31"


def test_billing_a_moment_after_an_end_at_midnight_stays_in_the_day_before() -> None:
    times = subscription("monthly", "2024-01-01", end="2024-01-31T23:59:59.600", in_advance=True)
    last = line(times, "2024-02-01T00:00:01", "upgraded")
    assert shown(last.charges) == "2024-01-01..2024-01-31T23:59"


@pytest.mark.parametrize("monthly", ["charges", "fixed", "charges fixed", ""])
def test_the_end_of_a_split_plan_bills_both_families(monthly: str) -> None:
    times = subscription("yearly", "2024-01-31", end="2024-05-10T08:00", monthly=monthly)
    last = line(times, "2024-05-10T08:00", "terminated")
    month, year = "2024-04-30..2024-05-10T08:00", "2024-01-31..2024-05-10T08:00"
    assert shown(last.charges) == (month if "charges" in monthly else year)
    assert shown(last.fixed) == (month if "fixed" in monthly else year)


def test_current_usage_looks_at_the_running_slice() -> None:
    times = subscription("yearly", "2024-01-31", monthly="charges")
    usage = line(times, "2024-05-10", "usage")
    assert shown(usage.charges) == "2024-04-30..2024-05-30"
    assert shown(usage.fixed) == "2024-01-31..2025-01-30"


@pytest.mark.parametrize(
    ("tz", "start", "last", "count"),
    [
        ("UTC", "2024-02-01", "2024-02-20T23:59:59.999999", 20),
        ("UTC", "2024-02-01", "2024-02-21T00:00", 21),  # the midnight day counts
        ("UTC", "2024-02-01T18:00", "2024-02-01T18:00", 0),
        ("America/New_York", "2024-03-10T05:00", "2024-03-11T03:59:59.999999", 1),  # 23 hours
        ("America/New_York", "2024-11-03T04:00", "2024-11-04T04:59:59.999999", 1),  # 25 hours
        ("America/New_York", "2024-03-01T05:00", "2024-04-01T03:59:59.999999", 31),
        ("America/New_York", "2024-11-01T04:00", "2024-12-01T04:59:59.999999", 30),
    ],
)
def test_day_counts(tz: str, start: str, last: str, count: int) -> None:
    assert days_between(utc(start), utc(last), tz) == count


@pytest.mark.parametrize(
    ("tz", "local_day", "start"),
    [
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),  # midnight does not exist
        ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00"),
        ("America/Havana", "2024-11-03", "2024-11-03T04:00"),  # midnight happens twice
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30"),  # 23:30 jumps to 00:30
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # the day does not exist
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
    ],
)
def test_odd_midnights(tz: str, local_day: str, start: str) -> None:
    assert start_of_day(day(local_day), tz) == utc(start)


@given(days, st.sampled_from(ZONES))
def test_days_tile_time(local_day: date, tz: str) -> None:
    start, end = start_of_day(local_day, tz), end_of_day(local_day, tz)
    assert end == start_of_day(local_day + timedelta(days=1), tz)
    if (tz, local_day) == ("Pacific/Apia", date(2011, 12, 30)):
        assert start == end
        return
    assert local_date(start, tz) == local_day
    assert local_date(start - timedelta(microseconds=1), tz) < local_day
    assert days_between(start, end - timedelta(microseconds=1), tz) == 1


@given(interval=intervals, anniversary=st.booleans(), anchor=anchors, today=days)
def test_grid_periods_tile_time(
    *, interval: Interval, anniversary: bool, anchor: date, today: date
) -> None:
    grid = Grid(interval, anniversary, anchor)
    first, last = grid.period(today)
    assert first <= today <= last
    assert grid.length(today) == (last - first).days + 1
    assert grid.period(last + timedelta(days=1)) == grid.period(today, 1)
    assert grid.period(today, 1)[0] == last + timedelta(days=1)
    assert grid.period(first - timedelta(days=1)) == grid.period(today, -1)
    assert grid.is_billing_day(first)
    assert grid.is_billing_day(today) is (today == first)
    assert grid.next_start(today) == last + timedelta(days=1)


@given(
    interval=intervals,
    anniversary=st.booleans(),
    in_advance=st.booleans(),
    tz=st.sampled_from(ZONES),
    start_us=st.integers(0, 15 * 366 * 86_400_000_000),
    monthly=st.sampled_from(["", "charges", "fixed", "charges fixed"]),
)
def test_ticks_bill_every_instant_of_usage_once(  # noqa: PLR0913 - one argument per dimension
    *,
    interval: Interval,
    anniversary: bool,
    in_advance: bool,
    tz: str,
    start_us: int,
    monthly: str,
) -> None:
    start = utc("2015-01-01") + timedelta(microseconds=start_us)
    times = subscription(
        interval,
        start.replace(tzinfo=None).isoformat(),
        anniversary=anniversary,
        in_advance=in_advance,
        tz=tz,
        monthly=monthly,
    )
    today = local_date(start, tz)
    billed: dict[str, list[Window]] = {"charges": [], "fixed": []}
    for _ in range(14):
        today = next_billing_day(times, today)
        found = windows(times, start_of_day(today, tz) + timedelta(minutes=10), "periodic")
        for family in ("charges", "fixed"):
            window: Window | None = getattr(found, family)
            billed[family] += [window] if window is not None else []
    for family in ("charges", "fixed"):
        assert billed[family][0].start == start
        for earlier, later in zip(billed[family], billed[family][1:], strict=False):
            assert earlier.end == later.start


def test_zone_names() -> None:
    assert is_timezone("Europe/Paris")
    assert not any(map(is_timezone, ("Mars/Base", "europe/paris", "", "../UTC", "America", None)))
