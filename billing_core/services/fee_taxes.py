"""The taxes of fees: which they carry, and what is written down of them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from billing_core.domain.invoice import FeeLine, FeeTaxes, TaxRate, assemble
from billing_core.services.tax_rules import TaxRules
from billing_core.store.tables import Fee, FeeAppliedTax, Subscription
from billing_core.store.unit import Unit


def tax_lines(
    rules: TaxRules, fees: Sequence[Fee], subscriptions: Iterable[Subscription]
) -> list[FeeLine]:
    """Return the fees, all of these subscriptions, as invoice totals take them."""
    by_id = {subscription.id: subscription for subscription in subscriptions}
    lines = []
    for fee in fees:
        assert fee.subscription_id is not None, "only fees of subscriptions come here"
        subscription = by_id[fee.subscription_id]
        lines.append(
            FeeLine(
                key=fee.id,
                amount_cents=fee.amount_cents,
                precise_amount_cents=fee.precise_amount_cents,
                precise_coupons_amount_cents=fee.precise_coupons_amount_cents,
                taxes=rules.for_fee(
                    subscription.customer,
                    subscription.plan_id,
                    _part_of_plan(fee, subscription),
                ),
            )
        )
    return lines


def _part_of_plan(fee: Fee, subscription: Subscription) -> UUID | None:
    """Return what a fee is for that may have taxes of its own, None for the plan itself."""
    agreed = subscription.plan.minimum_commitment
    if fee.fee_type == "commitment" and agreed is not None:
        return agreed.id
    return fee.charge_id or fee.fixed_charge_id


def taxed_line(fee: Fee) -> FeeLine:
    """Return a fee as invoice totals take it, with the taxes that were written down for it."""
    return FeeLine(
        key=fee.id,
        amount_cents=fee.amount_cents,
        precise_amount_cents=fee.precise_amount_cents,
        precise_coupons_amount_cents=fee.precise_coupons_amount_cents,
        taxes=tuple(
            TaxRate(tax.tax_id or tax.id, tax.tax_code, tax.tax_name, tax.tax_rate)
            for tax in fee.applied_taxes
        ),
    )


def write_taxes(unit: Unit, fee: Fee, taxes: FeeTaxes) -> None:
    """Write the taxes of a fee down as they stand now."""
    fee.taxes_amount_cents = taxes.taxes_amount_cents
    fee.taxes_precise_amount_cents = taxes.taxes_precise_amount_cents
    fee.taxes_rate = taxes.taxes_rate
    fee.applied_taxes = [
        FeeAppliedTax(
            org_id=unit.org_id,
            created_at=unit.now,
            fee_id=fee.id,
            tax_id=tax.id,
            tax_name=tax.name,
            tax_code=tax.code,
            tax_rate=tax.rate,
            tax_description=tax.description,
            amount_cents=amount,
            amount_currency=fee.amount_currency,
        )
        for tax, amount in taxes.applied
    ]


async def tax_alone(unit: Unit, subscription: Subscription, fees: Sequence[Fee]) -> None:
    """Tax fees of a subscription that stand on no invoice, each by itself."""
    rules = await TaxRules.load(unit, [subscription])
    totals = assemble(tax_lines(rules, fees, [subscription]))
    for fee, taxes in zip(fees, totals.fee_taxes, strict=True):
        fee.customer = subscription.customer
        write_taxes(unit, fee, taxes)
