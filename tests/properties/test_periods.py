"""Random lives: every day is paid once, whatever changes, and however late the biller comes."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_core.domain.calendar import DAY, Grid, Interval, local_date
from billing_core.domain.proration import PaidDays
from tests.support.histories import (
    END,
    History,
    Life,
    Line,
    PlanShape,
    Stage,
    Ticks,
    down,
    each,
    hourly,
)

EXAMPLES = int(os.environ.get("TALLYGATE_SOAK", "0")) * 2000 or 6  # noqa: TID251 - test length
ZONES = (
    "UTC",
    "America/New_York",
    "America/Los_Angeles",
    "Europe/Paris",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Pacific/Auckland",
    "Pacific/Kiritimati",
    "America/St_Johns",
)
INTERVALS: tuple[Interval, ...] = ("weekly", "monthly", "quarterly", "semiannual", "yearly")
# long enough for a handful of periods
HORIZON_DAYS = {"weekly": 30, "monthly": 130, "quarterly": 280, "semiannual": 400, "yearly": 760}
SPLIT = ("semiannual", "yearly")
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)

minutes = st.integers(0, 10 * 365 * 24 * 60)


@st.composite
def shapes(draw: st.DrawFn) -> PlanShape:
    """Draw a plan."""
    interval = draw(st.sampled_from(INTERVALS))
    return PlanShape(
        interval,
        draw(st.integers(0, 200_000)),
        draw(st.booleans()),
        charges_monthly=interval in SPLIT and draw(st.booleans()),
        fixed_charges_monthly=interval in SPLIT and draw(st.booleans()),
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a life between 2020 and 2032 of up to three changes, and perhaps an end."""
    plans = tuple(draw(st.lists(shapes(), min_size=1, max_size=3)))
    start = FIRST + timedelta(minutes=draw(minutes), seconds=draw(st.integers(0, 59)))
    days = min(HORIZON_DAYS[plan.interval] for plan in plans)
    offsets = draw(st.lists(st.integers(1, days * 24 * 60), max_size=3, unique=True))
    numbers = st.integers(0, len(plans) - 1)
    changes: list[tuple[datetime, int | str]] = [
        (start + timedelta(minutes=offset), draw(numbers)) for offset in sorted(offsets)
    ]
    until = start + timedelta(days=days + 1)
    if draw(st.booleans()):
        changes.append((until, END))
    return History(
        draw(st.sampled_from(ZONES)),
        draw(st.booleans()),
        plans,
        start,
        tuple(changes),
        until + timedelta(days=1),
    )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Stage]]:
    """Return a stage, and the loop it lives on."""
    with asyncio.Runner() as runner:
        opened = Stage.opened(tmp_path_factory.mktemp("stage"))
        yield runner, runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


def check_windows(life: Life, family: str) -> None:
    """Check that windows of usage, or of fixed charges, follow each other from the start on.

    The end of a row is an instant that both rows name; what happens then is the later one's.
    """
    found = []
    for line in life.lines:
        window = line.charges if family == "charges" else line.fixed
        if window is not None and line.reason != "subscription_starting":
            found.append((line.order, *window))
    reached = life.stints[0].started_at
    for order, start, end in sorted(found):
        if end - start <= MOMENT:
            assert start == life.stints[order].started_at, "only what has not begun may be empty"
            continue
        assert start == reached or start == reached - MOMENT, (family, order, start, reached)
        reached = end


def check_days(life: Life, tz: str) -> None:
    """Check that each local day is paid by one fee, in advance up to where its row ends."""
    reached: date | None = None
    for order, stint in enumerate(life.stints):
        following = order + 1 < len(life.stints)
        paid = sorted(
            (fee for line in life.lines if line.order == order for fee in line.fees),
            key=lambda fee: fee.first_day,
        )
        for fee in paid:
            whole = PaidDays(fee.days, fee.period_days)
            assert fee.amount_cents == whole.cents(stint.plan.amount_cents)
            if not fee.days:
                continue
            assert reached in {None, fee.first_day}, (order, reached, fee)
            reached = fee.first_day + fee.days * DAY
        if stint.ended_at is not None and stint.plan.pay_in_advance and reached is not None:
            last_day = local_date(stint.ended_at, tz)
            reached = min(reached, last_day if following else last_day + DAY)


def check_once(life: Life) -> None:
    """Check that at most one fee of a row begins on a day."""
    begun = [(line.order, fee.first_day) for line in life.lines for fee in line.fees if fee.days]
    assert len(begun) == len(set(begun))


def cadences(history: History) -> list[Ticks]:
    """Return how late a biller may come: a day, a month, or back from a week's outage."""
    middle = history.start + (history.until - history.start) / 2
    return [each(1), each(30), down(middle, 7)]


def comparable(life: Life) -> tuple[list[Line], tuple[int, ...], list[datetime]]:
    """Return what must not depend on when the biller came."""
    return list(life.lines), life.notes, [one.started_at for one in life.stints]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(), late=st.integers(0, 2))
def test_every_day_is_billed_once_however_late(
    stage: tuple[asyncio.Runner, Stage], history: History, late: int
) -> None:
    runner, theatre = stage
    life = runner.run(theatre.play(history, hourly))
    check_windows(life, "charges")
    check_windows(life, "fixed")
    check_days(life, history.tz)
    check_once(life)
    again = runner.run(theatre.play(history, cadences(history)[late]))
    assert comparable(again) == comparable(life)


@given(
    interval=st.sampled_from(INTERVALS),
    anniversary=st.booleans(),
    anchor=st.dates(date(2020, 1, 1), date(2032, 12, 31)),
    day=st.dates(date(2020, 1, 1), date(2032, 12, 31)),
    cuts=st.lists(st.floats(0, 1), max_size=2),
    amount_cents=st.integers(0, 10**9),
)
def test_the_parts_of_a_period_add_up(  # noqa: PLR0913 - one argument per dimension
    *,
    interval: Interval,
    anniversary: bool,
    anchor: date,
    day: date,
    cuts: list[float],
    amount_cents: int,
) -> None:
    grid = Grid(interval, anniversary, anchor)
    length = grid.length(day)
    borders = [0, *sorted(int(cut * length) for cut in cuts), length]
    parts = [PaidDays(end - start, length).cents(amount_cents) for start, end in pairwise(borders)]
    assert abs(sum(parts) - amount_cents) <= 1
