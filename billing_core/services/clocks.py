"""Scheduled jobs and test clocks: which jobs there are, when they tick, what is due."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from billing_core.clock import wall_now
from billing_core.domain.calendar import local_date, start_of_day
from billing_core.domain.errors import Forbidden, Invalid
from billing_core.ports import EventStore
from billing_core.services import (
    advance_fees,
    billing_run,
    coupons,
    event_checks,
    gating,
    schedule,
    subscription_activity,
    subscription_end,
    subscriptions,
    trial_ends,
    wallet_balances,
    wallet_rules,
    wallets,
)
from billing_core.store import (
    activation_rules,
    activities,
    invoices,
    timers,
    wallet_refreshes,
    webhooks,
)
from billing_core.store import coupons as coupon_store
from billing_core.store.tables import Subscription
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


async def _end_trials(unit: Unit, _: EventStore) -> None:
    await trial_ends.promise_due(unit)


async def _finalize(unit: Unit, _: EventStore) -> None:
    await billing_run.finalize_invoices(unit)


async def _mark_overdue(unit: Unit, _: EventStore) -> None:
    await billing_run.mark_overdue(unit)


async def _announce_ends(unit: Unit, _: EventStore) -> None:
    await subscription_end.announce_ends(unit)


async def _expire_incomplete(unit: Unit, _: EventStore) -> None:
    await gating.expire_due(unit)


async def _check_events(unit: Unit, _: EventStore) -> None:
    unit.promise(event_checks.CHECK_TOPIC, {})


async def _look_at_activity(unit: Unit, _: EventStore) -> None:
    unit.promise(subscription_activity.LOOK_TOPIC, {})


async def _charge_in_advance(unit: Unit, _: EventStore) -> None:
    unit.promise(advance_fees.CHARGE_TOPIC, {})


async def _look_at_wallets(unit: Unit, _: EventStore) -> None:
    unit.promise(wallet_balances.LOOK_TOPIC, {})


async def _terminate_coupons(unit: Unit, _: EventStore) -> None:
    await coupons.terminate_expired(unit)


async def _terminate_wallets(unit: Unit, _: EventStore) -> None:
    await wallets.terminate_expired(unit)


async def _end_wallet_rules(unit: Unit, _: EventStore) -> None:
    await wallet_rules.end_expired(unit)


async def _top_up_wallets(unit: Unit, _: EventStore) -> None:
    await wallet_rules.top_up_due(unit)


async def _clean_webhooks(unit: Unit, _: EventStore) -> None:
    await webhooks.drop_older_than(unit, wall_now() - WEBHOOKS_KEPT)


# `docs/rules/subscriptions.md` 9; the order within an hour matters (15.10)
JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job("activate_subscriptions", *_each_minutes(5), _activate),
        Job("refresh_draft_invoices", *_each_minutes(5), billing_run.refresh_draft_invoices),
        Job("process_subscription_activity", *_each_minutes(1), _look_at_activity),
        Job("charge_in_advance", *_each_minutes(1), _charge_in_advance),
        # lifetime usage is computed when it is asked for: nothing is kept that could be stale
        Job("refresh_lifetime_usages", *_each_minutes(5)),
        Job("refresh_wallets_ongoing_balance", *_each_minutes(5), _look_at_wallets),
        # no pipeline flags subscriptions: usage is read from the event store as it is
        Job("refresh_flagged_subscriptions", *_each_minutes(1)),
        Job("terminate_ended_subscriptions", *_at_minute(5), _terminate),
        Job("post_validate_events", *_at_minute(5), _check_events),
        Job("bill_customers", *_at_minute(10), _bill),
        # every gateway process writes down what it noted (gateway/key_usage.py)
        Job("track_api_keys_usage", *_at_minute(15)),
        # nothing reads daily usage: past and running usage are computed when asked for
        Job("compute_daily_usages", *_at_minute(15)),
        Job("finalize_invoices", *_at_minute(20), _finalize),
        Job("expire_incomplete_subscriptions", *_at_minute(20), _expire_incomplete),
        Job("mark_invoices_as_payment_overdue", *_at_minute(25), _mark_overdue),
        Job("terminate_coupons", *_at_minute(30), _terminate_coupons),
        # an invoice is made in one transaction: none stays generating, its promise is kept later
        Job("retry_generating_subscription_invoices", *_at_minute(30)),
        Job("bill_ended_trial_subscriptions", *_at_minute(35), _end_trials),
        Job("terminate_wallets", *_at_minute(45), _terminate_wallets),
        Job("process_dunning_campaigns", *_at_minute(45)),
        Job("termination_alerts", *_at_minute(50), _announce_ends),
        Job("terminate_expired_wallet_transaction_rules", *_at_minute(50), _end_wallet_rules),
        Job("top_up_wallet_interval_credits", *_at_minute(55), _top_up_wallets),
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
        await wallet_rules.jump(unit)


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
    """Return when each job has work next; those without any are left out."""
    days = await invoices.due_dates(unit)
    overdue_after = days.get("mark_invoices_as_payment_overdue")
    wallet_expiry, rule_expiry = await wallet_refreshes.earliest_expiry(unit)
    found = {
        "activate_subscriptions": _first_day(
            (row, row.subscription_at) for row in await timers.earliest_pending(unit)
        ),
        "terminate_ended_subscriptions": _first_day(
            (row, row.ending_at) for row in await timers.earliest_ending(unit)
        ),
        "bill_customers": await timers.earliest_billing(unit),
        "bill_ended_trial_subscriptions": await timers.earliest_trial_end(unit),
        "finalize_invoices": _utc_day(days.get("finalize_invoices")),
        "expire_incomplete_subscriptions": await activation_rules.earliest_expiry(unit),
        "mark_invoices_as_payment_overdue": _utc_day(overdue_after and overdue_after + DAY),
        "termination_alerts": _utc_day(await timers.earliest_alert(unit)),
        "process_subscription_activity": (unit.now if await activities.is_waiting(unit) else None),
        "refresh_wallets_ongoing_balance": (
            unit.now if await wallet_refreshes.is_waiting(unit) else None
        ),
        "terminate_coupons": await coupon_store.earliest_expiry(unit),
        "terminate_wallets": wallet_expiry,
        "terminate_expired_wallet_transaction_rules": rule_expiry,
        "top_up_wallet_interval_credits": min(
            (
                start_of_day(day, wallet.customer.applicable_timezone)
                for day, wallet in await wallet_refreshes.next_interval_rules(unit)
            ),
            default=None,
        ),
        "refresh_draft_invoices": unit.now if await timers.has_flagged_drafts(unit) else None,
    }
    return {name: instant for name, instant in found.items() if instant is not None}


def _first_day(rows: Iterable[tuple[Subscription, datetime | None]]) -> datetime | None:
    """Return when the earliest local day of these instants begins."""
    return min(
        (
            start_of_day(
                local_date(instant, row.customer.applicable_timezone),
                row.customer.applicable_timezone,
            )
            for row, instant in rows
            if instant is not None
        ),
        default=None,
    )


def _utc_day(day: date | None) -> datetime | None:
    return None if day is None else start_of_day(day, "UTC")
