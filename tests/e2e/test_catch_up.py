"""Time that passed unseen: a year played at once, and a gateway that was down on billing days."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from billing_core.clock import monotonic, wall_now
from billing_core.store.tables import JobRun, Subscription
from billing_core.store.unit import Units, engines_for
from tests.support.billing import (
    add_metric,
    add_plan,
    charge,
    invoices,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Gateway
from tests.support.waiting import until

YEAR_SECONDS = 10
WEEK = timedelta(days=7)
MISSED_WEEKS = 3


def test_a_year_is_played_in_seconds(
    any_gateway: Gateway, report_figures: Callable[[object], None]
) -> None:
    org = any_gateway.organization(timezone="Europe/Berlin", default_currency="EUR")
    org.clock("2025-12-31T23:00:00Z")
    metric_id = add_metric(org, "usage")
    add_plan(org, charges=[charge(metric_id, "standard", {"amount": "0.10"})])
    subscribe(org, billing_time="calendar")
    for month in range(1, 13):
        instant = datetime(2026, month, 15, tzinfo=UTC)
        send(org, f"month-{month}", str(month), timestamp=int(instant.timestamp()))
    started = monotonic()
    org.clock("2027-01-01T12:00:00Z", catch_up=True)
    took_seconds = monotonic() - started
    found = invoices(org)
    assert [one["issuing_date"] for one in found] == [
        *(f"2026-{month:02}-01" for month in range(2, 13)),
        "2027-01-01",
    ]
    # 10.00 and as many tenths as the month has units
    assert [one["total_amount_cents"] for one in found] == [
        1000 + 10 * month for month in range(1, 13)
    ]
    assert [one["sequential_id"] for one in found] == list(range(1, 13))
    assert {one["status"] for one in found} == {"finalized"}
    assert took_seconds < YEAR_SECONDS
    report_figures(f"{took_seconds:.2f} s for a year of twelve invoices")


def test_catching_up_equals_going_step_by_step(gateway: Gateway) -> None:
    totals = []
    for steps in (
        ["2026-07-01T12:00:00Z"],
        [f"2026-{month:02}-01T12:00:00Z" for month in range(2, 8)],
    ):
        org = gateway.organization()
        org.clock("2026-01-10T00:00:00Z")
        add_plan(org, pay_in_advance=True)
        subscribe(org, billing_time="calendar")
        for step in steps:
            org.clock(step, catch_up=True)
        totals.append([(one["issuing_date"], one["total_amount_cents"]) for one in invoices(org)])
    assert totals[0] == totals[1]
    # 22 of 31 days of January, then six whole months
    assert [amount for _, amount in totals[0]] == [710, *[1000] * 6]


@pytest.fixture
def down(tmp_path: Path) -> Iterator[Gateway]:
    """Return a gateway that the test stops and starts."""
    with Gateway(tmp_path / "data") as gateway:
        yield gateway


async def rewind(gateway: Gateway, day: date) -> None:
    """Make the stopped gateway's data what they would be, had it stopped before a billing day."""
    engines = engines_for(f"sqlite+aiosqlite:///{gateway.data_dir / 'tallygate.db'}")
    before = datetime.combine(day, time.min, UTC)
    try:
        async with Units(engines).system(write=True) as session:
            await session.execute(
                update(Subscription).values(next_billing_on=day, next_billing_at=before)
            )
            await session.execute(update(JobRun).values(last_run_at=before))
    finally:
        await engines.dispose()


async def test_missed_billing_days_are_caught_up_in_real_time(down: Gateway) -> None:
    org = down.organization(sandbox=False)
    add_plan(org, interval="weekly", amount_cents=700)
    today = wall_now().date()
    # in the middle of a week: the day must not change its meaning while the test runs
    start = datetime.combine(today - MISSED_WEEKS * WEEK - timedelta(days=3), time(12), UTC)
    subscribe(org, subscription_at=start.isoformat(), billing_time="anniversary")
    assert org.get("/invoices")["invoices"] == [], "a start in the past bills nothing by itself"
    down.stop()
    await rewind(down, (start + WEEK).date())
    down.start()
    (key,) = down.admin("GET", f"/organizations/{org.id}/api_keys")["api_keys"]
    assert key["last_used_at"] is not None, "the uses of keys are noted at the latest at the end"
    until(lambda: len(invoices(org)) >= MISSED_WEEKS, "the clock does not catch up")
    found = invoices(org)
    weeks = [(start + number * WEEK).date() for number in range(MISSED_WEEKS)]
    assert [one["fees"][0]["from_date"][:10] for one in found] == [str(day) for day in weeks]
    # issued when they were made: nobody can be late with what was not there
    assert {one["issuing_date"] for one in found} == {one["created_at"][:10] for one in found}
    assert [one["number"][-3:] for one in found] == ["001", "002", "003"]
    # a started day counts whole, so the first week from noon on has seven days too
    assert [one["total_amount_cents"] for one in found] == [700] * MISSED_WEEKS
    down.verify()


async def test_a_future_start_that_was_missed(gateway: Gateway) -> None:
    org = gateway.organization()
    org.clock("2026-03-10T09:00:00Z")
    add_plan(org, pay_in_advance=True)
    subscription = subscribe(
        org, subscription_at="2026-03-12T00:00:00Z", billing_time="anniversary"
    )
    assert subscription["status"] == "pending"
    org.clock("2026-03-15T09:00:00Z")
    org.run("activate_subscriptions")
    found = org.get("/subscriptions/s1")["subscription"]
    assert (found["status"], found["started_at"]) == ("active", "2026-03-15T09:00:00.000Z")
    assert only_invoice(org)["total_amount_cents"] == 1000
