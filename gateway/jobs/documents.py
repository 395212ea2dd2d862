"""Document jobs: rendering PDFs."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.services import documents, finalization, invoices
from billing_core.services.shapes import invoices as shapes
from billing_core.store import outbox
from billing_core.store.tables import Outbox
from gateway.files import FileLinks
from gateway.jobs.parts import Parts


async def invoice_pdf(parts: Parts, org_id: UUID, promise: Outbox) -> None:
    """Render an invoice, keep the PDF and say so."""
    invoice_id = UUID(promise.payload["invoice_id"])
    async with parts.units.read(org_id) as unit:
        document = await documents.invoice_document(unit, invoice_id, parts.wording)
    content = b""
    if document is not None:
        content = await asyncio.to_thread(parts.renderer.invoice_pdf, document)
    async with parts.units.open(org_id) as unit:
        locked = await outbox.lock(unit, promise.id)
        if locked is None:
            return
        locked.done_at = wall_now()
        if not content:
            return
        invoice = await documents.store_pdf(unit, invoice_id, content)
        if invoice is not None and invoice.status == "finalized":
            links = FileLinks(parts.settings.secret_key, parts.settings.public_url or "")
            lines, fees = await invoices.parts(unit, invoice)
            shape = await shapes.full(unit, invoice, lines, fees, links.url(invoice))
            unit.emit("invoice.generated", "invoice", shape.model_dump())


TOPICS: dict[str, Callable[[Parts, UUID, Outbox], Awaitable[None]]] = {
    finalization.PDF_TOPIC: invoice_pdf
}
