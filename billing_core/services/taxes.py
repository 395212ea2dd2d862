"""What can be done with taxes, and which of them apply to what."""

from collections.abc import Sequence
from uuid import UUID

from billing_core.domain.errors import Invalid, NotFound
from billing_core.store import catalog, invoices
from billing_core.store import organizations as organization_store
from billing_core.store.tables import Tax
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.taxes import TaxChange, TaxIn

ENTITY = "billing_entity"


async def create(unit: Unit, data: TaxIn) -> Tax:
    """Create a tax; with `applied_to_organization` it joins the default entity's taxes."""
    if await catalog.tax_by_code(unit, data.code):
        raise Invalid.field("code", "value_already_exist")
    tax = Tax(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        name=data.name,
        code=data.code,
        rate=data.rate,
        description=data.description,
        applied_to_organization=bool(data.applied_to_organization),
    )
    catalog.add(unit, tax)
    await unit.flush()
    await _sync_organization(unit, tax)
    await invoices.flag_drafts(unit)
    return tax


async def get(unit: Unit, code: str) -> Tax:
    """Return a live tax, or refuse."""
    tax = await catalog.tax_by_code(unit, code)
    if tax is None:
        raise NotFound("tax")
    return tax


async def page(unit: Unit, wanted: Page) -> tuple[list[Tax], int]:
    """List taxes by name."""
    return await catalog.taxes_page(unit, wanted)


async def update(unit: Unit, code: str, data: TaxChange) -> Tax:
    """Change a tax. Finalized documents keep their snapshot; drafts are recomputed (1.5.2)."""
    tax = await get(unit, code)
    changes = {name: value for name, value in data.given().items() if value is not None}
    if "description" in data.model_fields_set:
        changes["description"] = data.description
    new_code = changes.get("code", tax.code)
    if new_code != tax.code and await catalog.tax_by_code(unit, str(new_code)):
        raise Invalid.field("code", "value_already_exist")
    for name, value in changes.items():
        setattr(tax, name, value)
    tax.updated_at = unit.now
    await _sync_organization(unit, tax)
    await invoices.flag_drafts(unit)
    return tax


async def delete(unit: Unit, code: str) -> Tax:
    """Delete a tax and take it off everything it was applied to."""
    tax = await get(unit, code)
    tax.deleted_at = unit.now
    await catalog.unassign_tax(unit, tax.id)
    await invoices.flag_drafts(unit)
    return tax


async def assign(unit: Unit, owner_type: str, owner_id: UUID, codes: Sequence[str]) -> list[Tax]:
    """Replace an owner's taxes; an unknown code is a 404 `tax_not_found`."""
    wanted = list(dict.fromkeys(codes))
    taxes = await catalog.taxes_by_codes(unit, wanted)
    if len(taxes) != len(wanted):
        raise NotFound("tax")
    await catalog.assign_taxes(unit, owner_type, owner_id, taxes)
    return taxes


async def _sync_organization(unit: Unit, tax: Tax) -> None:
    entity = await organization_store.default_entity(unit)
    current = (await catalog.taxes_of(unit, [entity.id])).get(entity.id, [])
    others = [known for known in current if known.id != tax.id]
    wanted = [*others, tax] if tax.applied_to_organization else others
    if len(wanted) != len(current):
        await catalog.assign_taxes(unit, ENTITY, entity.id, wanted)
