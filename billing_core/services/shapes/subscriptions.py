"""What a subscription looks like."""

from datetime import datetime

from billing_core.domain.calendar import SubscriptionTimes, Window, windows
from billing_core.store.tables import Subscription
from billing_core.wire.subscriptions import SubscriptionOut


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
    )


def current_window(subscription: Subscription, now: datetime) -> Window:
    """Return the charges window that contains `now` (subscriptions.md 3.2, 3.6)."""
    times = times_of(subscription)
    window = windows(times, max(now, times.started_at), "usage").charges
    assert window is not None, "a usage window is never null"
    return window


def out(subscription: Subscription, now: datetime) -> SubscriptionOut:
    """Return the wire model; the current period is the charges window of `now`."""
    window = current_window(subscription, now) if subscription.status == "active" else None
    return SubscriptionOut.of(
        subscription,
        external_customer_id=subscription.customer.external_id,
        billing_entity_code=subscription.customer.entity.code,
        plan_code=subscription.plan.code,
        plan_amount_cents=subscription.plan.amount_cents,
        plan_amount_currency=subscription.plan.amount_currency,
        previous_plan_code=None,
        next_plan_code=None,
        downgrade_plan_date=None,
        current_billing_period_started_at=window and window.start,
        current_billing_period_ending_at=window and window.last,
        cancellation_reason=None,
        activation_rules=[],
        applied_invoice_custom_sections=[],
        skip_invoice_custom_sections=False,
        progressive_billing_disabled=False,
        payment_method={"payment_method_id": None, "payment_method_type": "provider"},
    )
