"""A subscription begins, at once or when its first payment is there, or never."""

from datetime import datetime, timedelta

from billing_core.domain.states import check_invoice_transition, check_subscription_transition
from billing_core.services import (
    fixed_charges,
    invoice_coupons,
    invoice_credits,
    schedule,
    subscription_news,
    trials,
    wallet_payments,
)
from billing_core.store import activation_rules, invoices
from billing_core.store.tables import ActivationRule, Subscription
from billing_core.store.unit import Unit

OPEN_INVOICE_TOPIC = "billing.open"
RULE_STATUS_OF_REASON = {"payment_failed": "failed", "timeout": "expired"}


async def activate(unit: Unit, subscription: Subscription, started_at: datetime) -> None:
    """Make a subscription active and put it on the biller's list.

    Raises `NotAllowed` for one that is neither pending nor waiting for its payment. A row it takes
    over from has ended before.
    """
    check_subscription_transition(subscription.status, "active")  # type: ignore[arg-type]
    is_new = subscription.status == "pending"
    subscription.status = "active"
    subscription.started_at = started_at
    await trials.schedule(unit, subscription)
    subscription.activated_at = unit.now
    subscription.updated_at = unit.now
    schedule.start(subscription)
    if is_new:  # one that was held has its units already
        await fixed_charges.begin(unit, subscription)


async def hold(
    unit: Unit, subscription: Subscription, started_at: datetime, *, whole_period: bool = False
) -> bool:
    """Let a pending subscription wait for its payment where it must; tell whether it does.

    It is billed from `started_at` on, by an invoice that is open until it is paid. A row it takes
    over from stays active until then (`docs/rules/subscriptions.md` 2.5). With `whole_period` it
    begins with a period, as downgrades do.
    """
    rules = (await activation_rules.of(unit, [subscription.id])).get(subscription.id, [])
    if not rules:
        return False
    subscription.started_at = started_at
    await trials.schedule(unit, subscription)
    if not is_paid_at_start(subscription):
        _settle(unit, rules, "not_applicable")
        return False
    check_subscription_transition(subscription.status, "incomplete")  # type: ignore[arg-type]
    for rule in rules:
        if rule.timeout_hours:
            rule.expires_at = unit.now + timedelta(hours=rule.timeout_hours)
    _settle(unit, rules, "pending")
    subscription.status = "incomplete"
    subscription.updated_at = unit.now
    await unit.flush()
    await fixed_charges.begin(unit, subscription)
    unit.promise(
        OPEN_INVOICE_TOPIC,
        {"subscription_id": str(subscription.id), "whole_period": whole_period},
    )
    await subscription_news.announce(unit, subscription, "subscription.incomplete")
    return True


async def satisfy(unit: Unit, subscription: Subscription) -> None:
    """Note that what a subscription waited for has come."""
    rules = (await activation_rules.of(unit, [subscription.id])).get(subscription.id, [])
    _settle(unit, rules, "satisfied")


async def give_up(unit: Unit, subscription: Subscription, reason: str | None) -> None:
    """Cancel a subscription that waits for its payment: nothing is owed, what was used returns.

    `reason` is payment_failed or timeout, None when it ends with its plan or its customer. The row
    it was to follow is billed again, missed days included. The caller holds the customer's lock.
    """
    check_subscription_transition(subscription.status, "canceled")  # type: ignore[arg-type]
    rules = (await activation_rules.of(unit, [subscription.id])).get(subscription.id, [])
    _settle(unit, rules, RULE_STATUS_OF_REASON.get(reason or "", "failed"))
    subscription.status = "canceled"
    subscription.canceled_at = unit.now
    subscription.cancellation_reason = reason
    subscription.updated_at = unit.now
    invoice = await invoices.open_of_subscription(unit, subscription.id)
    if invoice is not None:
        check_invoice_transition(invoice.status, "closed")  # type: ignore[arg-type]
        invoice.status = "closed"
        invoice.payment_status = "failed"
        invoice.updated_at = unit.now
        await invoice_coupons.give_back(unit, invoice)
        await invoice_credits.give_back(unit, invoice)
        await wallet_payments.give_back(unit, invoice)
    await schedule.resume_former(unit, subscription)
    await unit.flush()
    await subscription_news.announce(unit, subscription, "subscription.canceled")


def is_paid_at_start(subscription: Subscription) -> bool:
    """Tell whether a subscription has something to pay when it starts (2.2, 2.5)."""
    plan = subscription.plan
    if any(row.pay_in_advance for row in plan.fixed_charges):
        return True
    return plan.pay_in_advance and not trials.starts_free(subscription)


def _settle(unit: Unit, rules: list[ActivationRule], status: str) -> None:
    for rule in rules:
        rule.status = status
        rule.updated_at = unit.now
