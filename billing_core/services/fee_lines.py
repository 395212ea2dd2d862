"""One subscription on an invoice: the windows it is billed for, and its subscription fee."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing_core.domain.calendar import Kind, SubscriptionTimes, Windows, local_date, windows
from billing_core.domain.money import major_from_minor
from billing_core.domain.proration import FeeFacts, fee_case, subscription_fee_cents
from billing_core.services.shapes.fees import item
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import invoices
from billing_core.store.tables import Fee, Invoice, Subscription
from billing_core.store.unit import Unit

KINDS: dict[str, Kind] = {
    "subscription_starting": "starting",
    "subscription_periodic": "periodic",
    "subscription_terminating": "terminated",
}


@dataclass(frozen=True, slots=True)
class BilledLine:
    """One subscription to put on an invoice.

    `at` is the billing timestamp that chooses the periods; `whole_period` makes a termination on an
    unbilled billing day cover the period that just ended (`docs/rules/subscriptions.md` 2.6).
    """

    subscription: Subscription
    reason: str
    at: datetime
    whole_period: bool = False

    @property
    def recurring(self) -> bool:
        """Whether this is a periodic line."""
        return self.reason == "subscription_periodic"

    @property
    def may_be_upgraded(self) -> bool:
        """Whether another row, if one follows, has taken over before the period was over."""
        return self.reason == "subscription_terminating" and not self.whole_period

    @property
    def times(self) -> SubscriptionTimes:
        """What decides the subscription's periods."""
        return times_of(self.subscription)

    def windows(self) -> Windows:
        """Return the windows this line bills."""
        kind: Kind = "downgraded" if self.whole_period else KINDS[self.reason]
        return windows(self.times, self.at, kind)


async def subscription_fee(unit: Unit, invoice: Invoice, line: BilledLine) -> Fee | None:
    """Return the fee for the interval, or None when this line has none (4.1)."""
    subscription, plan = line.subscription, line.subscription.plan
    earlier = await invoices.subscription_fee_facts(unit, subscription.id, invoice.id)
    if not _is_due(line, [made for made, _ in earlier]):
        return None
    window = line.windows().fee
    times = line.times
    facts = FeeFacts(
        pay_in_advance=plan.pay_in_advance,
        anniversary=times.anniversary,
        terminated=subscription.status == "terminated" and not line.whole_period,
        billed_before=bool(earlier),
        backdated=_is_backdated(subscription),
        started_before_previous_period=_started_before_previous(line),
    )
    amount = subscription_fee_cents(fee_case(facts), times, window, plan.amount_cents)
    currency = plan.amount_currency
    return Fee(
        org_id=unit.org_id,
        created_at=invoice.created_at,
        updated_at=unit.now,
        invoice_id=invoice.id,
        customer_id=subscription.customer_id,
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        fee_type="subscription",
        amount_cents=amount,
        precise_amount_cents=Decimal(amount),
        amount_currency=currency,
        units=Decimal(1),
        total_aggregated_units=Decimal(1),
        precise_unit_amount=major_from_minor(amount, currency),
        unit_amount_cents=amount,
        pay_in_advance=plan.pay_in_advance,
        from_datetime=window.start,
        to_datetime=window.end,
        item=item("subscription", plan.code, plan.name, plan.invoice_display_name, subscription.id),
        amount_details={"plan_amount_cents": plan.amount_cents},
    )


def _is_due(line: BilledLine, made_before: list[datetime]) -> bool:
    subscription, plan, times = line.subscription, line.subscription.plan, line.times
    today = local_date(line.at, times.tz)
    if plan.pay_in_advance:
        if any(local_date(made, times.tz) == today for made in made_before):
            return False
        if subscription.status == "terminated" and line.reason == "subscription_terminating":
            return False
    elif line.reason == "subscription_starting":
        return False
    split = plan.bill_charges_monthly or plan.bill_fixed_charges_monthly
    if not split or line.reason == "subscription_terminating":
        return True
    first_month = times.grid().is_billing_day(today)
    if plan.pay_in_advance and not _is_backdated(subscription):
        return first_month or not made_before
    return first_month


def _is_backdated(subscription: Subscription) -> bool:
    started = subscription.started_at or subscription.subscription_at
    tz = subscription.customer.applicable_timezone
    return local_date(started, tz) < local_date(subscription.created_at, tz)


def _started_before_previous(line: BilledLine) -> bool:
    day = local_date(line.at, line.times.tz)
    previous_start, _ = line.times.grid().period(day, -1)
    return local_date(line.times.started_at, line.times.tz) < previous_start
