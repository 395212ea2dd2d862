"""What can be done with fees: found, and while they stand on no invoice, paid and deleted."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from billing_core.domain.errors import NotAllowed, NotFound
from billing_core.store import customers, invoices
from billing_core.store.tables import Fee
from billing_core.store.unit import Unit
from billing_core.wire.fees import FeeChange
from billing_core.wire.pages import Page

PAYMENT_INSTANTS = {"succeeded": "succeeded_at", "failed": "failed_at", "refunded": "refunded_at"}


async def page(unit: Unit, filters: Mapping[str, Any], wanted: Page) -> tuple[list[Fee], int]:
    """List fees, newest first."""
    return await invoices.fees_page(unit, filters, wanted)


async def get(unit: Unit, fee_id: UUID) -> Fee:
    """Return a fee, or refuse."""
    found = await invoices.fee(unit, fee_id)
    if found is None:
        raise NotFound("fee")
    return found


async def update(unit: Unit, fee_id: UUID, data: FeeChange) -> Fee:
    """Set the payment status of a fee that stands on no invoice, and when (metering.md 3.16)."""
    found = await _standalone(unit, fee_id)
    found.payment_status = data.payment_status
    for status, column in PAYMENT_INSTANTS.items():
        setattr(found, column, unit.now if status == data.payment_status else None)
    found.updated_at = unit.now
    return found


async def delete(unit: Unit, fee_id: UUID) -> Fee:
    """Delete a fee that stands on no invoice; its event is not charged again."""
    found = await _standalone(unit, fee_id)
    found.deleted_at = unit.now
    return found


async def _standalone(unit: Unit, fee_id: UUID) -> Fee:
    """Find a fee to change; a billing run that invoices it is waited for."""
    await customers.lock(unit, (await get(unit, fee_id)).customer_id)
    found = await get(unit, fee_id)
    await unit.session.refresh(found)
    if found.deleted_at is not None:
        raise NotFound("fee")
    if found.invoice_id is not None:
        raise NotAllowed("invoiced_fee")
    return found
