"""What can be done with billing entities: who issues invoices, and what customers inherit."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from billing_core.domain.errors import Invalid, NotFound
from billing_core.domain.numbering import default_prefix
from billing_core.ids import new_id
from billing_core.services import billing_dates, taxes
from billing_core.store import billing_entities, catalog, invoices, organizations
from billing_core.store.tables import BillingEntity
from billing_core.store.unit import Unit
from billing_core.wire.billing_entities import (
    BillingEntityChange,
    BillingEntityIn,
    BillingEntitySettings,
)

OWNER = "billing_entity"
NESTED = frozenset(
    {
        "billing_configuration",
        "code",
        "eu_tax_management",
        "invoice_custom_section_codes",
        "logo",
        "tax_codes",
    }
)
# null clears these; any other setting has a value always, and null leaves it
MAY_BE_EMPTY = frozenset(
    {
        "address_line1",
        "address_line2",
        "city",
        "country",
        "email",
        "invoice_footer",
        "legal_name",
        "legal_number",
        "logo_url",
        "state",
        "tax_identification_number",
        "zipcode",
    }
)


async def page(unit: Unit) -> list[BillingEntity]:
    """List all billing entities, oldest first."""
    return await organizations.entities(unit)


async def get(unit: Unit, code: str) -> BillingEntity:
    """Return a billing entity, or refuse."""
    entity = await organizations.entity_by_code(unit, code)
    if entity is None:
        raise NotFound("billing_entity")
    return entity


async def check_codes(unit: Unit, codes: Iterable[str] | None) -> None:
    """Refuse a list filter that names an unknown billing entity (api-conventions 4)."""
    for code in codes or ():
        await get(unit, code)


async def create(unit: Unit, data: BillingEntityIn) -> BillingEntity:
    """Create a billing entity; the organization's first one stays the default.

    Raises `Invalid` for a code that is taken. Without a prefix for its documents it gets one of its
    name and id, and without a currency that of the default entity.
    """
    if await organizations.entity_by_code(unit, data.code) is not None:
        raise Invalid.field("code", "value_already_exist")
    default = await organizations.default_entity(unit)
    entity_id = new_id()
    entity = BillingEntity(
        id=entity_id,
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        code=data.code,
        name=data.name,
        is_default=False,
        default_currency=default.default_currency,
        document_number_prefix=default_prefix(data.name, entity_id),
    )
    _write(entity, _settings(data))
    billing_entities.add(unit, entity)
    await unit.flush()
    return entity


async def update(unit: Unit, code: str, data: BillingEntityChange) -> BillingEntity:
    """Change a billing entity; an unknown tax or section is a 404."""
    entity = await get(unit, code)
    if data.invoice_custom_section_codes:
        raise NotFound("invoice_custom_section")  # there are none yet
    await change(unit, entity, _settings(data))
    if data.tax_codes is not None:
        await _replace_taxes(unit, entity, data.tax_codes)
    return entity


async def change(unit: Unit, entity: BillingEntity, settings: Mapping[str, Any]) -> None:
    """Change settings, by column; what follows them for its customers follows at once.

    Drafts of customers without settings of their own get new dates (those now due become final at
    the next run, `docs/rules/subscriptions.md` 7.3); billing days move with the zone; a counter of
    its own goes on where the numbers per customer are (`docs/rules/money.md` 1.2.4).
    """
    await billing_entities.lock(unit, entity.id)
    dated: list[billing_dates.DatedDraft] = []
    if billing_dates.SETTINGS & settings.keys():
        found = await billing_entities.drafts(unit, entity.id)
        dated = [billing_dates.DatedDraft.of(draft, periodic) for draft, periodic in found]
    zone, numbering = entity.timezone, entity.document_numbering
    _write(entity, settings)
    entity.updated_at = unit.now
    for draft in dated:
        draft.follow()
    if entity.timezone != zone:
        for subscription in await billing_entities.in_its_zone(unit, entity.id):
            await billing_dates.move_zone(unit, subscription)
    if entity.document_numbering != numbering == "per_customer":
        await _continue_numbers(unit, entity.id)


async def _continue_numbers(unit: Unit, entity_id: UUID) -> None:
    count, newest = await billing_entities.numbered(unit, entity_id)
    if newest is not None and count >= await invoices.last_entity_sequence(unit, entity_id) + 1:
        newest.entity_sequential_id = count


async def _replace_taxes(unit: Unit, entity: BillingEntity, codes: list[str]) -> None:
    before = (await catalog.taxes_of(unit, [entity.id])).get(entity.id, [])
    after = await taxes.assign(unit, OWNER, entity.id, codes)
    if entity.is_default:
        wanted = {tax.id for tax in after}
        for tax in (*before, *after):
            tax.applied_to_organization = tax.id in wanted
    await invoices.flag_drafts(unit)


def _settings(data: BillingEntitySettings) -> dict[str, Any]:
    if data.eu_tax_management:
        # a bill that silently ignores a rule would be wrong
        raise Invalid.field("eu_tax_management", "unsupported_value")
    settings = data.given(leave_out=NESTED)
    if data.billing_configuration is not None:
        settings |= data.billing_configuration.given()
    if "logo" in data.model_fields_set:
        settings["logo_url"] = data.logo
    return settings


def _write(entity: BillingEntity, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if value is not None or name in MAY_BE_EMPTY:
            setattr(entity, name, value)
    entity.document_number_prefix = entity.document_number_prefix.upper()
