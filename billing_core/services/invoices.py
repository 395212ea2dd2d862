"""What can be done with invoices."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from billing_core.domain.errors import NotAllowed, NotFound
from billing_core.domain.states import (
    check_invoice_dispute,
    check_invoice_transition,
    check_invoice_update,
)
from billing_core.ports import EventStore
from billing_core.services import (
    billing_entities,
    credit_note_requests,
    finalization,
    gating,
    invoice_build,
    invoice_coupons,
    invoice_credits,
    notes,
    wallet_payments,
    wallet_top_ups,
)
from billing_core.store import customers, invoices
from billing_core.store.tables import Fee, Invoice, InvoiceMetadata, InvoiceSubscription
from billing_core.store.unit import Unit
from billing_core.wire.invoices import InvoiceChange, InvoiceMetadataIn, InvoiceVoid
from billing_core.wire.pages import Page


async def get(unit: Unit, invoice_id: UUID) -> Invoice:
    """Return an invoice that clients may see, or refuse."""
    invoice = await invoices.visible(unit, invoice_id)
    if invoice is None:
        raise NotFound("invoice")
    return invoice


async def parts(unit: Unit, invoice: Invoice) -> tuple[list[InvoiceSubscription], list[Fee]]:
    """Return an invoice's lines and fees."""
    return await invoices.lines(unit, invoice.id), await invoices.fees(unit, invoice.id)


async def page(unit: Unit, filters: Mapping[str, Any], wanted: Page) -> tuple[list[Invoice], int]:
    """List invoices, newest first; an unknown billing entity is a 404."""
    await billing_entities.check_codes(unit, filters.get("billing_entity_codes[]"))
    return await invoices.page(unit, filters, wanted)


async def of_customer(
    unit: Unit, external_customer_id: str, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[Invoice], int]:
    """List a customer's invoices; an unknown customer is a 404."""
    if await customers.by_external_id(unit, external_customer_id) is None:
        raise NotFound("customer")
    return await page(unit, {**filters, "external_customer_id": external_customer_id}, wanted)


async def update(unit: Unit, events: EventStore, invoice_id: UUID, data: InvoiceChange) -> Invoice:
    """Change payment status or metadata (`docs/rules/money.md` 1.7.6, 1.7.7).

    The payment status is a note only: what was paid is the sum of payments. It decides, though,
    about a subscription that waits for the payment of an open invoice (subscriptions.md 2.5).
    """
    if data.payment_status in {"succeeded", "failed"}:
        settled = await _settled(unit, events, invoice_id, data.payment_status)
        if settled is not None:
            return settled
    invoice = await _locked(unit, invoice_id)
    check_invoice_update(
        invoice.status,  # type: ignore[arg-type]
        metadata=data.metadata is not None,
        payment_status=data.payment_status is not None,
    )
    if data.metadata is not None:
        _replace_metadata(unit, invoice, data.metadata)
    invoice.updated_at = unit.now
    if data.payment_status is not None and data.payment_status != invoice.payment_status:
        invoice.payment_status = data.payment_status
        if data.payment_status == "succeeded":
            invoice.payment_overdue = False
        await unit.flush()
        if data.payment_status != "pending":
            succeeded = data.payment_status == "succeeded"
            await wallet_top_ups.settle(unit, invoice, succeeded=succeeded)
        await finalization.announce(unit, invoice, "invoice.payment_status_updated")
    await unit.flush()
    return invoice


async def finalize(unit: Unit, events: EventStore, invoice_id: UUID) -> Invoice:
    """Finalize a draft now; anything else is a 404 (`docs/rules/money.md` 1.7.1)."""
    invoice = await invoice_build.finalize_draft(unit, events, invoice_id)
    if invoice is None:
        raise NotFound("invoice")
    return invoice


async def refresh(unit: Unit, events: EventStore, invoice_id: UUID) -> Invoice:
    """Recompute a draft with what is known now; others are answered unchanged."""
    invoice = await _locked(unit, invoice_id)
    if invoice.status == "draft":
        await invoice_build.refresh(unit, events, invoice)
    return invoice


async def void(unit: Unit, invoice_id: UUID, wish: InvoiceVoid) -> Invoice:
    """Cancel a finalized invoice; it keeps its number (`docs/rules/money.md` 1.8.1, 1.8.2).

    What credit notes paid of it returns to them, unless new notes give back what is wished. Without
    such a wish an invoice that has been credited stands: its notes would otherwise give away what
    nobody owes any more.
    """
    invoice = await _locked(unit, invoice_id)
    check_invoice_transition(invoice.status, "voided")  # type: ignore[arg-type]
    planned = None
    if wish.generate_credit_note:
        planned = await credit_note_requests.plan_for_void(
            unit, invoice, wish.credit_amount or 0, wish.refund_amount or 0
        )
    elif await invoice_credits.is_credited(unit, invoice):
        raise NotAllowed("not_voidable")
    invoice.status = "voided"
    invoice.voided_at = unit.now
    invoice.updated_at = unit.now
    invoice.payment_overdue = False
    await invoice_coupons.give_back(unit, invoice)
    if planned is None:
        await invoice_credits.give_back(unit, invoice)
        await wallet_payments.give_back(unit, invoice)
    await wallet_top_ups.settle(unit, invoice, succeeded=False)  # it can be paid no more
    await unit.flush()
    await finalization.announce(unit, invoice, "invoice.voided")
    if planned is not None:
        await credit_note_requests.credit_voided(unit, invoice, planned)
    unit.promise(finalization.PDF_TOPIC, {"invoice_id": str(invoice.id)})
    return invoice


async def delete(unit: Unit, invoice_id: UUID) -> Invoice:
    """Remove a draft (`docs/rules/money.md` 1.7.2)."""
    invoice = await _locked(unit, invoice_id)
    if invoice.status != "draft":
        raise NotAllowed("not_deletable")
    invoice.status = "deleted"
    invoice.updated_at = unit.now
    await invoice_credits.delete_own(unit, invoice)
    await wallet_payments.note(unit, [invoice])
    await unit.flush()
    await finalization.announce(unit, invoice, "invoice.deleted")
    return invoice


async def lose_dispute(unit: Unit, invoice_id: UUID) -> Invoice:
    """Note that a payment dispute was lost; the first instant stays (money.md 1.8.4)."""
    invoice = await _locked(unit, invoice_id)
    check_invoice_dispute(invoice.status)  # type: ignore[arg-type]
    invoice.payment_dispute_lost_at = invoice.payment_dispute_lost_at or unit.now
    invoice.payment_overdue = False
    invoice.updated_at = unit.now
    await unit.flush()
    await finalization.announce(unit, invoice, "invoice.payment_dispute_lost")
    return invoice


async def download(unit: Unit, invoice_id: UUID) -> Invoice:
    """Return a finalized invoice; where its PDF is missing, promise it (money.md 1.8.5)."""
    invoice = await invoices.visible(unit, invoice_id, "finalized")
    if invoice is None:
        raise NotFound("invoice")
    if invoice.file_id is None:
        unit.promise(finalization.PDF_TOPIC, {"invoice_id": str(invoice.id)})
    return invoice


async def _settled(
    unit: Unit, events: EventStore, invoice_id: UUID, payment_status: str
) -> Invoice | None:
    """Settle an open invoice; None for all others."""
    invoice = await invoices.lock(unit, invoice_id)
    if invoice is None or invoice.status != "open":
        return None
    succeeded = payment_status == "succeeded"
    if invoice.invoice_type == wallet_top_ups.KIND:
        await wallet_top_ups.settle(unit, invoice, succeeded=succeeded)
    else:
        await gating.settle(unit, events, invoice, is_paid=succeeded)
    return invoice


async def _locked(unit: Unit, invoice_id: UUID) -> Invoice:
    invoice = await invoices.lock(unit, invoice_id)
    if invoice is None or invoice.status not in invoices.VISIBLE:
        raise NotFound("invoice")
    return invoice


def _replace_metadata(unit: Unit, invoice: Invoice, wanted: list[InvoiceMetadataIn]) -> None:
    def new(entry: InvoiceMetadataIn) -> InvoiceMetadata:
        return InvoiceMetadata(
            org_id=unit.org_id,
            created_at=unit.now,
            invoice_id=invoice.id,
            key=entry.key,
            value=entry.value,
        )

    invoice.notes = [note for note, _ in notes.replaced(invoice.notes, wanted, new)]
