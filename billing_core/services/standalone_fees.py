"""Fees that stand on no invoice: those in advance of charges that are not invoiceable."""

from collections.abc import Sequence

from billing_core.services import fee_taxes
from billing_core.services.charge_fees import charge_fee
from billing_core.services.pricing import PricedCharge
from billing_core.services.shapes import fees as shapes
from billing_core.store import invoices
from billing_core.store.tables import Fee, Subscription
from billing_core.store.unit import Unit


async def keep(unit: Unit, subscription: Subscription, fees: Sequence[Fee]) -> None:
    """Tax new fees of a subscription at once, keep them and tell of them."""
    if not fees:
        return
    await fee_taxes.tax_alone(unit, subscription, fees)
    for fee in fees:
        invoices.add(unit, fee)
    await unit.flush()
    await announce(unit, fees)


async def renew(unit: Unit, subscription: Subscription, charges: Sequence[PricedCharge]) -> None:
    """Charge recurring units for the period that begins, also where there are none.

    Invoiceable charges are left to the invoice; those of a draft can be recomputed, these fees
    stand from now on (`docs/rules/metering.md` 3.16).
    """
    fees = [
        charge_fee(unit, None, one, pay_in_advance=True, invoiceable=False)
        for charge in charges
        if not charge.charge.invoiceable
        for one in charge.fees
    ]
    await keep(unit, subscription, fees)


async def announce(unit: Unit, fees: Sequence[Fee]) -> None:
    """Promise a webhook for each fee (`docs/rules/money.md` 6.2)."""
    for shape in await shapes.several(unit, fees):
        unit.emit("fee.created", "fee", shape.model_dump())
