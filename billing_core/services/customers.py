"""What can be done with customers."""

from collections.abc import Mapping
from typing import Any

from billing_core.domain.errors import NotFound
from billing_core.services import (
    billing_dates,
    billing_entities,
    notes,
    subscription_end,
    takeovers,
    taxes,
    wallets,
)
from billing_core.services.shapes import customers as shapes
from billing_core.store import customers, subscriptions
from billing_core.store import organizations as organization_store
from billing_core.store.tables import BillingEntity, Customer, CustomerMetadata
from billing_core.store.unit import Unit
from billing_core.wire.customers import CustomerIn, MetadataIn
from billing_core.wire.pages import Page

OWNER = "customer"
NESTED = frozenset(
    {
        "billing_entity_code",
        "shipping_address",
        "billing_configuration",
        "metadata",
        "tax_codes",
        "integration_customers",
        "account_type",
        "finalize_zero_amount_invoice",
        "skip_invoice_custom_sections",
    }
)


async def upsert(unit: Unit, data: CustomerIn) -> Customer:
    """Create or update by external id, and promise the webhook in the same transaction."""
    customer, created = await find_or_add(unit, data.external_id, data.billing_entity_code)
    before = billing_dates.rules_of(customer)
    zone_before = customer.applicable_timezone
    if data.billing_entity_code is not None:
        customer.entity = await _entity(unit, data.billing_entity_code)
    for name, value in data.given(leave_out=NESTED).items():
        setattr(customer, name, value)
    _apply_nested(customer, data)
    if data.metadata is not None:
        _replace_metadata(unit, customer, data.metadata)
    customer.updated_at = unit.now
    await unit.flush()
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, customer.id, data.tax_codes)
    if not created:
        await billing_dates.settings_changed(unit, customer, before)
        if customer.applicable_timezone != zone_before:
            await billing_dates.zone_changed(unit, customer)
    topic = "customer.created" if created else "customer.updated"
    unit.emit(topic, "customer", shapes.out(customer).model_dump())
    return customer


async def find_or_add(
    unit: Unit, external_id: str, entity_code: str | None = None
) -> tuple[Customer, bool]:
    """Return the locked customer with an external id, and whether it was added just now."""
    known = await customers.by_external_id(unit, external_id)
    if known is not None:
        return await customers.lock(unit, known.id), False
    entity = await _entity(unit, entity_code)
    organization = await organization_store.lock_organization(unit)
    # two first requests at once: the second one waited for the lock and finds the first one's row
    known = await customers.by_external_id(unit, external_id)
    if known is not None:
        return await customers.lock(unit, known.id), False
    organization.customer_sequence += 1
    number = organization.customer_sequence
    customer = Customer(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        external_id=external_id,
        billing_entity_id=entity.id,
        sequential_id=number,
        slug=f"{entity.document_number_prefix}-{number:03d}",
    )
    customer.entity, customer.notes = entity, []
    customers.add(unit, customer)
    await unit.flush()
    return customer, True


async def get(unit: Unit, external_id: str) -> Customer:
    """Return one customer, or refuse."""
    customer = await customers.by_external_id(unit, external_id)
    if customer is None:
        raise NotFound("customer")
    return customer


async def page(unit: Unit, filters: Mapping[str, Any], wanted: Page) -> tuple[list[Customer], int]:
    """List customers; an unknown billing entity code is a 404."""
    await billing_entities.check_codes(unit, filters.get("billing_entity_codes[]"))
    return await customers.page(unit, filters, wanted)


async def delete(unit: Unit, external_id: str) -> Customer:
    """Delete a customer: its subscriptions end first, documents stay."""
    customer = await customers.lock(unit, (await get(unit, external_id)).id)
    for subscription in await subscriptions.living_of_customer(unit, customer.id):
        await subscription_end.end(unit, await takeovers.in_force(unit, subscription))
    await wallets.terminate_all(unit, customer)
    customer.deleted_at = unit.now
    return customer


def _apply_nested(customer: Customer, data: CustomerIn) -> None:
    if data.account_type is not None:
        customer.account_type = data.account_type
    if data.skip_invoice_custom_sections is not None:
        customer.skip_invoice_custom_sections = data.skip_invoice_custom_sections
    if "finalize_zero_amount_invoice" in data.model_fields_set:
        customer.finalize_zero_amount_invoice = data.finalize_zero_amount_invoice or "inherit"
    if data.shipping_address is not None:
        customer.shipping_address = {**customer.shipping_address, **data.shipping_address.given()}
    if data.billing_configuration is not None:
        synced = frozenset({"sync", "sync_with_provider"})
        for name, value in data.billing_configuration.given(leave_out=synced).items():
            setattr(customer, name, value)


def _replace_metadata(unit: Unit, customer: Customer, wanted: list[MetadataIn]) -> None:
    def new(entry: MetadataIn) -> CustomerMetadata:
        return CustomerMetadata(
            org_id=unit.org_id,
            created_at=unit.now,
            customer_id=customer.id,
            key=entry.key,
            value=entry.value,
        )

    pairs = notes.replaced(customer.notes, wanted, new)
    for note, entry in pairs:
        note.display_in_invoice = bool(entry.display_in_invoice)
    customer.notes = [note for note, _ in pairs]


async def _entity(unit: Unit, code: str | None) -> BillingEntity:
    if code is None:
        return await organization_store.default_entity(unit)
    return await billing_entities.get(unit, code)
