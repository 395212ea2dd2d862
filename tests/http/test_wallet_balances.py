"""Ongoing balances, the rules that watch them, and alerts, through HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    add_tax,
    charge,
    invoices,
    subscribe,
)
from tests.support.gateway import Gateway, Org
from tests.support.receiver import Receiver, receiving
from tests.support.usage import use
from tests.support.wallets import add_wallet, entries, refresh, top_up, wallet

JANUARY = "2026-01-01T00:00:00Z"
ALERTS = "/customers/c1/wallets/purse/alerts"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def selling(org: Org, *, charges: dict[str, Any] | None = None, **plan: Any) -> None:
    """Let s1 of c1 pay 1.00 EUR a unit of `usage` and nothing else, from January on."""
    org.clock(JANUARY)
    sold = charge(add_metric(org, "usage"), "standard", {"amount": "1"}, **(charges or {}))
    add_plan(org, charges=[sold], **{"amount_cents": 0, **plan})
    add_customer(org)
    subscribe(org)


def amounts(org: Org, lago_id: str) -> tuple[int, int, int]:
    """Return balance, ongoing balance and what usage takes, in cents."""
    found = wallet(org, lago_id)
    names = ("balance_cents", "ongoing_balance_cents", "ongoing_usage_balance_cents")
    balance, ongoing, usage = (found[name] for name in names)
    return balance, ongoing, usage


def test_money_e26_usage_then_a_draft_then_the_invoice(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    selling(org, amount_cents=100)
    add_customer(org, billing_configuration={"invoice_grace_period": 10})
    lago_id = add_wallet(org, granted_credits="10")["lago_id"]
    use(org, {"value": 5})
    refresh(org)
    assert amounts(org, lago_id) == (1000, 500, 500)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    refresh(org)
    assert amounts(org, lago_id) == (1000, 400, 600)
    use(org, {"value": 3})
    refresh(org)
    assert amounts(org, lago_id) == (1000, 100, 900)
    (draft,) = invoices(org)
    assert (draft["total_amount_cents"], draft["prepaid_credit_amount_cents"]) == (600, 0)
    org.put(f"/invoices/{draft['lago_id']}/finalize")
    org.drain()
    assert amounts(org, lago_id) == (400, 100, 300)


def test_money_e26_what_is_paid_in_advance_leaves_at_once(org: Org) -> None:
    org.clock(JANUARY)
    add_tax(org, "vat", "10", applied_to_organization=True)
    selling(org, charges={"pay_in_advance": True}, amount_cents=100)
    add_customer(org, billing_configuration={"invoice_grace_period": 3})
    lago_id = add_wallet(org, granted_credits="100")["lago_id"]
    use(org, {"value": 50})
    org.drain()
    assert amounts(org, lago_id) == (4500, 4500, 0)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    refresh(org)
    assert amounts(org, lago_id) == (4500, 4390, 110)


def test_money_e26_at_a_rate_of_ten(org: Org) -> None:
    org.clock(JANUARY)
    metric, other = add_metric(org, "usage"), add_metric(org, "paid")
    add_tax(org, "vat", "10")
    charges = [
        charge(metric, "standard", {"amount": "11"}),
        charge(add_metric(org, "taxed"), "standard", {"amount": "100"}, tax_codes=["vat"]),
        charge(other, "standard", {"amount": "22"}, pay_in_advance=True),
    ]
    add_plan(org, amount_cents=0, charges=charges)
    subscribe(org)
    lago_id = add_wallet(org, rate_amount="10", granted_credits="100")["lago_id"]
    for code in ("usage", "taxed", "paid"):
        event = {"transaction_id": code, "external_subscription_id": "s1", "code": code}
        org.post("/events", {"event": {**event, "properties": {"value": 1}}})
    refresh(org)
    found = wallet(org, lago_id)
    assert (found["balance_cents"], found["credits_balance"]) == (97_800, "97.8")
    assert found["ongoing_balance_cents"] == 85_700
    assert found["credits_ongoing_usage_balance"] == "12.1"


def test_what_was_billed_progressively_is_paid_already(org: Org) -> None:
    selling(org, usage_thresholds=[{"amount_cents": 1000}])
    lago_id = add_wallet(org, granted_credits="100")["lago_id"]
    use(org, {"value": 15})
    org.drain()
    org.run("process_subscription_activity")
    refresh(org)
    assert amounts(org, lago_id) == (8500, 8500, 0)
    use(org, {"value": 2})
    refresh(org)
    assert amounts(org, lago_id) == (8500, 8300, 200)


RULE = {"trigger": "threshold", "threshold_credits": "5", "method": "target"}


@pytest.mark.parametrize(
    ("rule", "fields", "expected"),
    [
        pytest.param(
            {"grants_target_top_up": True}, {}, ("6.0", "granted", 1600), id="e25-granted"
        ),
        pytest.param(
            {}, {"paid_top_up_min_amount_cents": 5000}, ("50.0", "purchased", 1000), id="e25-paid"
        ),
    ],
)
def test_money_e25_a_target_rule_fires(
    org: Org, rule: dict[str, Any], fields: dict[str, Any], expected: tuple[str, str, int]
) -> None:
    selling(org)
    rules = [{**RULE, "target_ongoing_balance": "10", "transaction_name": "Auto", **rule}]
    made = add_wallet(org, granted_credits="10", recurring_transaction_rules=rules, **fields)
    use(org, {"value": 6})
    refresh(org)
    entry = entries(org, made["lago_id"])[-1]
    balance = wallet(org, made["lago_id"])["balance_cents"]
    assert (entry["credit_amount"], entry["transaction_status"], balance) == expected
    assert (entry["source"], entry["name"]) == ("threshold", "Auto")
    refresh(org)
    assert len(entries(org, made["lago_id"])) == 2, "once"


def test_money_e24_more_is_bought_only_for_what_is_not_bought_yet(org: Org) -> None:
    selling(org)
    rule = {"trigger": "threshold", "threshold_credits": "10", "paid_credits": "50"}
    made = add_wallet(org, granted_credits="100", recurring_transaction_rules=[rule])
    lago_id = made["lago_id"]
    use(org, {"value": 95})
    refresh(org)
    use(org, {"value": 40})
    refresh(org)
    bought = entries(org, lago_id, "transaction_status=purchased")
    assert [one["credit_amount"] for one in bought] == ["50.0"]
    use(org, {"value": 200})
    refresh(org)
    bought = entries(org, lago_id, "transaction_status=purchased")
    assert [one["credit_amount"] for one in bought] == ["50.0", "200.0"]


def test_a_rule_pauses_after_a_purchase_that_nobody_paid(org: Org) -> None:
    selling(org)
    rule = {**RULE, "target_ongoing_balance": "10"}
    add_wallet(org, granted_credits="10", recurring_transaction_rules=[rule])
    use(org, {"value": 6})
    refresh(org)
    (invoice,) = invoices(org)
    failed = {"invoice": {"payment_status": "failed"}}
    org.put(f"/invoices/{invoice['lago_id']}", failed)
    use(org, {"value": 1})
    refresh(org)
    assert len(invoices(org)) == 1
    org.clock("2026-01-01T01:01:00Z")
    use(org, {"value": 1})
    refresh(org)
    assert len(invoices(org)) == 2


def test_10_28_every_interval_rule_fires_by_itself(org: Org) -> None:
    org.clock("2026-01-31T12:00:00Z")
    add_customer(org)
    rule = {"trigger": "interval", "interval": "monthly", "granted_credits": "10"}
    path = f"/wallets/{add_wallet(org, recurring_transaction_rules=[rule])['lago_id']}"
    lago_id = path.rpartition("/")[2]
    org.clock("2026-02-28T01:00:00Z")
    org.run("top_up_wallet_interval_credits")
    org.run("top_up_wallet_interval_credits")
    assert [one["source"] for one in entries(org, lago_id)] == ["interval"]
    other = {**rule, "interval": "weekly", "granted_credits": "1", "expiration_at": "2026-03-20"}
    org.put(path, {"wallet": {"recurring_transaction_rules": [other]}})
    org.run("top_up_wallet_interval_credits")
    assert [one["credit_amount"] for one in entries(org, lago_id)] == ["10.0", "1.0"]
    org.clock("2026-04-01T00:00:00Z", catch_up=True)
    granted = [one["created_at"][:10] for one in entries(org, lago_id)[2:]]
    assert granted == ["2026-03-07", "2026-03-14"]
    assert org.get(path)["wallet"]["recurring_transaction_rules"] == []


def alert(code: str = "low", **fields: Any) -> dict[str, Any]:
    """Return an alert on the credits of a wallet, as the API takes it."""
    thresholds = [{"value": 80, "code": "warn"}, {"value": "50"}]
    return {
        "alert_type": "wallet_credits_balance",
        "code": code,
        "thresholds": thresholds,
        **fields,
    }


def test_money_e48_alerts_are_told_on_the_way_down(org: Org, receiver: Receiver) -> None:
    org.clock(JANUARY)
    add_customer(org)
    endpoint = {"webhook_url": receiver.url, "event_types": ["alert.triggered"]}
    org.post("/webhook_endpoints", {"webhook_endpoint": endpoint})
    lago_id = add_wallet(org, code="purse", granted_credits="100")["lago_id"]
    steps = [{"value": value} for value in (8000, 5000, 2000)]
    wanted = alert("cents", alert_type="wallet_balance_amount", thresholds=steps)
    made = org.post(ALERTS, {"alert": wanted})["alert"]
    assert (made["direction"], made["previous_value"]) == ("decreasing", "10000.0")
    assert (made["lago_wallet_id"], made["wallet_code"]) == (lago_id, "purse")
    for voided_credits in ("10", "20"):
        top_up(org, lago_id, voided_credits=voided_credits)
        org.drain()
    (told,) = receiver.wait_for("alert.triggered")
    payload = told.payload["triggered_alert"]
    assert (payload["previous_value"], payload["current_value"]) == ("9000.0", "7000.0")
    assert [one["value"] for one in payload["crossed_thresholds"]] == ["8000.0"]
    assert (payload["lago_wallet_id"], payload["wallet_code"]) == (lago_id, "purse")
    assert (payload["lago_subscription_id"], payload["external_customer_id"]) == (None, "c1")
    assert org.get(f"{ALERTS}/cents")["alert"]["previous_value"] == "7000.0"


def test_alerts_are_made_changed_and_deleted(org: Org) -> None:
    org.clock(JANUARY)
    add_customer(org)
    add_wallet(org, code="purse", granted_credits="100")
    made = org.post(ALERTS, {"alert": alert(name="Low")})["alert"]
    assert made["thresholds"] == [
        {"code": "warn", "value": "80.0", "recurring": False},
        {"code": None, "value": "50.0", "recurring": False},
    ]
    for wrong, errors in (
        (alert(alert_type="wallet_ongoing_balance_amount"), {"code": ["value_already_exist"]}),
        (alert("other"), {"base": ["alert_already_exists"]}),
        (alert("x", thresholds=[]), {"thresholds": ["value_is_mandatory"]}),
        (alert("x", alert_type="current_usage_amount"), {"alert_type": ["value_is_invalid"]}),
    ):
        assert org.post(ALERTS, {"alert": wrong}, 422)["error_details"] == errors
    several = [alert("b", alert_type="wallet_ongoing_balance_amount"), alert("c")]
    refused = org.post(ALERTS, {"alerts": several}, 422)
    assert refused["error_details"] == {"1": {"base": ["alert_already_exists"]}}
    assert len(org.post(ALERTS, {"alerts": several[:1]})["alerts"]) == 1
    change = {"alert": {"code": "lower", "name": None, "thresholds": [{"value": 5}]}}
    changed = org.call("PATCH", f"{ALERTS}/low", change)["alert"]
    assert (changed["code"], changed["name"], len(changed["thresholds"])) == ("lower", None, 1)
    assert org.put(f"{ALERTS}/b", {"alert": {"code": "lower"}}, 422)["error_details"] == {
        "code": ["value_already_exist"]
    }
    assert org.delete(f"{ALERTS}/lower")["alert"] == changed
    assert org.get(ALERTS)["meta"]["total_count"] == 1
    assert org.delete(ALERTS) is None
    assert org.get(f"{ALERTS}/b", 404)["code"] == "alert_not_found"
    assert org.get("/customers/c1/wallets/no/alerts", 404)["code"] == "wallet_not_found"
