"""What a subscription looks like."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from billing_core.domain.calendar import SubscriptionTimes, Window, windows
from billing_core.domain.plan_changes import rotation_day
from billing_core.store import activation_rules, subscriptions
from billing_core.store.tables import ActivationRule, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.subscriptions import ActivationRuleOut, SubscriptionOut


def times_of(subscription: Subscription) -> SubscriptionTimes:
    """Return what decides a subscription's periods."""
    plan = subscription.plan
    started_at = subscription.started_at or subscription.subscription_at
    return SubscriptionTimes(
        interval=plan.interval,  # type: ignore[arg-type]  # checked on the way in
        anniversary=subscription.billing_time == "anniversary",
        pay_in_advance=plan.pay_in_advance,
        subscription_at=subscription.subscription_at,
        started_at=started_at,
        terminated_at=subscription.terminated_at,
        tz=subscription.customer.applicable_timezone,
        bill_charges_monthly=bool(plan.bill_charges_monthly),
        bill_fixed_charges_monthly=bool(plan.bill_fixed_charges_monthly),
        charges_billed_until=subscription.charges_billed_until,
        fixed_charges_billed_until=subscription.fixed_charges_billed_until,
    )


def current_window(subscription: Subscription, now: datetime) -> Window:
    """Return the charges window that contains `now` (subscriptions.md 3.2, 3.6)."""
    times = times_of(subscription)
    window = windows(times, max(now, times.started_at), "usage").charges
    assert window is not None, "a usage window is never null"
    return window


async def out(unit: Unit, subscription: Subscription) -> SubscriptionOut:
    """Return the wire model; the current period is the charges window of now."""
    return (await several(unit, [subscription]))[0]


async def several(unit: Unit, rows: Sequence[Subscription]) -> list[SubscriptionOut]:
    """Return the wire models of some subscriptions, their neighbours read with one query."""
    by_id, by_former = await subscriptions.neighbours(unit, rows)
    rules = await activation_rules.of(unit, (row.id for row in rows))
    return [
        _out(
            row,
            unit.now,
            (_found(by_id, row.previous_subscription_id), by_former.get(row.id)),
            rules.get(row.id, []),
        )
        for row in rows
    ]


def _found(rows: Mapping[UUID, Subscription], wanted: UUID | None) -> Subscription | None:
    return None if wanted is None else rows.get(wanted)


def _out(
    row: Subscription,
    now: datetime,
    neighbours: tuple[Subscription | None, Subscription | None],
    rules: Sequence[ActivationRule],
) -> SubscriptionOut:
    former, successor = neighbours
    window = current_window(row, now) if row.status == "active" else None
    return SubscriptionOut.of(
        row,
        external_customer_id=row.customer.external_id,
        billing_entity_code=row.entity.code,
        plan_code=row.plan.code,
        plan_amount_cents=row.plan.amount_cents,
        plan_amount_currency=row.plan.amount_currency,
        previous_plan_code=former and former.plan.code,
        next_plan_code=successor and successor.plan.code,
        downgrade_plan_date=_downgrade_date(row, successor),
        current_billing_period_started_at=window and window.start,
        current_billing_period_ending_at=window and window.last,
        activation_rules=[ActivationRuleOut.of(rule) for rule in rules],
        applied_invoice_custom_sections=[],
        skip_invoice_custom_sections=False,
        payment_method={
            "payment_method_id": None,
            "payment_method_type": row.payment_method_type,
        },
    )


def _downgrade_date(row: Subscription, successor: Subscription | None) -> str | None:
    if successor is None or successor.status != "pending" or row.next_billing_on is None:
        return None
    return str(rotation_day(times_of(row), successor.created_at, row.next_billing_on))
