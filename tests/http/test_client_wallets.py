"""The published Python client against the gateway: wallets, their entries and alerts."""

from typing import Any

import pytest
from lago_python_client import Client, models
from lago_python_client.exceptions import LagoApiError

from tests.support.billing import add_customer, invoices
from tests.support.gateway import Org

# its annotations say less than the client can do
lago: Any = models


@pytest.fixture
def client(org: Org) -> Any:
    """Return a client of an organization with a customer c1."""
    org.clock("2026-01-01T00:00:00Z")
    add_customer(org)
    return Client(api_key=org.key, api_url=org.url)


def a_wallet(**fields: Any) -> Any:
    """Return a wallet of credits worth 2.00 EUR each that refills itself."""
    rule = lago.RecurringTransactionRule(
        trigger="threshold", threshold_credits="5", paid_credits="20", granted_credits="1"
    )
    return lago.Wallet(
        rate_amount="2",
        currency="EUR",
        granted_credits="10",
        recurring_transaction_rules=lago.RecurringTransactionRuleList(__root__=[rule]),
        applies_to=lago.AppliesTo(fee_types=["charge"]),
        metadata={"a": "b"},
        **fields,
    )


def test_wallets_by_id(client: Any) -> None:
    made = client.wallets.create(a_wallet(external_customer_id="c1", name="Purse"))
    assert (made.balance_cents, made.credits_balance, made.code) == (2000, "10.0", "purse")
    (rule,) = made.recurring_transaction_rules.__root__
    assert (rule.trigger, rule.threshold_credits, rule.granted_credits) == (
        "threshold",
        "5.0",
        "1.0",
    )
    found = client.wallets.find_all({"external_customer_id": "c1"})
    assert [one.lago_id for one in found["wallets"]] == [made.lago_id]
    changed = client.wallets.update(lago.Wallet(name="Other", priority=3), made.lago_id)
    assert (changed.name, changed.priority) == ("Other", 3)
    assert client.wallets.merge_metadata(made.lago_id, {"c": "d"}) == {"a": "b", "c": "d"}
    assert client.wallets.delete_metadata_key(made.lago_id, "a") == {"c": "d"}
    assert client.wallets.replace_metadata(made.lago_id, {"e": None}) == {"e": None}
    client.wallets.delete_all_metadata(made.lago_id)
    assert client.wallets.find(made.lago_id).metadata is None
    assert client.wallets.destroy(made.lago_id).status == "terminated"


def test_wallets_by_customer_and_code(client: Any) -> None:
    wallets = client.customers.wallets
    made = wallets.create("c1", a_wallet(code="purse"))
    assert wallets.find("c1", "purse").lago_id == made.lago_id
    assert len(wallets.find_all("c1")["wallets"]) == 1
    assert wallets.update("c1", "purse", lago.Wallet(priority=7)).priority == 7
    assert wallets.metadata.replace("c1", "purse", {"x": "y"}) == {"x": "y"}
    assert wallets.metadata.merge("c1", "purse", {"z": "1"}) == {"x": "y", "z": "1"}
    assert wallets.metadata.delete_key("c1", "purse", "x") == {"z": "1"}
    wallets.metadata.delete_all("c1", "purse")
    assert wallets.destroy("c1", "purse").status == "terminated"


def test_entries(client: Any, org: Org) -> None:
    wallet = client.wallets.create(a_wallet(external_customer_id="c1"))
    asked = lago.WalletTransaction(
        wallet_id=wallet.lago_id,
        paid_credits="5",
        voided_credits="4",
        metadata=[{"key": "order", "value": "1"}],
    )
    bought, voided = client.wallet_transactions.create(asked)["wallet_transactions"]
    assert (bought.status, bought.amount, bought.metadata) == (
        "pending",
        "10.0",
        [{"key": "order", "value": "1"}],
    )
    listed = client.wallet_transactions.find_all(wallet.lago_id, {"transaction_type": "inbound"})
    granted = next(
        one for one in listed["wallet_transactions"] if one.transaction_status == "granted"
    )
    (taken,) = client.wallet_transactions.consumptions(granted.lago_id)[
        "wallet_transaction_consumptions"
    ]
    assert (taken.amount_cents, taken.wallet_transaction.lago_id) == (800, voided.lago_id)
    (source,) = client.wallet_transactions.fundings(voided.lago_id)["wallet_transaction_fundings"]
    assert (source.credit_amount, source.wallet_transaction.lago_id) == ("4.0", granted.lago_id)
    with pytest.raises(LagoApiError) as refused:
        client.wallet_transactions.payment_url(bought.lago_id)
    assert refused.value.response["error_details"] == {"base": ["no_linked_payment_provider"]}
    (invoice,) = invoices(org)
    client.invoices.update(lago.Invoice(payment_status="succeeded"), invoice["lago_id"])
    assert client.wallets.find(wallet.lago_id).balance_cents == 2200
    nothing = lago.WalletTransaction(wallet_id=wallet.lago_id, granted_credits="0")
    assert client.wallet_transactions.create(nothing)["wallet_transactions"] == []


def test_alerts(client: Any) -> None:
    wallets = client.customers.wallets
    wallets.create("c1", a_wallet(code="purse"))
    thresholds = lago.AlertThresholdList(
        __root__=[lago.AlertThreshold(code="warn", value="5"), lago.AlertThreshold(value="2")]
    )
    low = lago.Alert(alert_type="wallet_credits_balance", code="low", thresholds=thresholds)
    made = wallets.alerts.create("c1", "purse", low)
    assert (made.direction, made.previous_value) == ("decreasing", "10.0")
    other = lago.Alert(alert_type="wallet_balance_amount", code="less", thresholds=thresholds)
    several = wallets.alerts.create_batch("c1", "purse", lago.AlertsList(alerts=[other]))
    assert [one.code for one in several["alerts"]] == ["less"]
    assert len(wallets.alerts.find_all("c1", "purse")["alerts"]) == 2
    assert wallets.alerts.find("c1", "purse", "low").lago_id == made.lago_id
    changed = wallets.alerts.update("c1", "purse", "low", lago.Alert(name="Low"))
    assert changed.name == "Low"
    wallets.alerts.destroy("c1", "purse", "low")
    wallets.alerts.destroy_all("c1", "purse")
    assert wallets.alerts.find_all("c1", "purse")["alerts"] == []
