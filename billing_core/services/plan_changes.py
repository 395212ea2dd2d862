"""Changing the plan of a subscription: at once to a dearer one, at the period's end to a cheaper.

Every function here wants the customer's lock held, so that one change follows the other.
"""

from typing import Any

from billing_core.domain.plan_changes import yearly_amount_cents
from billing_core.services import (
    activation_rules,
    schedule,
    subscription_end,
    subscription_news,
    takeovers,
)
from billing_core.store import customers, subscriptions
from billing_core.store.tables import Plan, Subscription
from billing_core.store.unit import Unit


async def change(
    unit: Unit, current: Subscription, plan: Plan, given: dict[str, Any]
) -> Subscription:
    """Move a subscription to another plan, and return the row that is in force now.

    `given` is what the caller sent of activation_rules, name, ending_at (an instant),
    consolidate_invoice, purchase_order_number, own_entity and payment_method_type. A row that has
    not started yet changes in place. A plan that costs as much or more in a year takes over at
    once; a cheaper one waits for the end of the period, and what waited before is canceled
    (`docs/rules/subscriptions.md` 2.8 and 2.9).
    """
    if current.status == "pending":
        return await _change_in_place(unit, current, plan, given)
    is_upgrade = _yearly(plan) >= _yearly(current.plan)
    await subscription_end.cancel_successor(unit, current)
    successor = _successor(unit, current, plan, given)
    subscriptions.add(unit, successor)
    await unit.flush()
    await activation_rules.save(unit, successor, given.get("activation_rules") or [])
    if is_upgrade:
        await takeovers.upgrade(unit, current, successor)
        return successor
    await subscription_news.announce(unit, current, "subscription.updated")
    return current


async def waits_for(unit: Unit, current: Subscription, plan: Plan) -> bool:
    """Tell whether a subscription is to go on with this plan, or an override of it.

    That was asked for before, and the next plan still is the cheaper one.
    """
    waiting = (await subscriptions.pending_successors(unit, [current.id])).get(current.id)
    if waiting is None or plan.id not in {waiting.plan_id, waiting.plan.parent_id}:
        return False
    return _yearly(waiting.plan) < _yearly(current.plan)


async def price_changed(unit: Unit, plan: Plan) -> None:
    """Look again at the downgrades from or to a plan whose amount changed (1.2).

    One that leaves a plan which became cheaper than the next one is canceled; one to a plan that
    became as dear as the present one takes over at once.
    """
    for former, _ in await subscriptions.scheduled_changes(unit, plan.id):
        await customers.lock(unit, former.customer_id)
    for former, successor in await subscriptions.scheduled_changes(unit, plan.id):
        await takeovers.in_force(unit, former)
        if successor.status != "pending":
            continue  # its day had come
        now_costs, would_cost = _yearly(former.plan), _yearly(successor.plan)
        if former.plan_id == plan.id and now_costs < would_cost:
            await subscription_end.cancel_successor(unit, former)
            await subscription_news.announce(unit, former, "subscription.updated")
        elif successor.plan_id == plan.id and now_costs <= would_cost:
            await takeovers.upgrade(unit, former, successor)


async def _change_in_place(
    unit: Unit, current: Subscription, plan: Plan, given: dict[str, Any]
) -> Subscription:
    current.plan_id, current.plan = plan.id, plan
    current.name = given.get("name")
    current.on_termination_credit_note = _credit_note_rule(plan)
    current.updated_at = unit.now
    await unit.flush()
    if given.get("activation_rules") is not None:
        await activation_rules.save(unit, current, given["activation_rules"])
    await subscription_news.announce(unit, current, "subscription.updated")
    return current


def _successor(
    unit: Unit, current: Subscription, plan: Plan, given: dict[str, Any]
) -> Subscription:
    """Return the row of the next plan: same external id and anchor, so that the grid stays."""
    successor = Subscription(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        customer_id=current.customer_id,
        plan_id=plan.id,
        previous_subscription_id=current.id,
        external_id=current.external_id,
        name=given.get("name"),
        status="pending",
        billing_time=current.billing_time,
        subscription_at=current.subscription_at,
        ending_at=given.get("ending_at", current.ending_at),
        on_termination_credit_note=_credit_note_rule(plan),
        consolidate_invoice=(
            current.consolidate_invoice
            if given.get("consolidate_invoice") is None
            else given["consolidate_invoice"]
        ),
        purchase_order_number=given.get("purchase_order_number", current.purchase_order_number),
    )
    successor.customer, successor.plan = current.customer, plan
    schedule.plan_alert(successor, unit.now)
    successor.own_entity = given.get("own_entity", current.own_entity)
    successor.payment_method_type = given.get("payment_method_type", "provider")
    return successor


def _credit_note_rule(plan: Plan) -> str | None:
    return "credit" if plan.pay_in_advance else None


def _yearly(plan: Plan) -> int:
    return yearly_amount_cents(plan.interval, plan.amount_cents)  # type: ignore[arg-type]  # checked on the way in
