"""The published Python client on billing entities and previews: it reads what it wrote."""

from typing import Any

import pytest
from lago_python_client import Client, models
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import subscription

from tests.support.billing import add_plan, add_tax, subscribe
from tests.support.gateway import Org

# its annotations say less than the client can do
lago: Any = models
Subscriptions: Any = subscription.Subscriptions
ENDED = {"terminated_at": "2026-01-20T00:00:00Z"}


@pytest.fixture
def client(org: Org) -> Any:
    """Return a client of a fresh organization."""
    org.clock("2026-01-10T00:00:00Z")
    return Client(api_key=org.key, api_url=org.url)


def test_billing_entities(client: Any, org: Org) -> None:
    add_tax(org, "vat", "20")
    made = client.billing_entities.create(
        lago.BillingEntity(
            code="swiss",
            name="Acme AG",
            country="CH",
            timezone="Europe/Zurich",
            document_number_prefix="SWI",
            net_payment_term=14,
            email_settings=["invoice.finalized"],
            billing_configuration=lago.BillingEntityBillingConfiguration(invoice_grace_period=3),
        )
    )
    assert (made.code, made.country, made.invoice_grace_period) == ("swiss", "CH", 3)
    assert made.is_default is False
    changed = client.billing_entities.update(
        lago.BillingEntityUpdate(name="Acme", tax_codes=["vat"]), "swiss"
    )
    assert (changed.name, changed.net_payment_term) == ("Acme", 14)
    assert [tax.code for tax in changed.taxes.__root__] == ["vat"]
    assert client.billing_entities.find("swiss").lago_id == made.lago_id
    listed = client.billing_entities.find_all()["billing_entities"]
    assert {one.code for one in listed} == {"default", "swiss"}
    with pytest.raises(LagoApiError) as refused:
        client.billing_entities.create(lago.BillingEntity(code="swiss", name="Again"))
    assert refused.value.response["error_details"] == {"code": ["value_already_exist"]}


def test_previews(client: Any, org: Org) -> None:
    add_plan(org, pay_in_advance=True)
    add_plan(org, "dearer", amount_cents=3100)
    new = client.invoices.preview(
        lago.InvoicePreview(
            plan_code="basic",
            billing_time="anniversary",
            subscription_at="2026-01-15T00:00:00Z",
            customer=lago.Customer(external_id="", name="New", timezone="Europe/Paris"),
        )
    )
    assert (new.fees_amount_cents, new.issuing_date, new.number) == (1000, "2026-01-15", "")
    assert new.customer.name == "New"
    subscribe(org)
    org.drain()
    for wish, amount in (({}, 1000), ({"plan_code": "dearer"}, 0), (ENDED, 0)):
        subscriptions = Subscriptions(external_ids=["s1"], **wish)
        known = client.invoices.preview(
            lago.InvoicePreview(
                customer=lago.Customer(external_id="c1"), subscriptions=subscriptions
            )
        )
        assert known.fees_amount_cents == amount
        assert known.subscriptions.__root__[0].external_id == "s1"
    assert [one.status for one in client.invoices.find_all()["invoices"]] == ["finalized"]
