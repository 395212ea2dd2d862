"""What a customer looks like."""

from typing import Any

from billing_core.services.shapes import catalog as catalog_shapes
from billing_core.store import catalog
from billing_core.store.tables import Customer
from billing_core.store.unit import Unit
from billing_core.wire.customers import (
    AddressOut,
    BillingConfigurationOut,
    CustomerFullOut,
    CustomerOut,
)


def out(customer: Customer) -> CustomerOut:
    """Return the wire model as it stands inside other objects."""
    return CustomerOut.of(customer, **_parts(customer))


async def full_outs(unit: Unit, rows: list[Customer]) -> list[CustomerFullOut]:
    """Return the wire models of the customer endpoints, with one query for their taxes."""
    assigned = await catalog.taxes_of(unit, [row.id for row in rows])
    return [
        CustomerFullOut.of(
            row,
            taxes=[catalog_shapes.tax(tax) for tax in assigned.get(row.id, [])],
            integration_customers=[],
            applicable_invoice_custom_sections=[],
            **_parts(row),
        )
        for row in rows
    ]


def _parts(customer: Customer) -> dict[str, Any]:
    address = {name: customer.shipping_address.get(name) for name in AddressOut.model_fields}
    return {
        "billing_entity_code": customer.entity.code,
        "billing_configuration": BillingConfigurationOut.of(customer, sync_with_provider=False),
        "shipping_address": AddressOut.model_validate(address),
        "metadata": customer.notes,
    }
