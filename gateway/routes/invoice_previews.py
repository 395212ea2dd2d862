"""Invoice previews: the operation `invoicePreview`."""

from collections.abc import Mapping
from typing import Any

from litestar import post
from litestar.di import NamedDependency

from billing_core.ports import EventStore
from billing_core.services import invoice_previews, invoices
from billing_core.services.shapes import invoices as shapes
from billing_core.store.unit import Units
from billing_core.wire.invoice_previews import PreviewIn, check_shapes
from billing_core.wire.invoices import InvoiceFullOut
from billing_core.wire.validation import validate
from gateway.auth import Principal
from gateway.http import Answer, Gives, Operation, Takes, one

ROOT = "invoice"


@post(
    "/invoices/preview",
    operation_id="invoicePreview",
    status_code=200,
    opt=Operation(
        Gives(ROOT, InvoiceFullOut), Takes("", PreviewIn), refuses=(400, 404, 413, 422)
    ).opt(),
)
async def preview_invoice(
    units: NamedDependency[Units],
    events: NamedDependency[EventStore],
    principal: NamedDependency[Principal],
    loose: NamedDependency[Mapping[str, Any]],
) -> Answer:
    """Return what an invoice would be; nothing is kept."""
    check_shapes(loose)
    asked = validate(PreviewIn, loose)
    async with units.rehearse(principal.org_id) as unit:
        invoice = await invoice_previews.preview(unit, events, asked)
        lines, fees = await invoices.parts(unit, invoice)
        shape = await shapes.full(unit, invoice, lines, fees, None)
    return one(ROOT, shape)


RESOURCE = "invoice"
TAG = "invoices"
HANDLERS = [preview_invoice]
