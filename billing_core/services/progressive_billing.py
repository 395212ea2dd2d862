"""Billing usage at once when its lifetime total reaches a threshold."""

from collections.abc import Sequence

from billing_core.domain.calendar import local_date
from billing_core.domain.issuing import dates_without_grace
from billing_core.domain.thresholds import crossed
from billing_core.services import (
    finalization,
    invoice_build,
    lifetime_usage,
    progressive_credits,
    subscription_news,
    usage_thresholds,
)
from billing_core.services.billing_dates import rules_of
from billing_core.services.charge_fees import charge_fee
from billing_core.services.fee_lines import BilledLine
from billing_core.services.pricing import PricedCharge, total_cents
from billing_core.services.shapes import usage_thresholds as shapes
from billing_core.services.shapes.subscriptions import current_window
from billing_core.services.tax_rules import TaxRules
from billing_core.store import invoices
from billing_core.store import usage_thresholds as store
from billing_core.store.progressive_invoices import KIND
from billing_core.store.tables import AppliedUsageThreshold, Invoice, Subscription, UsageThreshold
from billing_core.store.unit import Unit


async def check(unit: Unit, subscription: Subscription, charges: Sequence[PricedCharge]) -> None:
    """Bill the running period's usage if it has just passed thresholds, and tell of each.

    `charges` are all of the subscription's, priced for its current window. The caller holds the
    customer's lock: what was billed counts as seen, so that checking again finds nothing
    (`docs/rules/subscriptions.md` 8.3).
    """
    thresholds = await usage_thresholds.in_force(unit, subscription)
    if not thresholds:
        return
    since = current_window(subscription, unit.now).start
    used = total_cents(charges)
    seen = await store.seen_cents(unit, subscription.id, since)
    before = await lifetime_usage.before_cents(unit, subscription, since) + seen
    found = crossed(
        [row.amount_cents for row in thresholds if not row.recurring],
        next((row.amount_cents for row in thresholds if row.recurring), None),
        before,
        used - seen,
    )
    passed = [
        row
        for row in thresholds
        if (found.recurring if row.recurring else row.amount_cents in found.fixed)
    ]
    if passed:
        invoice = await _invoice(unit, subscription, charges)
        _apply(unit, invoice, passed, before + used - seen, used)
        await finalization.finalize(unit, invoice)
        await _announce(unit, subscription, thresholds, passed)


async def _invoice(
    unit: Unit, subscription: Subscription, charges: Sequence[PricedCharge]
) -> Invoice:
    """Make an invoice of all usage in arrears since the period began, less what has one (8.4)."""
    at = max(unit.now, subscription.started_at or unit.now)
    line = BilledLine(subscription, KIND, at)
    day = local_date(unit.now, line.times.tz)
    dates = dates_without_grace(rules_of(subscription.customer), day)
    invoice = await invoice_build.new_invoice(unit, subscription, dates, KIND)
    invoices.add(unit, invoice_build.line_row(unit, invoice, line))
    fees = [
        charge_fee(unit, invoice, one)
        for charge in charges
        if not charge.charge.pay_in_advance
        for one in charge.fees
        if not one.is_empty
    ]
    await progressive_credits.deduct(unit, invoice, [line], fees, {subscription.id})
    rules = await TaxRules.load(unit, [subscription])
    invoice_build.total(unit, invoice, fees, [subscription], rules)
    await unit.flush()
    return invoice


def _apply(
    unit: Unit, invoice: Invoice, passed: Sequence[UsageThreshold], lifetime: int, used: int
) -> None:
    for row in passed:
        applied = AppliedUsageThreshold(
            org_id=unit.org_id,
            created_at=unit.now,
            invoice_id=invoice.id,
            usage_threshold_id=row.id,
            lifetime_usage_amount_cents=lifetime,
            current_usage_amount_cents=used,
        )
        applied.usage_threshold = row
        invoice.applied_thresholds.append(applied)


async def _announce(
    unit: Unit,
    subscription: Subscription,
    thresholds: Sequence[UsageThreshold],
    passed: Sequence[UsageThreshold],
) -> None:
    applicable = [one.model_dump() for one in shapes.applicable(thresholds)]
    for shape in shapes.several(passed):
        await subscription_news.announce(
            unit,
            subscription,
            "subscription.usage_threshold_reached",
            usage_threshold=shape.model_dump(),
            applicable_usage_thresholds=applicable,
        )
