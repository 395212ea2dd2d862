"""Invoices: the operations tagged `invoices`."""

from collections.abc import Mapping
from typing import Any

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.ports import EventStore
from billing_core.services import invoices
from billing_core.services.shapes import invoices as shapes
from billing_core.store.unit import Unit
from billing_core.wire.invoices import InvoiceChange, InvoiceFullOut, InvoiceOut, InvoiceVoid
from billing_core.wire.pages import Page
from billing_core.wire.validation import validate
from gateway.files import FileLinks
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one, row_id
from gateway.queries import INVOICE_FILTERS, invoice_filters

ROOT = "invoice"
ONE = Gives(ROOT, InvoiceFullOut)
VERB = Operation(ONE, refuses=(404, 405, 422)).opt()


@get(
    "/invoices",
    operation_id="findAllInvoices",
    opt=Operation(
        Gives("invoices", InvoiceOut, many=True), query=INVOICE_FILTERS, refuses=(404, 422)
    ).opt(),
)
async def list_invoices(
    unit: NamedDependency[Unit],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
    files: NamedDependency[FileLinks],
) -> Answer:
    """List invoices, newest first."""
    rows, total = await invoices.page(unit, invoice_filters(filters), page)
    return listed("invoices", [shapes.out(row, files.url(row)) for row in rows], page, total)


@get("/invoices/{lago_id:str}", operation_id="findInvoice", opt=Operation(ONE).opt())
async def find_invoice(
    unit: NamedDependency[Unit], lago_id: FromPath[str], files: NamedDependency[FileLinks]
) -> Answer:
    """Return an invoice with its fees."""
    return await _shown(unit, await invoices.get(unit, row_id(lago_id, ROOT)), files)


@put(
    "/invoices/{lago_id:str}",
    operation_id="updateInvoice",
    opt=Operation(ONE, Takes(ROOT, InvoiceChange), refuses=(400, 404, 405, 413, 422)).opt(),
)
async def update_invoice(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    lago_id: FromPath[str],
    payload: NamedDependency[InvoiceChange],
    files: NamedDependency[FileLinks],
) -> Answer:
    """Change payment status or metadata."""
    invoice = await invoices.update(unit, events, row_id(lago_id, ROOT), payload)
    return await _shown(unit, invoice, files)


@delete("/invoices/{lago_id:str}", operation_id="deleteInvoice", status_code=200, opt=dict(VERB))
async def delete_invoice(
    unit: NamedDependency[Unit], lago_id: FromPath[str], files: NamedDependency[FileLinks]
) -> Answer:
    """Remove a draft."""
    return await _shown(unit, await invoices.delete(unit, row_id(lago_id, ROOT)), files)


@put("/invoices/{lago_id:str}/finalize", operation_id="finalizeInvoice", opt=dict(VERB))
async def finalize_invoice(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    lago_id: FromPath[str],
    files: NamedDependency[FileLinks],
) -> Answer:
    """Finalize a draft now."""
    invoice = await invoices.finalize(unit, events, row_id(lago_id, ROOT))
    return await _shown(unit, invoice, files)


@put("/invoices/{lago_id:str}/refresh", operation_id="refreshInvoice", opt=dict(VERB))
async def refresh_invoice(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    lago_id: FromPath[str],
    files: NamedDependency[FileLinks],
) -> Answer:
    """Recompute a draft with what is known now."""
    invoice = await invoices.refresh(unit, events, row_id(lago_id, ROOT))
    return await _shown(unit, invoice, files)


@post("/invoices/{lago_id:str}/void", operation_id="voidInvoice", status_code=200, opt=dict(VERB))
async def void_invoice(
    unit: NamedDependency[Unit],
    lago_id: FromPath[str],
    loose: NamedDependency[Mapping[str, Any]],
    files: NamedDependency[FileLinks],
) -> Answer:
    """Void a finalized invoice; it keeps its number."""
    wish = validate(InvoiceVoid, loose)
    return await _shown(unit, await invoices.void(unit, row_id(lago_id, ROOT), wish), files)


@post(
    "/invoices/{lago_id:str}/lose_dispute",
    operation_id="loseDisputeInvoice",
    status_code=200,
    opt=dict(VERB),
)
async def lose_dispute(
    unit: NamedDependency[Unit], lago_id: FromPath[str], files: NamedDependency[FileLinks]
) -> Answer:
    """Note that a payment dispute was lost."""
    return await _shown(unit, await invoices.lose_dispute(unit, row_id(lago_id, ROOT)), files)


lose_dispute_by_put = put(
    "/invoices/{lago_id:str}/lose_dispute",
    operation_id="loseDisputeInvoiceByPut",
    opt={**VERB, "alias": "the published Python client sends PUT"},
)(lose_dispute.fn)


@post(
    ["/invoices/{lago_id:str}/download", "/invoices/{lago_id:str}/download_pdf"],
    operation_id="downloadInvoice",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def download_invoice(
    unit: NamedDependency[Unit], lago_id: FromPath[str], files: NamedDependency[FileLinks]
) -> Answer:
    """Return the invoice with its PDF's link; empty while the PDF is being made."""
    invoice = await invoices.download(unit, row_id(lago_id, ROOT))
    if invoice.file_id is None:
        return Answer(None, media_type="application/json")
    return await _shown(unit, invoice, files)


async def _shown(unit: Unit, invoice: Any, files: FileLinks) -> Answer:
    await unit.flush()
    lines, fees = await invoices.parts(unit, invoice)
    return one(ROOT, await shapes.full(unit, invoice, lines, fees, files.url(invoice)))


RESOURCE = "invoice"
TAG = "invoices"
HANDLERS = [
    list_invoices,
    find_invoice,
    update_invoice,
    delete_invoice,
    finalize_invoice,
    refresh_invoice,
    void_invoice,
    lose_dispute,
    lose_dispute_by_put,
    download_invoice,
]
