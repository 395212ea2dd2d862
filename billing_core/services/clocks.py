"""Scheduled jobs and test clocks: which jobs there are, when they tick, what is due."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from billing_core.clock import wall_now
from billing_core.domain.calendar import local_date, start_of_day
from billing_core.domain.errors import Forbidden, Invalid
from billing_core.ports import EventStore
from billing_core.services import (
    advance_fees,
    billing_run,
    event_checks,
    schedule,
    subscription_end,
    subscriptions,
)
from billing_core.store import invoices, timers, webhooks
from billing_core.store.unit import Unit

Work = Callable[[Unit, EventStore], Awaitable[None]]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RUN_TOPIC = "job.run"
WEBHOOKS_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Job:
    """A scheduled job: it ticks every `every`, `offset` after the full period.

    `work` does what is due for one organization as of now; None where the capability that the job
    serves does not exist yet, so that there is nothing to do.
    """

    name: str
    every: timedelta
    offset: timedelta = timedelta()
    work: Work | None = None

    def tick(self, at: datetime) -> datetime:
        """Return the first tick at or after an instant."""
        midnight = datetime.combine(at.date(), time.min, UTC)
        passed = at - midnight - self.offset
        steps = -(-passed // self.every)
        return midnight + self.offset + steps * self.every


def _at_minute(minute: int) -> tuple[timedelta, timedelta]:
    return HOUR, timedelta(minutes=minute)


def _each_minutes(minutes: int) -> tuple[timedelta, timedelta]:
    return timedelta(minutes=minutes), timedelta()


async def _activate(unit: Unit, _: EventStore) -> None:
    await subscriptions.activate_due(unit)


async def _terminate(unit: Unit, _: EventStore) -> None:
    await subscription_end.terminate_ended(unit)


async def _bill(unit: Unit, _: EventStore) -> None:
    await billing_run.bill_customers(unit)


async def _finalize(unit: Unit, _: EventStore) -> None:
    await billing_run.finalize_invoices(unit)


async def _mark_overdue(unit: Unit, _: EventStore) -> None:
    await billing_run.mark_overdue(unit)


async def _check_events(unit: Unit, _: EventStore) -> None:
    unit.promise(event_checks.CHECK_TOPIC, {})


async def _charge_in_advance(unit: Unit, _: EventStore) -> None:
    unit.promise(advance_fees.CHARGE_TOPIC, {})


async def _clean_webhooks(unit: Unit, _: EventStore) -> None:
    await webhooks.drop_older_than(unit, wall_now() - WEBHOOKS_KEPT)


# `docs/rules/subscriptions.md` 9; the order within an hour matters (15.10)
JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job("activate_subscriptions", *_each_minutes(5), _activate),
        Job("refresh_draft_invoices", *_each_minutes(5), billing_run.refresh_draft_invoices),
        Job("process_subscription_activity", *_each_minutes(1)),
        Job("charge_in_advance", *_each_minutes(1), _charge_in_advance),
        Job("refresh_lifetime_usages", *_each_minutes(5)),
        Job("refresh_wallets_ongoing_balance", *_each_minutes(5)),
        Job("refresh_flagged_subscriptions", *_each_minutes(1)),
        Job("terminate_ended_subscriptions", *_at_minute(5), _terminate),
        Job("post_validate_events", *_at_minute(5), _check_events),
        Job("bill_customers", *_at_minute(10), _bill),
        Job("track_api_keys_usage", *_at_minute(15)),
        Job("compute_daily_usages", *_at_minute(15)),
        Job("finalize_invoices", *_at_minute(20), _finalize),
        Job("mark_invoices_as_payment_overdue", *_at_minute(25), _mark_overdue),
        Job("terminate_coupons", *_at_minute(30)),
        Job("retry_generating_subscription_invoices", *_at_minute(30)),
        Job("bill_ended_trial_subscriptions", *_at_minute(35)),
        Job("terminate_wallets", *_at_minute(45)),
        Job("process_dunning_campaigns", *_at_minute(45)),
        Job("termination_alerts", *_at_minute(50)),
        Job("terminate_expired_wallet_transaction_rules", *_at_minute(50)),
        Job("top_up_wallet_interval_credits", *_at_minute(55)),
        Job("retry_failed_invoices", *_each_minutes(15)),
        Job("retry_inbound_webhooks", *_each_minutes(15)),
        Job("clean_webhooks", DAY, timedelta(hours=1), _clean_webhooks),
        Job("clean_inbound_webhooks", DAY, timedelta(hours=1, minutes=10)),
    )
}


def job_named(name: object) -> Job:
    """Return a scheduled job; raises `Invalid` for an unknown name."""
    job = JOBS.get(name) if isinstance(name, str) else None
    if job is None:
        raise Invalid.field("job", "value_is_invalid")
    return job


def check_sandbox(unit: Unit) -> None:
    """Raise `Forbidden` unless the organization may move its clock."""
    if not unit.org.sandbox:
        raise Forbidden("test_clock_not_allowed")


async def freeze(unit: Unit, at: datetime | None, *, jump: bool) -> None:
    """Set or lift the frozen time; with `jump` the billing days in between did not happen."""
    check_sandbox(unit)
    unit.org.frozen_at = at
    unit.now = at or wall_now()
    await unit.flush()
    if jump:
        await schedule.jump(unit)


async def next_due(unit: Unit, ran_at: dict[str, datetime]) -> tuple[datetime, Job] | None:
    """Return the first tick from now on at which some job has work, and that job.

    `ran_at` holds when jobs already ran on the way, so that none runs twice at one instant.
    """
    best: tuple[datetime, Job] | None = None
    for name, instant in (await _due_instants(unit)).items():
        job = JOBS[name]
        since = max(instant, unit.now)
        if name in ran_at:
            since = max(since, ran_at[name] + timedelta(seconds=1))
        tick = job.tick(since)
        if best is None or tick < best[0]:
            best = (tick, job)
    return best


async def _due_instants(unit: Unit) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    starts = [
        start_of_day(local_date(row.subscription_at, tz), tz)
        for row in await timers.earliest_pending(unit)
        for tz in (row.customer.applicable_timezone,)
    ]
    ends = [
        start_of_day(local_date(row.ending_at, tz), tz)
        for row in await timers.earliest_ending(unit)
        for tz in (row.customer.applicable_timezone,)
        if row.ending_at is not None
    ]
    billing = await timers.earliest_billing(unit)
    days = await invoices.due_dates(unit)
    if starts:
        found["activate_subscriptions"] = min(starts)
    if ends:
        found["terminate_ended_subscriptions"] = min(ends)
    if billing is not None:
        found["bill_customers"] = billing
    if "finalize_invoices" in days:
        found["finalize_invoices"] = start_of_day(days["finalize_invoices"], "UTC")
    if "mark_invoices_as_payment_overdue" in days:
        after = days["mark_invoices_as_payment_overdue"] + DAY
        found["mark_invoices_as_payment_overdue"] = start_of_day(after, "UTC")
    if await timers.has_flagged_drafts(unit):
        found["refresh_draft_invoices"] = unit.now
    return found
