"""What can be done with subscriptions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing_core.domain.calendar import local_date
from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.services import customers as customer_service
from billing_core.services import (
    plan_changes,
    schedule,
    subscription_end,
    subscription_start,
)
from billing_core.store import catalog, customers, subscriptions
from billing_core.store import organizations as organization_store
from billing_core.store.tables import Customer, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.dates import parse_instant
from billing_core.wire.pages import Page
from billing_core.wire.subscriptions import SubscriptionChange, SubscriptionIn

STATUSES = ("pending", "active", "terminated", "canceled", "incomplete")


async def create(unit: Unit, data: SubscriptionIn) -> Subscription:
    """Subscribe a customer to a plan (`docs/rules/subscriptions.md` 2.2).

    An unknown customer is created; repeating a request for the same plan returns what is there, and
    another plan changes it: the answer is the row in force, which a downgrade leaves in place.
    """
    _refuse_unsupported(data)
    if not data.external_customer_id:
        raise Invalid.field("external_customer_id", "value_is_mandatory")
    plan = await catalog.plan_by_code(unit, data.plan_code or "")
    if plan is None:
        raise NotFound("plan")
    subscription_at = _instant("subscription_at", data.subscription_at) or unit.now
    ending_at = _ending(unit, data.ending_at, subscription_at)
    external_id = data.external_customer_id
    customer, _ = await customer_service.find_or_add(unit, external_id, data.billing_entity_code)
    current = await _current(unit, data.external_id, customer)
    if current is not None:
        if current.plan_id == plan.id:
            return current
        given = data.given()
        if "ending_at" in given:
            given["ending_at"] = ending_at
        return await plan_changes.change(unit, current, plan, given)
    customer.currency = customer.currency or plan.amount_currency
    subscription = Subscription(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        customer_id=customer.id,
        plan_id=plan.id,
        external_id=data.external_id,
        name=data.name,
        status="pending",
        billing_time=data.billing_time or "calendar",
        subscription_at=subscription_at,
        ending_at=ending_at,
        on_termination_credit_note="credit" if plan.pay_in_advance else None,
        consolidate_invoice=data.consolidate_invoice is not False,
        purchase_order_number=data.purchase_order_number,
    )
    subscription.customer, subscription.plan = customer, plan
    subscriptions.add(unit, subscription)
    await unit.flush()
    await _start_if_due(unit, subscription)
    return subscription


async def activate_due(unit: Unit) -> None:
    """Start pending subscriptions whose first local day has begun (2.3)."""
    for subscription in await subscriptions.pending_until(
        unit, unit.now + subscription_end.ONE_DAY
    ):
        tz = subscription.customer.applicable_timezone
        if local_date(subscription.subscription_at, tz) <= local_date(unit.now, tz):
            await _activate(unit, subscription, started_at=unit.now, invoiced=True)


async def get(unit: Unit, external_id: str, status: str = "active") -> Subscription:
    """Return the subscription an external id means in a status, or refuse."""
    found = await subscriptions.newest(unit, external_id, status)
    if found is None:
        raise NotFound("subscription")
    return found


async def page(
    unit: Unit, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[Subscription], int]:
    """List subscriptions; without a status only active ones."""
    for code in filters.get("billing_entity_codes[]") or []:
        if await organization_store.entity_by_code(unit, code) is None:
            raise NotFound("billing_entity")
    return await subscriptions.page(unit, filters, wanted)


async def update(
    unit: Unit, external_id: str, data: SubscriptionChange, status: str | None
) -> Subscription:
    """Change a subscription; `status` picks among several rows of one external id (2.4)."""
    _refuse_unsupported(data)
    rows = await subscriptions.living(unit, external_id)
    wanted = status if status in STATUSES else "active"
    row = next((one for one in rows if len(rows) == 1 or one.status == wanted), None)
    if row is None:
        raise NotFound("subscription")
    given = data.given(leave_out=frozenset({"plan_overrides", "usage_thresholds"}))
    if "ending_at" in given:
        row.ending_at = _ending(unit, data.ending_at, row.subscription_at)
    starts_by_date = row.status == "pending" and row.previous_subscription_id is None
    if data.subscription_at is not None and starts_by_date:
        row.subscription_at = _instant("subscription_at", data.subscription_at) or unit.now
    _change_fields(row, data, given)
    row.updated_at = unit.now
    if starts_by_date:
        await _start_if_due(unit, row)
    await subscription_end.announce(unit, row, "subscription.updated")
    return row


def _change_fields(row: Subscription, data: SubscriptionChange, given: Mapping[str, Any]) -> None:
    if data.on_termination_credit_note is not None and not row.plan.pay_in_advance:
        raise Invalid.field("on_termination_credit_note", "invalid_value")
    for name in ("name", "purchase_order_number"):
        if name in given:
            setattr(row, name, given[name])
    for name in ("on_termination_invoice", "on_termination_credit_note", "consolidate_invoice"):
        if given.get(name) is not None:
            setattr(row, name, given[name])


async def terminate(
    unit: Unit, external_id: str, options: Mapping[str, str | None]
) -> Subscription:
    """End a subscription now; `status=pending` in `options` cancels a future one (2.6)."""
    status = "pending" if options.get("status") == "pending" else "active"
    found = await subscriptions.newest(unit, external_id, status)
    if found is None:
        raise NotFound("subscription")
    await customers.lock(unit, found.customer_id)
    (subscription,) = await subscriptions.by_ids(unit, [found.id])
    if subscription.status != status:
        raise NotFound("subscription")
    _apply_termination_options(subscription, options)
    await subscription_end.end(unit, subscription)
    return subscription


def _apply_termination_options(
    subscription: Subscription, options: Mapping[str, str | None]
) -> None:
    problems = Problems()
    note, invoice = (
        options.get("on_termination_credit_note"),
        options.get("on_termination_invoice"),
    )
    if note is not None:
        if note not in {"credit", "refund", "offset", "skip"} or (
            not subscription.plan.pay_in_advance
        ):
            problems.add("on_termination_credit_note", "invalid_value")
        subscription.on_termination_credit_note = note
    if invoice is not None:
        if invoice not in {"generate", "skip"}:
            problems.add("on_termination_invoice", "invalid_value")
        subscription.on_termination_invoice = invoice
    problems.check()


async def _start_if_due(unit: Unit, subscription: Subscription) -> None:
    tz = subscription.customer.applicable_timezone
    first_day = local_date(subscription.subscription_at, tz)
    today = local_date(unit.now, tz)
    if first_day > today:
        return
    started_at = subscription.subscription_at
    if first_day < today:
        ended = await subscriptions.latest_generated_end(
            unit, subscription.customer_id, subscription.external_id
        )
        started_at = max(started_at, ended) if ended else started_at
    await _activate(unit, subscription, started_at, invoiced=first_day == today)


async def _activate(
    unit: Unit, subscription: Subscription, started_at: datetime, *, invoiced: bool
) -> None:
    await subscription_start.activate(unit, subscription, started_at)
    if not invoiced:
        # nothing before today is billed twice: a start in the past is billed from its next day on
        _skip_past_days(unit, subscription)
    plan = subscription.plan
    if invoiced and (plan.pay_in_advance or any(row.pay_in_advance for row in plan.fixed_charges)):
        unit.promise(
            subscription_end.INVOICE_TOPIC,
            {
                "subscription_id": str(subscription.id),
                # a plan in arrears has nothing to pay at its start but what is fixed (2.2)
                "reason": "subscription_starting" if plan.pay_in_advance else "in_advance_charge",
                "at": str(started_at),
                "whole_period": False,
            },
        )
    await subscription_end.announce(unit, subscription, "subscription.started")


def _skip_past_days(unit: Unit, subscription: Subscription) -> None:
    yesterday = local_date(unit.now, subscription.customer.applicable_timezone) - schedule.ONE_DAY
    for day in schedule.unbilled_days(subscription, yesterday):
        schedule.set_next(subscription, day)


async def _current(unit: Unit, external_id: str, customer: Customer) -> Subscription | None:
    """Return the customer's active row, or the one that has not started; not one that waits."""
    rows = await subscriptions.living(unit, external_id)
    for row in rows:
        waits = row.status == "pending" and row.previous_subscription_id is not None
        if row.customer_id == customer.id and not waits:
            return row
    if any(row.status == "active" for row in rows):
        raise Invalid.field("external_id", "value_already_exist")
    return None


def _instant(field: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    value = parse_instant(text)
    if value is None or not 1970 <= value.year <= 9000:  # noqa: PLR2004 - a sane century
        raise Invalid.field(field, "invalid_date")
    return value


def _ending(unit: Unit, text: str | None, subscription_at: datetime) -> datetime | None:
    value = _instant("ending_at", text)
    if value is None:
        return None
    if value.date() <= max(unit.now.date(), subscription_at.date()):
        raise Invalid.field("ending_at", "invalid_date")
    return value


def _refuse_unsupported(data: SubscriptionIn | SubscriptionChange) -> None:
    # what is not billed yet is refused: a bill that silently ignores a rule would be wrong
    problems = Problems()
    for name in ("plan_overrides", "usage_thresholds", "activation_rules"):
        if getattr(data, name, None):
            problems.add(name, "unsupported_value")
    problems.check()


async def meant_by(unit: Unit, given: str) -> str:
    """Return the subscription id a usage source means: its own, or its customer's only one."""
    if await subscriptions.any_newest(unit, given) is not None:
        return given
    rows = await subscriptions.of_customer_external_id(unit, given)
    return rows[0].external_id if len(rows) == 1 else given


async def started_at(unit: Unit, external_id: str) -> datetime | None:
    """Return when the newest subscription of an external id started."""
    found = await subscriptions.any_newest(unit, external_id)
    return found.started_at if found else None
