"""What can be done with add-ons."""

from billing_core.domain.errors import Invalid, NotFound
from billing_core.services import taxes
from billing_core.store import catalog, fixed_charges, invoices
from billing_core.store.tables import AddOn
from billing_core.store.unit import Unit
from billing_core.wire.add_ons import AddOnChange, AddOnIn
from billing_core.wire.pages import Page

OWNER = "add_on"
REQUIRED = ("name", "code", "amount_cents", "amount_currency")
TAX_CODES = frozenset({"tax_codes"})


async def create(unit: Unit, data: AddOnIn) -> AddOn:
    """Create an add-on; its code is unique among live ones."""
    if await catalog.add_on_by_code(unit, data.code):
        raise Invalid.field("code", "value_already_exist")
    row = AddOn(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        **data.given(leave_out=TAX_CODES),
    )
    catalog.add(unit, row)
    await unit.flush()
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, row.id, data.tax_codes)
    return row


async def get(unit: Unit, code: str) -> AddOn:
    """Return a live add-on, or refuse."""
    row = await catalog.add_on_by_code(unit, code)
    if row is None:
        raise NotFound("add_on")
    return row


async def page(unit: Unit, wanted: Page) -> tuple[list[AddOn], int]:
    """List add-ons."""
    return await catalog.add_ons_page(unit, wanted)


async def update(unit: Unit, code: str, data: AddOnChange) -> AddOn:
    """Change an add-on; fees that exist keep the name and price they were made with."""
    row = await get(unit, code)
    changes = data.given(leave_out=TAX_CODES)
    for name in REQUIRED:
        if name in changes and changes[name] is None:
            raise Invalid.field(name, "value_is_mandatory")
    new_code = changes.get("code", row.code)
    if new_code != row.code and await catalog.add_on_by_code(unit, new_code):
        raise Invalid.field("code", "value_already_exist")
    for name, value in changes.items():
        setattr(row, name, value)
    row.updated_at = unit.now
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, row.id, data.tax_codes)
    return row


async def delete(unit: Unit, code: str) -> AddOn:
    """Delete an add-on with the fixed charges that sell it (api-conventions 8)."""
    row = await get(unit, code)
    row.deleted_at = unit.now
    for fixed_charge in await fixed_charges.of_add_on(unit, row.id):
        fixed_charge.deleted_at = unit.now
        await invoices.flag_drafts(unit, plan_id=fixed_charge.plan_id)
    return row
