"""One subscription on an invoice: the windows it is billed for, and its subscription fee."""

from collections.abc import Sequence
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
from billing_core.domain.trials import is_free
from billing_core.services.shapes.fees import item
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import subscriptions
from billing_core.store.tables import Fee, Invoice, Plan, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.dates import instant_text

KINDS: dict[str, Kind] = {
    "subscription_starting": "starting",
    "subscription_periodic": "periodic",
    "subscription_terminating": "terminated",
    "in_advance_charge": "usage",
    "progressive_billing": "usage",
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

    @property
    def kind(self) -> Kind:
        """Which windows it bills, as the calendar names them."""
        kind = KINDS[self.reason]
        if kind == "terminated" and self.whole_period:
            return "downgraded"
        # what is fixed and paid at a start in arrears, or in a trial, is all there is to it
        is_start = kind == "usage" and self.at == self.subscription.started_at
        return "starting" if is_start else kind

    def windows(self) -> Windows:
        """Return the windows this line bills."""
        return windows(self.times, self.at, self.kind)


async def subscription_fee(
    unit: Unit, invoice: Invoice, line: BilledLine, billed_before: Sequence[date]
) -> Fee | None:
    """Return the fee for the interval, or None when this line has none (4.1).

    `billed_before` are the billing days whose fee stands on an earlier invoice.
    """
    subscription, plan = line.subscription, line.subscription.plan
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
    trial_end = subscription.trial_ends_at
    paid = paid_days(fee_case(facts), times, window, upgraded=upgraded, trial_end=trial_end)
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


def _is_due(line: BilledLine, billed_before: Sequence[date]) -> bool:
    """Tell whether the line has a fee at all (`docs/rules/subscriptions.md` 4.1)."""
    subscription, times = line.subscription, line.times
    today = times.day_of(line.at)
    if is_free(subscription.trial_ends_at, today, times.tz):
        return False
    if not times.pay_in_advance:
        return line.reason != "subscription_starting" and _opens_period(line, today)
    is_over = subscription.status == "terminated" and line.reason == "subscription_terminating"
    if is_over or today in billed_before:
        return False
    is_first = not billed_before and not _is_backdated(subscription)
    return is_first or _opens_period(line, today)


def _opens_period(line: BilledLine, today: date) -> bool:
    """Tell whether a line stands between two periods of the plan, or at the end of the last one.

    Between them, split plans are also billed for their months (`docs/rules/subscriptions.md` 3.4).
    """
    plan = line.subscription.plan
    split = plan.bill_charges_monthly or plan.bill_fixed_charges_monthly
    is_end = line.reason == "subscription_terminating"
    return is_end or not split or line.times.grid().is_billing_day(today)


def _is_backdated(subscription: Subscription) -> bool:
    started = subscription.started_at or subscription.subscription_at
    tz = subscription.customer.applicable_timezone
    return local_date(started, tz) < local_date(subscription.created_at, tz)


def _started_before_previous(line: BilledLine) -> bool:
    day = line.times.day_of(line.at)
    previous_start, _ = line.times.grid().period(day, -1)
    return local_date(line.times.started_at, line.times.tz) < previous_start
