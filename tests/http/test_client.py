"""The published Python client as a peer: it works by a change of its base URL only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lago_python_client import Client, models
from lago_python_client.exceptions import LagoApiError

from tests.support.gateway import Org

# its annotations say less than the client can do
lago: Any = models


@pytest.fixture
def client(org: Org) -> Any:
    """Return a client of a fresh organization."""
    return Client(api_key=org.key, api_url=org.url)


@contextmanager
def refused(status: int, code: str | None = None) -> Iterator[None]:
    """Expect the client's own error, with the status and code it read from the answer."""
    with pytest.raises(LagoApiError) as caught:
        yield
    assert caught.value.status_code == status
    assert code is None or caught.value.response["code"] == code


def a_plan(metric_id: str, **fields: Any) -> Any:
    """Return a plan of 20.00 and 0.05 a unit."""
    usage = lago.Charge(
        billable_metric_id=metric_id,
        charge_model="standard",
        pay_in_advance=False,
        properties={"amount": "0.05"},
    )
    return lago.Plan(
        name="Startup",
        code="startup",
        interval="monthly",
        amount_cents=2000,
        amount_currency="EUR",
        pay_in_advance=False,
        charges=lago.Charges(__root__=[usage]),
        **fields,
    )


def test_the_catalog(client: Any) -> None:
    tax = client.taxes.create(lago.Tax(name="VAT", code="vat", rate="20.0"))
    assert tax is not None
    assert client.taxes.find("vat").rate == 20
    assert client.taxes.update(lago.Tax(name="VAT 2", rate="21"), "vat").name == "VAT 2"
    metric = client.billable_metrics.create(
        lago.BillableMetric(
            name="Tokens", code="tokens", aggregation_type="sum_agg", field_name="value"
        )
    )
    assert metric is not None
    found = client.billable_metrics.update(lago.BillableMetric(name="Words"), "tokens")
    assert (found.name, found.lago_id) == ("Words", metric.lago_id)
    made = client.plans.create(a_plan(metric.lago_id, tax_codes=["vat"]))
    assert made is not None
    plan = client.plans.find("startup")
    assert plan.amount_cents == 2000
    assert plan.charges.__root__[0].properties == {"amount": "0.05"}
    assert plan.taxes.__root__[0].code == "vat"
    assert client.plans.update(lago.Plan(amount_cents=2500), "startup").amount_cents == 2500
    assert [one.code for one in client.plans.find_all({"per_page": 5})["plans"]] == ["startup"]
    assert client.plans.destroy("startup").code == "startup"
    assert client.billable_metrics.destroy("tokens").code == "tokens"
    assert client.taxes.destroy("vat").code == "vat"
    with refused(404, "tax_not_found"):
        client.taxes.find("vat")
    assert client.taxes.find_all()["meta"]["total_count"] == 0


def test_customers(client: Any) -> None:
    made = client.customers.create(
        lago.Customer(
            external_id="acme/1",
            name="Acme",
            currency="EUR",
            email="a@example.com",
            metadata=lago.MetadataList(
                __root__=[lago.Metadata(key="crm", value="42", display_in_invoice=True)]
            ),
            billing_configuration=lago.CustomerBillingConfiguration(
                invoice_grace_period=3, document_locale="fr"
            ),
        )
    )
    assert made is not None
    assert made.billing_configuration.invoice_grace_period == 3
    assert made.metadata.__root__[0].value == "42"
    again = client.customers.create(lago.Customer(external_id="acme/1", name="Acme 2"))
    assert again is not None
    assert (again.lago_id, again.name, again.email) == (made.lago_id, "Acme 2", "a@example.com")
    listed = client.customers.find_all({"currencies[]": ["EUR"]})
    assert [one.external_id for one in listed["customers"]] == ["acme/1"]
    plain = client.customers.create(lago.Customer(external_id="plain"))
    assert plain is not None
    assert client.customers.find("plain").lago_id == plain.lago_id
    assert client.customers.destroy("plain").external_id == "plain"
    with refused(404, "customer_not_found"):
        client.customers.find("plain")
    with refused(422, "validation_errors"):
        client.customers.create(lago.Customer(external_id="x", email="nobody"))


def test_from_events_to_an_invoice(org: Org, client: Any) -> None:
    org.clock("2026-01-01T00:00:00Z")
    metric = client.billable_metrics.create(
        lago.BillableMetric(
            name="Tokens", code="tokens", aggregation_type="sum_agg", field_name="value"
        )
    )
    assert metric is not None
    client.plans.create(a_plan(metric.lago_id))
    grace = lago.CustomerBillingConfiguration(invoice_grace_period=2)
    client.customers.create(lago.Customer(external_id="c1", billing_configuration=grace))
    made = client.subscriptions.create(
        lago.Subscription(external_customer_id="c1", external_id="s1", plan_code="startup")
    )
    assert made is not None
    assert client.subscriptions.find("s1").plan_code == "startup"
    renamed = client.subscriptions.update(lago.Subscription(name="Main"), "s1")
    assert renamed.name == "Main"
    event = lago.Event(
        transaction_id="t1",
        external_subscription_id="s1",
        code="tokens",
        timestamp=1767312000,
        properties={"value": "100"},
    )
    stored = client.events.create(event)
    assert stored is not None
    assert stored.timestamp == "2026-01-02T00:00:00.000Z"
    batch = [event.copy(update={"transaction_id": f"b{number}"}) for number in range(3)]
    client.events.batch_create(lago.BatchEvent(events=batch))
    assert client.events.find("t1").properties == {"value": "100"}
    with refused(422, "validation_errors"):
        client.events.create(event)
    usage = client.customers.current_usage("c1", "s1")
    assert usage.amount_cents == 2000
    assert usage.charges_usage[0].units == "400.0"
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (draft,) = client.invoices.find_all({"status": "draft"})["invoices"]
    assert client.invoices.refresh(draft.lago_id).total_amount_cents == 4000
    final = client.invoices.finalize(draft.lago_id)
    assert (final.status, final.number[-3:]) == ("finalized", "001")
    assert {fee.amount_cents for fee in final.fees.__root__} == {2000}
    notes = lago.InvoiceMetadataList(__root__=[lago.InvoiceMetadata(key="po", value="7")])
    change = lago.Invoice(metadata=notes, payment_status="failed")
    assert client.invoices.update(change, final.lago_id).payment_status == "failed"
    org.drain()
    document = client.invoices.download(final.lago_id)
    assert document is not None
    assert "/files/" in document.file_url
    fees = client.fees.find_all({"external_subscription_id": "s1"})["fees"]
    assert len(fees) == 2
    assert client.fees.find(fees[0].lago_id).lago_id == fees[0].lago_id
    assert client.invoices.void(final.lago_id).status == "voided"
    with refused(405, "not_voidable"):
        client.invoices.void(final.lago_id)
    ended = client.subscriptions.destroy("s1")
    assert ended.status == "terminated"


def test_disputes(org: Org, client: Any) -> None:
    org.clock("2026-01-01T00:00:00Z")
    org.post(
        "/plans",
        {
            "plan": {
                "name": "P",
                "code": "p",
                "interval": "monthly",
                "amount_cents": 100,
                "amount_currency": "EUR",
                "pay_in_advance": True,
            }
        },
    )
    client.subscriptions.create(
        lago.Subscription(external_customer_id="c1", external_id="s1", plan_code="p")
    )
    org.drain()
    (invoice,) = client.invoices.find_all()["invoices"]
    # this client asks by PUT where the API says POST
    assert client.invoices.lose_dispute(invoice.lago_id).lago_id == invoice.lago_id


def test_organization_and_endpoints(client: Any) -> None:
    organization = client.organizations.update(
        lago.Organization(legal_name="Acme GmbH", country="DE", default_currency="EUR")
    )
    assert (organization.legal_name, organization.country) == ("Acme GmbH", "DE")
    made = client.webhook_endpoints.create(
        lago.WebhookEndpoint(
            webhook_url="http://192.0.2.1/a", signature_algo="hmac", name="A", event_types=None
        )
    )
    assert made is not None
    assert client.webhook_endpoints.find(made.lago_id).signature_algo == "hmac"
    changed = client.webhook_endpoints.update(
        lago.WebhookEndpoint(
            webhook_url="http://192.0.2.1/b", signature_algo="jwt", name="B", event_types=None
        ),
        made.lago_id,
    )
    assert changed.webhook_url == "http://192.0.2.1/b"
    assert len(client.webhook_endpoints.find_all()["webhook_endpoints"]) == 1
    assert client.webhook_endpoints.destroy(made.lago_id).lago_id == made.lago_id
    entities = client.billing_entities.find_all()["billing_entities"]
    assert [one.code for one in entities] == ["default"]
    assert b"BEGIN PUBLIC KEY" in client.webhooks.public_key()


def test_a_wrong_key_is_told(org: Org) -> None:
    stranger: Any = Client(api_key="wrong", api_url=org.url)
    with refused(401):
        stranger.plans.find_all()
