"""What can be done with subscriptions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing_core.domain.calendar import local_date
from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.domain.states import check_subscription_update
from billing_core.services import (
    activation_rules,
    billing_entities,
    invoicing_terms,
    plan_changes,
    plan_overrides,
    schedule,
    subscription_activity,
    subscription_end,
    subscription_news,
    subscription_start,
    takeovers,
    trials,
    usage_thresholds,
)
from billing_core.services import customers as customer_service
from billing_core.store import catalog, customers, subscriptions
from billing_core.store.tables import Customer, Plan, Subscription
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
    _refuse_two_lists(data)
    if not data.external_customer_id:
        raise Invalid.field("external_customer_id", "value_is_mandatory")
    plan = await catalog.plan_by_code(unit, data.plan_code or "")
    if plan is None:
        raise NotFound("plan")
    subscription_at = _instant("subscription_at", data.subscription_at) or unit.now
    ending_at = _ending(unit, data.ending_at, subscription_at)
    terms = await invoicing_terms.sent(unit, data)
    external_id = data.external_customer_id
    customer, _ = await customer_service.find_or_add(unit, external_id, data.billing_entity_code)
    await _refuse_while_waiting(unit, data.external_id, customer)
    current = await _current(unit, data.external_id, customer)
    if current is not None:
        given = data.given() | terms
        if "ending_at" in given:
            given["ending_at"] = ending_at
        return await _ask_again(unit, current, plan, data, given)
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
    schedule.plan_alert(subscription, unit.now)
    subscription.customer, subscription.plan = customer, plan
    for name, value in terms.items():
        setattr(subscription, name, value)
    subscriptions.add(unit, subscription)
    await unit.flush()
    if data.plan_overrides is not None:
        await plan_overrides.override(unit, subscription, data.plan_overrides)
    customer.currency = customer.currency or subscription.plan.amount_currency
    await _give_thresholds(unit, subscription, data)
    if data.activation_rules is not None and not _starts_before_today(unit, subscription):
        await activation_rules.save(unit, subscription, data.activation_rules)
    await _start_if_due(unit, subscription)
    return subscription


async def _ask_again(
    unit: Unit, current: Subscription, plan: Plan, data: SubscriptionIn, given: dict[str, Any]
) -> Subscription:
    """Return the row that is there if its plan is asked for again, else change the plan."""
    current = await takeovers.in_force(unit, current)
    await _refuse_awaiting(unit, current.external_id, current)
    if plan.id in {current.plan_id, current.plan.parent_id}:  # also on an override of it (14.11)
        await _give_thresholds(unit, current, data)
        return current
    if await plan_changes.waits_for(unit, current, plan):
        return current
    wanted = await plan_overrides.overridden(unit, plan, data.plan_overrides)
    row = await plan_changes.change(unit, current, wanted, given)
    waiting = await subscriptions.pending_successors(unit, [row.id])
    await _give_thresholds(unit, waiting.get(row.id, row), data)
    return row


async def activate_due(unit: Unit) -> None:
    """Start pending subscriptions whose first local day has begun (2.3).

    Promised twice it may run twice at the same time: whoever comes second waits for the customers'
    locks and finds the rest.
    """
    until = unit.now + subscription_end.ONE_DAY
    found = await subscriptions.pending_until(unit, until)
    for customer_id in sorted({one.customer_id for one in found}):
        await customers.lock(unit, customer_id)
    for subscription in await subscriptions.pending_until(unit, until) if found else []:
        tz = subscription.customer.applicable_timezone
        if local_date(subscription.subscription_at, tz) <= local_date(unit.now, tz):
            await _activate(unit, subscription, started_at=unit.now, invoiced=True)


async def get(unit: Unit, external_id: str, status: str = "active") -> Subscription:
    """Return the subscription an external id means in a status, or refuse."""
    found = await subscriptions.newest(unit, external_id, status)
    if found is None:
        raise NotFound("subscription")
    return found


async def to_change(unit: Unit, external_id: str, status: str) -> Subscription:
    """Return a subscription in a status with its customer locked, or refuse."""
    return await _locked(unit, await get(unit, external_id, status))


async def page(
    unit: Unit, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[Subscription], int]:
    """List subscriptions; without a status only active ones."""
    await billing_entities.check_codes(unit, filters.get("billing_entity_codes[]"))
    return await subscriptions.page(unit, filters, wanted)


async def update(
    unit: Unit, external_id: str, data: SubscriptionChange, status: str | None
) -> Subscription:
    """Change a subscription; `status` picks among several rows of one external id (2.4)."""
    _refuse_two_lists(data)
    rows = await subscriptions.living(unit, external_id)
    wanted = status if status in STATUSES else "active"
    row = next((one for one in rows if len(rows) == 1 or one.status == wanted), None)
    if row is None:
        raise NotFound("subscription")
    row = await _locked(unit, row)
    given = data.given(leave_out=frozenset({"plan_overrides", "usage_thresholds"}))
    for name, value in (await invoicing_terms.sent(unit, data)).items():
        setattr(row, name, value)
    if "ending_at" in given:
        row.ending_at = _ending(unit, data.ending_at, row.subscription_at)
        schedule.plan_alert(row, unit.now)
    starts_by_date = row.status == "pending" and row.previous_subscription_id is None
    if data.subscription_at is not None and starts_by_date:
        row.subscription_at = _instant("subscription_at", data.subscription_at) or unit.now
    _change_fields(row, data, given)
    if data.plan_overrides is not None:
        await plan_overrides.override(unit, row, data.plan_overrides)
    await _give_thresholds(unit, row, data)
    row.updated_at = unit.now
    await _change_rules(unit, row, data)
    if starts_by_date and not await _waits_for_the_clock(unit, row):
        await _start_if_due(unit, row)
    await subscription_news.announce(unit, row, "subscription.updated")
    return row


async def _locked(unit: Unit, found: Subscription) -> Subscription:
    """Return a subscription as of its customer's lock; refuses one that meanwhile is another."""
    status = found.status
    await customers.lock(unit, found.customer_id)
    (row,) = await subscriptions.by_ids(unit, [found.id])
    if row.status != status:
        raise NotFound("subscription")
    check_subscription_update(row.status)  # type: ignore[arg-type]
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


async def _change_rules(unit: Unit, row: Subscription, data: SubscriptionChange) -> None:
    if data.activation_rules is None:
        return
    if row.status != "pending":
        raise Invalid.field("subscription", "subscription_not_pending")
    await activation_rules.save(unit, row, data.activation_rules)


async def _waits_for_the_clock(unit: Unit, row: Subscription) -> bool:
    """Tell whether a start that was moved to today is left to the activation job (2.3)."""
    if _starts_before_today(unit, row):
        await activation_rules.save(unit, row, [])
        return False
    return await activation_rules.has_any(unit, row)


async def terminate(
    unit: Unit, external_id: str, options: Mapping[str, str | None]
) -> Subscription:
    """End a subscription now; `status=pending` in `options` cancels a future one (2.6)."""
    status = "pending" if options.get("status") == "pending" else "active"
    found = await subscriptions.newest(unit, external_id, status)
    await _refuse_awaiting(unit, external_id, found)
    if found is None:
        raise NotFound("subscription")
    await customers.lock(unit, found.customer_id)
    (subscription,) = await subscriptions.by_ids(unit, [found.id])
    if subscription.status != status:
        raise NotFound("subscription")
    subscription = await takeovers.in_force(unit, subscription)
    await _refuse_awaiting(unit, external_id, subscription)
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


async def _refuse_awaiting(unit: Unit, external_id: str, found: Subscription | None) -> None:
    """Refuse to end what waits for its payment, and what it is to follow (2.6)."""
    incomplete = await subscriptions.newest(unit, external_id, "incomplete")
    if incomplete is None:
        return
    if found is None:
        raise Invalid.field("subscription", "subscription_incomplete")
    if incomplete.previous_subscription_id == found.id:
        raise Invalid.field("subscription", "next_subscription_incomplete")


def _starts_before_today(unit: Unit, subscription: Subscription) -> bool:
    tz = subscription.customer.applicable_timezone
    return local_date(subscription.subscription_at, tz) < local_date(unit.now, tz)


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
    if invoiced and await subscription_start.hold(unit, subscription, started_at):
        return
    await subscription_start.activate(unit, subscription, started_at)
    if not invoiced:
        # nothing before today is billed twice: a start in the past is billed from its next day on
        _skip_past_days(unit, subscription)
    pays_fee = subscription.plan.pay_in_advance and not trials.starts_free(subscription)
    if invoiced and subscription_start.is_paid_at_start(subscription):
        unit.promise(
            subscription_end.INVOICE_TOPIC,
            {
                "subscription_id": str(subscription.id),
                # in arrears, as in a trial, there is only what is fixed to pay at a start (2.2)
                "reason": "subscription_starting" if pays_fee else "in_advance_charge",
                "at": str(started_at),
                "whole_period": False,
            },
        )
    await subscription_news.announce(unit, subscription, "subscription.started")


def _skip_past_days(unit: Unit, subscription: Subscription) -> None:
    yesterday = local_date(unit.now, subscription.customer.applicable_timezone) - schedule.ONE_DAY
    for day in schedule.unbilled_days(subscription, yesterday):
        schedule.set_next(subscription, day)


async def _refuse_while_waiting(unit: Unit, external_id: str, customer: Customer) -> None:
    incomplete = await subscriptions.newest(unit, external_id, "incomplete")
    if incomplete is not None and incomplete.customer_id == customer.id:
        raise Invalid.field("subscription", "subscription_incomplete")


async def _current(unit: Unit, external_id: str, customer: Customer) -> Subscription | None:
    """Return the customer's active row, or the one that has not started; not one that waits."""
    rows = await subscriptions.living(unit, external_id)
    for row in rows:
        waits = row.status != "active" and row.previous_subscription_id is not None
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


def _refuse_two_lists(data: SubscriptionIn | SubscriptionChange) -> None:
    if data.plan_overrides is not None:
        usage_thresholds.refuse_both(data.usage_thresholds, data.plan_overrides.usage_thresholds)


async def _give_thresholds(
    unit: Unit, row: Subscription, data: SubscriptionIn | SubscriptionChange
) -> None:
    if data.progressive_billing_disabled is None and data.usage_thresholds is None:
        return
    if data.progressive_billing_disabled is not None:
        row.progressive_billing_disabled = data.progressive_billing_disabled
    if data.usage_thresholds is not None:
        await usage_thresholds.replace(unit, row, data.usage_thresholds)
    await unit.flush()
    await subscription_activity.note(unit, [row.external_id])


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
