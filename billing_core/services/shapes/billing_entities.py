"""What billing entities look like."""

from billing_core.services.shapes import catalog as catalog_shapes
from billing_core.store import catalog
from billing_core.store.tables import BillingEntity
from billing_core.store.unit import Unit
from billing_core.wire.billing_entities import BillingEntityFullOut, BillingEntityOut


def out(row: BillingEntity) -> BillingEntityOut:
    """Return the wire model of a list."""
    return BillingEntityOut.of(row, eu_tax_management=False)


async def full(unit: Unit, row: BillingEntity) -> BillingEntityFullOut:
    """Return the wire model with the taxes its customers inherit."""
    taxes = (await catalog.taxes_of(unit, [row.id])).get(row.id, [])
    return BillingEntityFullOut.of(
        row,
        eu_tax_management=False,
        taxes=[catalog_shapes.tax(tax) for tax in taxes],
        selected_invoice_custom_sections=[],
    )
