"""The published Python client lives a subscription's whole life: start, changes, waiting, end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lago_python_client import Client, models
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import payment_method, subscription

from tests.support.billing import add_plan
from tests.support.gateway import Org

# its annotations say less than the client can do
lago: Any = models
of_subscriptions: Any = subscription
of_payments: Any = payment_method


@pytest.fixture
def client(org: Org) -> Any:
    """Return a client of an organization with a small and a large plan, paid in advance."""
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "small", amount_cents=3100, pay_in_advance=True)
    add_plan(org, "large", amount_cents=6200, pay_in_advance=True)
    made: Any = Client(api_key=org.key, api_url=org.url)
    link = lago.CustomerBillingConfiguration(
        payment_provider="stripe", provider_customer_id="cus_1"
    )
    made.customers.create(lago.Customer(external_id="c1", billing_configuration=link))
    return made


def wanted(plan_code: str, **fields: Any) -> Any:
    """Return a subscription s1 of c1."""
    return lago.Subscription(
        external_customer_id="c1", external_id="s1", plan_code=plan_code, **fields
    )


@contextmanager
def refused(status: int, code: str) -> Iterator[None]:
    """Expect the client's own error."""
    with pytest.raises(LagoApiError) as caught:
        yield
    assert caught.value.status_code == status
    assert code in str(caught.value.response)


def test_start_change_and_end(org: Org, client: Any) -> None:
    made = client.subscriptions.create(
        wanted(
            "small",
            name="First",
            billing_time="anniversary",
            subscription_at="2026-01-05T00:00:00Z",
            ending_at="2026-12-31T00:00:00Z",
            consolidate_invoice=False,
            purchase_order_number="PO 1",
            payment_method=of_payments.PaymentMethod(payment_method_type="manual"),
        )
    )
    assert (made.status, made.purchase_order_number) == ("pending", "PO 1")
    assert (made.consolidate_invoice, made.payment_method.payment_method_type) == (False, "manual")
    moved = lago.Subscription(subscription_at="2026-01-01T00:00:00Z", name="Now")
    started = client.subscriptions.update(moved, "s1")
    assert (started.status, started.name) == ("active", "Now")
    found = client.subscriptions.find("s1")
    assert found.current_billing_period_ending_at == "2026-01-31T23:59:59Z"
    larger = client.subscriptions.create(wanted("large", name="Larger"))
    assert (larger.previous_plan_code, larger.plan_amount_cents) == ("small", "6200")
    waiting = client.subscriptions.create(wanted("small"))
    assert (waiting.next_plan_code, waiting.downgrade_plan_date) == ("small", "2026-02-01")
    assert client.subscriptions.find("s1", {"status": "pending"}).plan_code == "small"
    listed = client.subscriptions.find_all({"status[]": ["active", "terminated"]})
    assert [one.status for one in listed["subscriptions"]] == ["active", "terminated"]
    ended = client.subscriptions.destroy(
        "s1", {"on_termination_credit_note": "skip", "on_termination_invoice": "skip"}
    )
    assert (ended.status, ended.on_termination_invoice) == ("terminated", "skip")
    org.drain()
    assert client.credit_notes.find_all()["meta"]["total_count"] == 1, "that of the upgrade"
    with refused(404, "subscription_not_found"):
        client.subscriptions.destroy("s1")


def test_a_start_that_waits(org: Org, client: Any) -> None:
    rule = of_subscriptions.ActivationRuleInput(type="payment", timeout_hours=24)
    made = client.subscriptions.create(wanted("small", activation_rules=[rule]))
    assert (made.status, made.activated_at) == ("incomplete", None)
    (told,) = made.activation_rules
    assert (told.status, told.expires_at) == ("pending", "2026-01-02T00:00:00Z")
    with refused(422, "subscription_incomplete"):
        client.subscriptions.destroy("s1")
    with refused(405, "subscription_incomplete"):
        client.subscriptions.update(lago.Subscription(name="No"), "s1")
    org.drain()
    (fee,) = client.fees.find_all()["fees"]
    paid = lago.Invoice(payment_status="succeeded")
    assert client.invoices.update(paid, fee.lago_invoice_id).status == "finalized"
    found = client.subscriptions.find("s1")
    assert (found.status, found.activation_rules[0].status) == ("active", "satisfied")


def test_lifetime_usage_moves_along(client: Any) -> None:
    client.subscriptions.create(wanted("small"))
    changed = client.subscriptions.update_lifetime_usage("s1", 500)
    assert changed.external_historical_usage_amount_cents == 500
    client.subscriptions.create(wanted("large"))
    assert client.subscriptions.lifetime_usage("s1").external_historical_usage_amount_cents == 500
