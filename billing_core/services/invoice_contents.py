"""An invoice with what is on it, as those hand it on who have just made it or read it."""

from collections.abc import Sequence
from typing import NamedTuple

from billing_core.store import invoices
from billing_core.store.tables import Fee, Invoice, InvoiceSubscription
from billing_core.store.unit import Unit


class Contents(NamedTuple):
    """An invoice, its lines and its fees in their order.

    `is_new` says that it was made in this unit, so that nobody can have referred to it before.
    """

    invoice: Invoice
    lines: Sequence[InvoiceSubscription]
    fees: Sequence[Fee]
    is_new: bool = False


async def read(unit: Unit, invoice: Invoice) -> Contents:
    """Read what is on an invoice."""
    lines = await invoices.lines(unit, invoice.id)
    return Contents(invoice, lines, await invoices.fees(unit, invoice.id))
