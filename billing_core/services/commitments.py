"""Minimum commitments: of plans, and the fee that makes up for a period that fell short of one."""

from collections.abc import Sequence
from decimal import Decimal

from billing_core.domain.calendar import Window
from billing_core.domain.commitments import Missing, Reconciled, reconciled
from billing_core.domain.errors import Invalid
from billing_core.domain.money import major_from_minor, subunit
from billing_core.services import taxes
from billing_core.services.fee_lines import BilledLine
from billing_core.services.shapes.fees import item
from billing_core.store import billed, catalog, subscriptions
from billing_core.store.tables import Commitment, Fee, Invoice, Plan
from billing_core.store.unit import Unit
from billing_core.wire.commitments import MinimumCommitmentIn
from billing_core.wire.dates import instant_text

OWNER = "commitment"
REACHING = frozenset({"subscription", "charge", "fixed_charge"})  # what counts towards it


async def assign(unit: Unit, plan: Plan, data: MinimumCommitmentIn) -> None:
    """Give a plan its one minimum commitment, change it or, with nothing given, take it away.

    A new one needs an amount: `Invalid` without; an unknown tax code is a 404. The caller refreshes
    the plan's `minimum_commitment` (`docs/rules/subscriptions.md` 1.1).
    """
    row, given = plan.minimum_commitment, data.given()
    if not given:
        await _take_away(unit, row)
        return
    if row is None:
        if data.amount_cents is None:
            raise Invalid.field("minimum_commitment.amount_cents", "value_is_mandatory")
        row = Commitment(
            org_id=unit.org_id,
            created_at=unit.now,
            updated_at=unit.now,
            plan_id=plan.id,
            amount_cents=data.amount_cents,
        )
        catalog.add(unit, row)
        await unit.flush()
    if data.amount_cents is not None:
        row.amount_cents = data.amount_cents
    if "invoice_display_name" in given:
        row.invoice_display_name = data.invoice_display_name
    row.updated_at = unit.now
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, row.id, data.tax_codes)
    await unit.flush()


async def _take_away(unit: Unit, row: Commitment | None) -> None:
    if row is None:
        return
    await taxes.assign(unit, OWNER, row.id, [])
    await catalog.drop_commitment(unit, row)


async def commitment_fee(
    unit: Unit, invoice: Invoice, line: BilledLine, fees: Sequence[Fee]
) -> Fee | None:
    """Return the fee for what the line's period is short of the commitment, None if nothing.

    `fees` are those of the invoice so far, of any subscription. What is paid in advance is compared
    when it is over, and only where a fee was paid for it (`docs/rules/subscriptions.md` 6).
    """
    subscription, agreed = line.subscription, line.subscription.plan.minimum_commitment
    if agreed is None:
        return None
    is_upgraded = line.may_be_upgraded and bool(
        await subscriptions.successors(unit, [subscription.id])
    )
    period = reconciled(line.times, line.at, line.kind, upgraded=is_upgraded)
    if period is None:
        return None
    reached = await _reached(unit, invoice, line, period, fees)
    if reached is None:
        return None
    missing = Missing(agreed.amount_cents, reached, period.days, period.period_days)
    if not missing.amount_cents:
        return None
    return _fee(unit, invoice, line, agreed, period.window, missing)


async def _reached(
    unit: Unit, invoice: Invoice, line: BilledLine, period: Reconciled, fees: Sequence[Fee]
) -> int | None:
    """Return what a period brought in, None where it was to be paid in advance and was not."""
    earlier = [
        (kind, cents)
        for kind, window, cents in await billed.sums(
            unit, line.subscription.id, REACHING, invoice.id
        )
        if period.holds(window)
    ]
    in_advance = line.subscription.plan.pay_in_advance
    if in_advance and not any(kind == "subscription" for kind, _ in earlier):
        return None
    # the invoice may also bill the period that begins
    now = sum(
        fee.amount_cents
        for fee in fees
        if fee.subscription_id == line.subscription.id
        and fee.from_datetime is not None
        and fee.from_datetime < period.window.end
    )
    return now + sum(cents for _, cents in earlier)


def _fee(  # noqa: PLR0913, PLR0917 - what is missing, of what, when, and where it is billed
    unit: Unit,
    invoice: Invoice,
    line: BilledLine,
    agreed: Commitment,
    window: Window,
    missing: Missing,
) -> Fee:
    subscription, plan = line.subscription, line.subscription.plan
    amount, currency = missing.amount_cents, plan.amount_currency
    days = {"units": "1.0", "days": missing.days, "period_days": missing.period_days}
    return Fee(
        org_id=unit.org_id,
        created_at=invoice.created_at,
        updated_at=unit.now,
        invoice_id=invoice.id,
        customer_id=subscription.customer_id,
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        fee_type="commitment",
        amount_cents=amount,
        precise_amount_cents=Decimal(amount),
        amount_currency=currency,
        units=Decimal(1),
        total_aggregated_units=Decimal(1),
        precise_unit_amount=major_from_minor(amount, currency),
        unit_amount_cents=amount,
        from_datetime=window.start,
        to_datetime=window.end,
        item=item(
            "commitment",
            plan.code,
            plan.name,
            agreed.invoice_display_name or "Minimum commitment - True-up",
            subscription.id,
        ),
        explanation={
            "currency": currency,
            "from_datetime": instant_text(window.start),
            "to_datetime": instant_text(window.last),
            "proration": [days],
            "steps": missing.steps(subunit(currency)),
        },
    )
