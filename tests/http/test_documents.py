"""The PDF of an invoice: asked for with a key, opened without one."""

import io
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    add_tax,
    charge,
    only_invoice,
    send,
    subscribe,
    usage_event,
)
from tests.support.gateway import Gateway, Org


def billed(org: Org, **customer: Any) -> dict[str, Any]:
    """Bill January with usage and tax; return the invoice."""
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "vat", "20", applied_to_organization=True)
    metric_id = add_metric(org, "usage", name="Calls")
    usage = charge(metric_id, "standard", {"amount": "0.5"}, invoice_display_name="API calls")
    add_plan(org, name="Starter", amount_cents=123456, charges=[usage])
    add_customer(org, name="Ærø & Søn ApS", **customer)
    subscribe(org)
    send(org, "t1", "3")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    return only_invoice(org)


def text_of(url: str) -> str:
    """Open a link without a key and return the text of the PDF behind it."""
    answer = httpx.get(url, timeout=30)
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    reader = PdfReader(io.BytesIO(answer.content))
    # typesetting may put hard spaces between the groups of a number
    return " ".join("\n".join(page.extract_text() for page in reader.pages).split())


def test_an_invoice_can_be_read(any_gateway: Gateway) -> None:
    org = any_gateway.organization("Billing Ltd")
    invoice = billed(org)
    assert invoice["total_amount_cents"] == 148327  # 1234.56 and 1.50, with a fifth on top
    shown = org.post(f"/invoices/{invoice['lago_id']}/download")["invoice"]
    text = text_of(shown["file_url"])
    for wanted in (invoice["number"], "Ærø & Søn ApS", "Billing Ltd", "Starter", "API calls"):
        assert wanted in text
    assert "1,483.27" in text
    assert "1,234.56" in text
    assert "247.21" in text, "the tax"


@pytest.mark.parametrize(
    ("locale", "total", "word"), [("fr", "1 483,27", "Facture"), ("de", "1.483,27", "Rechnung")]
)
def test_an_invoice_in_the_customer_s_language(
    org: Org, locale: str, total: str, word: str
) -> None:
    invoice = billed(org, billing_configuration={"document_locale": locale})
    text = text_of(invoice["file_url"])
    assert total in text.replace("\u202f", " ").replace("\xa0", " ")
    assert word.lower() in text.lower()


def test_links_cannot_be_made_up(org: Org) -> None:
    url = httpx.URL(billed(org)["file_url"])
    query = dict(url.params)
    for wrong in (
        {**query, "signature": "0" * 64},
        {**query, "expires": str(int(query["expires"]) + 1)},
        {**query, "organization": "01890a5d-ac96-774b-bcce-b302099a8057"},
        {},
    ):
        assert httpx.get(url.copy_with(params=wrong)).status_code == httpx.codes.NOT_FOUND
    assert text_of(str(url))


def test_an_unknown_or_unfinished_invoice_has_no_document(org: Org) -> None:
    unknown = "/invoices/01890a5d-ac96-774b-bcce-b302099a8057/download"
    assert org.post(unknown, None, 404)["code"] == "invoice_not_found"
    draft = billed(org, billing_configuration={"invoice_grace_period": 3})
    assert draft["file_url"] is None
    org.post(f"/invoices/{draft['lago_id']}/download", None, 404)


def test_the_lines_of_a_charge_can_be_told_apart(org: Org) -> None:
    unit = {"name": "Tokens", "code": "tokens", "short_name": "TK"}
    org.post("/pricing_units", {"pricing_unit": unit})
    clouds: dict[str, Any] = {"filters": [{"key": "cloud", "values": ["aws", "gcp"]}]}
    shares = [
        {"from_value": 0, "to_value": 10, "rate": "5", "flat_amount": "1"},
        {"from_value": 11, "to_value": None, "rate": "2.5", "flat_amount": "0"},
    ]
    breakdowns = [{"value": "host", "options": {"display_in_invoice": True}}]
    filters = [
        {
            "values": {"cloud": ["aws"]},
            "properties": {"amount": "1", "pricing_group_keys": ["team"]},
        },
        {
            "values": {"cloud": ["gcp"]},
            "properties": {"amount": "1"},
            "invoice_display_name": "Elsewhere",
        },
    ]
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage", name="Calls", **clouds)
    charges = [
        charge(
            metric_id,
            "standard",
            {"amount": "2", "presentation_group_keys": breakdowns},
            filters=filters,
            min_amount_cents=5000,
        ),
        charge(
            metric_id,
            "graduated_percentage",
            {"graduated_percentage_ranges": shares},
            code="shares",
        ),
        charge(
            metric_id,
            "standard",
            {"amount": "3"},
            code="tokens",
            applied_pricing_unit={"code": "tokens", "conversion_rate": "0.5"},
        ),
    ]
    add_plan(org, amount_cents=0, charges=charges)
    subscribe(org)
    for number, properties in enumerate(
        (
            {"cloud": "aws", "team": "Blue", "value": 7},
            {"cloud": "gcp", "value": 4},
            {"value": 1, "host": "h9"},
        )
    ):
        event = usage_event(f"t{number}") | {"properties": properties}
        org.post("/events", {"event": event})
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    text = text_of(only_invoice(org)["file_url"])
    for wanted in (
        "Calls · aws · Blue",
        "Calls · Elsewhere",
        "Calls · Minimum spend",
        "h9: 1",
        "10 \N{MULTIPLICATION SIGN} 5% + €1.00",
        "36 TK \N{MULTIPLICATION SIGN} €0.50",
    ):
        assert wanted in text, text
