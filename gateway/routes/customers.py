"""Customers: the operations tagged `customers`."""

from typing import Any

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.domain.errors import Invalid
from billing_core.services import credit_notes, customers, invoices, subscriptions
from billing_core.services.shapes import credit_notes as credit_note_shapes
from billing_core.services.shapes import customers as shapes
from billing_core.services.shapes import invoices as invoice_shapes
from billing_core.services.shapes import subscriptions as subscription_shapes
from billing_core.store.unit import Unit
from billing_core.wire.credit_notes import CreditNoteOut
from billing_core.wire.customers import CustomerFullOut, CustomerIn
from billing_core.wire.invoices import InvoiceOut
from billing_core.wire.pages import Page
from billing_core.wire.subscriptions import SubscriptionOut
from gateway.files import FileLinks
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one
from gateway.queries import (
    CREDIT_NOTE_FILTERS,
    INVOICE_FILTERS,
    credit_note_filters,
    invoice_filters,
)

ROOT = "customer"
ONE = Gives(ROOT, CustomerFullOut)
FILTERS = (
    "search_term",
    "external_id",
    "account_type[]",
    "customer_type",
    "has_customer_type",
    "has_tax_identification_number",
    "countries[]",
    "states[]",
    "zipcodes[]",
    "currencies[]",
    "billing_entity_codes[]",
)
CHOICES = {
    "account_type[]": ("customer", "partner"),
    "customer_type": ("company", "individual"),
    "has_customer_type": ("true", "false"),
    "has_tax_identification_number": ("true", "false"),
}


@post(
    "/customers",
    operation_id="createCustomer",
    status_code=200,
    opt=Operation(ONE, Takes(ROOT, CustomerIn), refuses=(400, 404, 413, 422)).opt(),
)
async def create_customer(
    unit: NamedDependency[Unit], payload: NamedDependency[CustomerIn]
) -> Answer:
    """Create or update a customer by external id."""
    customer = await customers.upsert(unit, payload)
    await unit.flush()
    return one(ROOT, (await shapes.full_outs(unit, [customer]))[0])


@get(
    "/customers",
    operation_id="findAllCustomers",
    opt=Operation(
        Gives("customers", CustomerFullOut, many=True), query=FILTERS, refuses=(404, 422)
    ).opt(),
)
async def list_customers(
    unit: NamedDependency[Unit], page: NamedDependency[Page], filters: NamedDependency[Filters]
) -> Answer:
    """List customers, newest first."""
    _check_choices(filters)
    rows, total = await customers.page(unit, filters, page)
    return listed("customers", await shapes.full_outs(unit, rows), page, total)


@get("/customers/{external_id:str}", operation_id="findCustomer", opt=Operation(ONE).opt())
async def find_customer(unit: NamedDependency[Unit], external_id: FromPath[str]) -> Answer:
    """Return a customer."""
    customer = await customers.get(unit, external_id)
    return one(ROOT, (await shapes.full_outs(unit, [customer]))[0])


@delete(
    "/customers/{external_id:str}",
    operation_id="destroyCustomer",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_customer(unit: NamedDependency[Unit], external_id: FromPath[str]) -> Answer:
    """Delete a customer; its subscriptions end."""
    customer = await customers.delete(unit, external_id)
    return one(ROOT, (await shapes.full_outs(unit, [customer]))[0])


@get(
    "/customers/{external_id:str}/invoices",
    operation_id="findAllCustomerInvoices",
    opt=Operation(
        Gives("invoices", InvoiceOut, many=True), query=INVOICE_FILTERS, refuses=(404, 422)
    ).opt(),
)
async def list_customer_invoices(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
    files: NamedDependency[FileLinks],
) -> Answer:
    """List a customer's invoices, newest first."""
    rows, total = await invoices.of_customer(unit, external_id, invoice_filters(filters), page)
    shown = [invoice_shapes.out(row, files.url(row)) for row in rows]
    return listed("invoices", shown, page, total)


@get(
    "/customers/{external_id:str}/credit_notes",
    operation_id="findAllCustomerCreditNotes",
    opt=Operation(
        Gives("credit_notes", CreditNoteOut, many=True),
        query=CREDIT_NOTE_FILTERS,
        refuses=(404, 422),
    ).opt(),
)
async def list_customer_credit_notes(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List a customer's finalized credit notes, newest first."""
    wanted = credit_note_filters(filters)
    rows, total = await credit_notes.of_customer(unit, external_id, wanted, page)
    return listed("credit_notes", await credit_note_shapes.several(unit, rows), page, total)


@get(
    "/customers/{external_id:str}/subscriptions",
    operation_id="findAllCustomerSubscriptions",
    opt=Operation(
        Gives("subscriptions", SubscriptionOut, many=True), query=("plan_code", "status[]")
    ).opt(),
)
async def list_customer_subscriptions(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List a customer's subscriptions, newest first."""
    await customers.get(unit, external_id)
    wanted = {**filters, "external_customer_id": external_id}
    rows, total = await subscriptions.page(unit, wanted, page)
    shown = await subscription_shapes.several(unit, rows)
    return listed("subscriptions", shown, page, total)


def _check_choices(filters: Filters) -> None:
    for name, choices in CHOICES.items():
        value: Any = filters.get(name)
        given = value if isinstance(value, list) else [value] if value else []
        if any(one not in choices for one in given):
            raise Invalid.field(name, f"must be one of: {', '.join(choices)}")


RESOURCE = "customer"
TAG = "customers"
HANDLERS = [
    create_customer,
    list_customers,
    find_customer,
    delete_customer,
    list_customer_invoices,
    list_customer_credit_notes,
    list_customer_subscriptions,
]
