"""One subscription on an invoice: the windows it is billed for, and its subscription fee."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing_core.domain.calendar import (
    Kind,
    SubscriptionTimes,
    Window,
    Windows,
    local_date,
    windows,
)
from billing_core.domain.charges.steps import minor_step, ratio_step
from billing_core.domain.money import major_from_minor, subunit
from billing_core.domain.proration import FeeFacts, PaidDays, fee_case, paid_days
from billing_core.services.shapes.fees import item
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import invoices, subscriptions
from billing_core.store.tables import Fee, Invoice, Plan, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.dates import instant_text

KINDS: dict[str, Kind] = {
    "subscription_starting": "starting",
    "subscription_periodic": "periodic",
    "subscription_terminating": "terminated",
    "in_advance_charge": "usage",
    "in_advance_charge_periodic": "periodic",
}


@dataclass(frozen=True, slots=True)
class BilledLine:
    """One subscription to put on an invoice.

    `at` is the billing timestamp that chooses the periods; `whole_period` says that a row ended or
    began with a period: its end covers the one that just ended, and its start opens the next one
    (`docs/rules/subscriptions.md` 2.6 and 2.9).
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

    @property
    def renewed(self) -> Window | None:
        """The coming charges period that a line opens, None for a line that opens none.

        That are periodic lines, except that on split plans, where usage has periods of its own, not
        all of them do, and the start of a plan that took over at the end of a period.
        """
        opens_one = self.reason == "subscription_starting" and self.whole_period
        if self.recurring:
            opens_one = self.windows().charges is not None
        if not opens_one:
            return None
        return windows(self.times, self.at, "usage").charges

    def windows(self) -> Windows:
        """Return the windows this line bills."""
        kind = KINDS[self.reason]
        if kind == "terminated" and self.whole_period:
            kind = "downgraded"
        return windows(self.times, self.at, kind)


async def subscription_fee(unit: Unit, invoice: Invoice, line: BilledLine) -> Fee | None:
    """Return the fee for the interval, or None when this line has none (4.1)."""
    subscription, plan = line.subscription, line.subscription.plan
    billed_before = await invoices.subscription_fee_days(unit, subscription.id, invoice.id)
    if not _is_due(line, billed_before):
        return None
    window = line.windows().fee
    times = line.times
    ended = line.may_be_upgraded and subscription.status == "terminated"
    upgraded = ended and bool(await subscriptions.successors(unit, [subscription.id]))
    facts = FeeFacts(
        pay_in_advance=plan.pay_in_advance,
        anniversary=times.anniversary,
        terminated=ended,
        upgraded=upgraded,
        has_predecessor=subscription.previous_subscription_id is not None,
        billed_before=bool(billed_before),
        backdated=_is_backdated(subscription),
        started_before_previous_period=_started_before_previous(line),
    )
    paid = paid_days(fee_case(facts), times, window, upgraded=upgraded)
    amount = paid.cents(plan.amount_cents)
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
        explanation=_explanation(plan, window, paid),
    )


def _explanation(plan: Plan, window: Window, paid: PaidDays) -> dict[str, Any]:
    """Say how the fee came about: the plan's amount for some of the days of its period."""
    minor = subunit(plan.amount_currency)
    whole = minor_step(Decimal(plan.amount_cents), minor, reason="plan amount")
    share = ratio_step(Decimal(paid.days), Decimal(paid.period_days), [whole])
    return {
        "currency": plan.amount_currency,
        "from_datetime": instant_text(window.start),
        "to_datetime": instant_text(window.last),
        "proration": [{"units": "1.0", "days": paid.days, "period_days": paid.period_days}],
        "steps": [share],
    }


def _is_due(line: BilledLine, billed_before: list[date]) -> bool:
    subscription, plan, times = line.subscription, line.subscription.plan, line.times
    today = local_date(line.at, times.tz)
    if plan.pay_in_advance:
        if today in billed_before:
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
        return first_month or not billed_before
    return first_month


def _is_backdated(subscription: Subscription) -> bool:
    started = subscription.started_at or subscription.subscription_at
    tz = subscription.customer.applicable_timezone
    return local_date(started, tz) < local_date(subscription.created_at, tz)


def _started_before_previous(line: BilledLine) -> bool:
    day = local_date(line.at, line.times.tz)
    previous_start, _ = line.times.grid().period(day, -1)
    return local_date(line.times.started_at, line.times.tz) < previous_start
