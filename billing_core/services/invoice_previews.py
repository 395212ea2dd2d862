"""What an invoice would be: it is made by the billing code itself, in a unit that is undone.

Every function here wants a unit of `Units.rehearse`: it moves the unit's now to the instant at
which the invoice would be made, and lets happen what would happen until then. So a preview can only
say what the invoice will say. Source: `docs/rules/subscriptions.md` 11.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime, timedelta

from billing_core.domain.calendar import MICROSECOND, local_date, start_of_day
from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.ids import new_id
from billing_core.ports import EventStore
from billing_core.services import (
    billing_entities,
    credit_notes,
    handovers,
    invoice_build,
    invoice_coupons,
    invoice_credits,
    plan_changes,
    preview_coupons,
    schedule,
    subscription_end,
    subscription_start,
    takeovers,
    wallet_payments,
)
from billing_core.services import customers as customer_service
from billing_core.services.fee_lines import BilledLine
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import catalog, customers, invoices, organizations, subscriptions
from billing_core.store import credit_notes as note_store
from billing_core.store.tables import BillingEntity, Customer, Invoice, Plan, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.invoice_previews import PreviewCustomerIn, PreviewIn, PreviewSubscriptionsIn

NEWEST_PERIOD = timedelta(days=370)  # longer than any period
NESTED = frozenset({"external_id", "shipping_address", "integration_customers"})


async def preview(unit: Unit, events: EventStore, data: PreviewIn) -> Invoice:
    """Return the invoice that a new, ending, changing or continuing subscription would get.

    It uses what coupons and credit notes the customer has, also the notes that would be made on the
    way, and the coupons that are supposed. Raises `NotFound` for an unknown customer, subscription,
    plan, billing entity or coupon, and `Invalid` for what cannot be billed together.
    """
    problems = Problems()
    if data.customer is None:
        problems.add("customer", "value_is_mandatory")
    problems.check()
    assert data.customer is not None, "checked just now"
    supposed = await preview_coupons.find(unit, data.coupons or ())
    asked = data.subscriptions
    if asked is None or not asked.external_ids:
        lines = await _proposed(unit, data, data.customer)
    else:
        customer = await _known(unit, data.customer.external_id)
        rows = await _rows(unit, customer, asked.external_ids)
        lines = await _asked(unit, events, rows, asked)
    return await _made(unit, events, lines, supposed)


async def _asked(
    unit: Unit,
    events: EventStore,
    rows: Sequence[Subscription],
    asked: PreviewSubscriptionsIn,
) -> list[BilledLine]:
    wish = "termination" if asked.terminated_at else "plan_change" if asked.plan_code else None
    if wish and len(rows) > 1:
        raise Invalid.field("subscriptions", f"only_one_subscription_allowed_for_{wish}")
    if asked.terminated_at:
        if asked.terminated_at <= unit.now:
            raise Invalid.field("terminated_at", "invalid_date")
        return await _ended(unit, events, rows[0], asked.terminated_at)
    if asked.plan_code:
        return await _changed(unit, events, rows[0], await _plan(unit, asked.plan_code))
    return await _continued(unit, events, rows)


async def _proposed(unit: Unit, data: PreviewIn, who: PreviewCustomerIn) -> list[BilledLine]:
    """Start a subscription that nobody has yet, as if the request had come at its start."""
    customer = await _known(unit, who.external_id) if who.external_id else None
    plan = await _plan(unit, data.plan_code)
    code = data.billing_entity_code
    entity = None if code is None else await billing_entities.get(unit, code)
    if customer is None:
        customer = _somebody(unit, who, entity or await organizations.default_entity(unit))
        customers.add(unit, customer)
        await unit.flush()
    unit.now = data.subscription_at or unit.now
    subscription = Subscription(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        customer_id=customer.id,
        plan_id=plan.id,
        external_id=str(new_id()),
        status="pending",
        billing_time=data.billing_time or "calendar",
        subscription_at=unit.now,
    )
    subscription.customer, subscription.plan = customer, plan
    subscription.own_entity = entity
    subscriptions.add(unit, subscription)
    await unit.flush()
    return await _begun(unit, subscription, unit.now)


async def _begun(unit: Unit, subscription: Subscription, at: datetime) -> list[BilledLine]:
    """Let a row start; its first invoice is that of its start, or of its first period.

    A plan in advance whose trial ends before is billed at that end.
    """
    unit.now = max(at, unit.now)
    await subscription_start.activate(unit, subscription, at)
    next_day, tz = subscription.next_billing_on, times_of(subscription).tz
    if subscription.plan.pay_in_advance:
        is_paid_now = subscription_start.is_paid_at_start(subscription)
        paid_at = at if is_paid_now else subscription.trial_ends_at
        if paid_at and next_day and local_date(paid_at, tz) < next_day:
            unit.now = max(paid_at, unit.now)
            return [BilledLine(subscription, "subscription_starting", paid_at)]
    return await _next_period(unit, [subscription])


async def _continued(
    unit: Unit, events: EventStore, rows: Sequence[Subscription]
) -> list[BilledLine]:
    """Go on to the next billing day, or to the arranged end of a single row before it."""
    _alike(rows, lambda row: row.plan.amount_currency, "subscription_currencies_does_not_match")
    _alike(rows, lambda row: row.entity.id, "subscription_billing_entities_do_not_match")
    first = rows[0]
    if len(rows) == 1:
        if first.status == "pending":
            return await _begun(unit, first, max(first.subscription_at, unit.now))
        tz = times_of(first).tz
        last_day = first.ending_at and local_date(first.ending_at, tz)
        if last_day and first.next_billing_on and last_day <= first.next_billing_on:
            at = max(start_of_day(last_day, tz), unit.now)
            return await _ended(unit, events, first, at)
    return await _next_period(unit, rows)


async def _next_period(unit: Unit, rows: Sequence[Subscription]) -> list[BilledLine]:
    _alike(rows, lambda row: row.next_billing_on, "billing_periods_does_not_match")
    day, tz = rows[0].next_billing_on, times_of(rows[0]).tz
    if day is None:
        raise Invalid.field("base", "billing_periods_does_not_match")
    at = start_of_day(day, tz)
    unit.now = max(unit.now, at)
    if local_date(unit.now, tz) == day:
        at = unit.now
    lines = [BilledLine(row, "subscription_periodic", at) for row in rows]
    changed = await handovers.rotate(unit, lines)
    going_on = [line for line in lines if line.subscription.status == "active"]
    return going_on or changed[0]


async def _ended(
    unit: Unit, events: EventStore, subscription: Subscription, at: datetime
) -> list[BilledLine]:
    """End at an instant what a row has become by then."""
    ending = await _brought_to(unit, events, subscription, at)
    day = local_date(at, times_of(ending).tz)
    unit.now = at
    whole_period = day in schedule.unbilled_days(ending, day)
    await subscription_end.end(unit, ending)
    await _release_notes(unit, ending)
    return [BilledLine(ending, "subscription_terminating", at, whole_period)]


async def _brought_to(
    unit: Unit, events: EventStore, subscription: Subscription, instant: datetime
) -> Subscription:
    """Let happen what comes before an instant, and return the row that is in force then.

    A plan that waits takes over, and the newest period that begins before is billed in time.
    """
    last_day = local_date(instant - MICROSECOND, times_of(subscription).tz)
    present = await takeovers.catch_up(unit, subscription, last_day)
    if present is not subscription:
        assert present.started_at is not None, "it has taken over"
        unit.now = max(present.started_at, unit.now)
        ids = {"former_id": str(subscription.id), "successor_id": str(present.id)}
        await handovers.bill_upgrade(
            unit, events, {**ids, "unbilled_days": [], "whole_period": True}
        )
    await _bill_newest_period(unit, events, present, instant)
    return present


async def _bill_newest_period(
    unit: Unit, events: EventStore, subscription: Subscription, before: datetime
) -> None:
    tz, day = times_of(subscription).tz, subscription.next_billing_on
    if day is None or start_of_day(day, tz) >= before:
        return
    schedule.set_next(
        subscription, max(day - schedule.ONE_DAY, local_date(before - NEWEST_PERIOD, tz))
    )
    days = schedule.unbilled_days(subscription, local_date(before, tz))
    newest = [one for one in days if start_of_day(one, tz) < before][-1]
    unit.now = max(start_of_day(newest, tz), unit.now)
    line = BilledLine(subscription, "subscription_periodic", start_of_day(newest, tz))
    priced = await invoice_build.price_lines(unit, events, [line])
    await invoice_build.create(unit, [line], priced)
    schedule.set_next(subscription, newest)


async def _changed(
    unit: Unit, events: EventStore, subscription: Subscription, plan: Plan
) -> list[BilledLine]:
    """Change the plan now: a dearer one is billed at once, a cheaper one with its period."""
    if plan.id in {subscription.plan_id, subscription.plan.parent_id}:
        raise Invalid.field("base", "new_plan_should_be_different_from_existing_plan")
    if plan.amount_currency != subscription.plan.amount_currency:
        raise Invalid.field("base", "subscription_currencies_does_not_match")
    if subscription.status == "pending":
        await plan_changes.change(unit, subscription, plan, {})
        return await _continued(unit, events, [subscription])
    former = await _brought_to(unit, events, subscription, unit.now)
    present = await plan_changes.change(unit, former, plan, {})
    if present is former:
        return await _next_period(unit, [former])
    # like an end, and unlike the upgrade itself, it keeps the day of the change (example C30)
    await credit_notes.credit_unused(unit, former, upgraded=False)
    await _release_notes(unit, former)
    lines = [BilledLine(former, "subscription_terminating", unit.now)]
    if handovers.opens(present):
        lines.append(BilledLine(present, "subscription_starting", unit.now))
    return lines


async def _release_notes(unit: Unit, subscription: Subscription) -> None:
    """Make the note of unused days usable though its invoice is a draft still."""
    for draft in await invoices.drafts_of_customer(unit, subscription.customer_id):
        for note in await note_store.on_invoice(unit, draft.id, "draft"):
            if note.created_at == unit.now:
                invoice_credits.finalize(unit, draft, note)
    await unit.flush()


async def _made(
    unit: Unit,
    events: EventStore,
    lines: Sequence[BilledLine],
    supposed: preview_coupons.Supposed,
) -> Invoice:
    """Compute the invoice of these lines, lower it by coupons and let it be paid as it would."""
    priced = await invoice_build.price_lines(unit, events, lines)
    contents = await invoice_build.compose(unit, lines, priced)
    invoice = contents.invoice
    await preview_coupons.give(unit, invoice.customer, supposed)
    await invoice_coupons.take_off(unit, [contents])
    await invoice_credits.use_balances(unit, [contents])
    await wallet_payments.pay(unit, [invoice])
    invoice.number = ""  # it will be numbered when it is made
    invoice.status = "finalized"  # whether a grace period makes it wait is not told
    invoice.payment_status = "pending" if invoice.total_amount_cents else "succeeded"
    await unit.flush()
    return invoice


async def _known(unit: Unit, external_id: str | None) -> Customer:
    customer = await customer_service.get(unit, external_id or "")
    return await customers.lock(unit, customer.id)


async def _plan(unit: Unit, code: str | None) -> Plan:
    plan = await catalog.plan_by_code(unit, code or "")
    if plan is None:
        raise NotFound("plan")
    return plan


async def _rows(unit: Unit, customer: Customer, external_ids: Sequence[str]) -> list[Subscription]:
    """Return what is active, or has not started yet, of each external id."""
    found: dict[str, Subscription] = {}
    for row in await subscriptions.living_of_customer(unit, customer.id):
        if row.status == "active" or (row.status == "pending" and not row.previous_subscription_id):
            found[row.external_id] = row
    wanted = list(dict.fromkeys(external_ids))
    if not found.keys() >= set(wanted):
        raise NotFound("subscription")
    return [found[one] for one in wanted]


def _somebody(unit: Unit, who: PreviewCustomerIn, entity: BillingEntity) -> Customer:
    customer_id = new_id()
    address = who.shipping_address
    customer = Customer(
        id=customer_id,
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        billing_entity_id=entity.id,
        external_id=str(customer_id),
        sequential_id=0,
        slug="",
        shipping_address={} if address is None else address.given(),
        **who.given(leave_out=NESTED),
    )
    customer.entity, customer.notes = entity, []
    return customer


def _alike(
    rows: Sequence[Subscription], what: Callable[[Subscription], Hashable], code: str
) -> None:
    if len({what(row) for row in rows}) > 1:
        raise Invalid.field("base", code)
