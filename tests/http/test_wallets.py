"""Wallets through HTTP: by id and by customer and code, their settings, and their ends."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.billing import add_customer, add_metric
from tests.support.gateway import Gateway, Org
from tests.support.receiver import Receiver, receiving
from tests.support.wallets import add_wallet, entries, refused_top_up, top_up, wallet

NOW = "2026-01-01T00:00:00Z"
OF_C1 = "/customers/c1/wallets"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def owner(org: Org) -> Org:
    """Return an organization with a customer c1 whose currency nobody has said."""
    org.clock(NOW)
    add_customer(org)
    return org


def test_a_new_wallet(owner: Org) -> None:
    add_metric(owner, "calls")
    made = add_wallet(
        owner,
        name="Main purse",
        granted_credits="10.5",
        priority=3,
        applies_to={"fee_types": ["charge"], "billable_metric_codes": ["calls"]},
        metadata={"a": "b"},
        paid_top_up_min_amount_cents=500,
        purchase_order_number="PO-1",
        payment_method={"payment_method_type": "manual"},
    )
    customer = owner.get("/customers/c1")["customer"]
    assert customer["currency"] == "EUR", "a wallet says it"
    assert made == {
        "lago_id": made["lago_id"],
        "lago_customer_id": customer["lago_id"],
        "external_customer_id": "c1",
        "billing_entity_code": customer["billing_entity_code"],
        "status": "active",
        "currency": "EUR",
        "name": "Main purse",
        "code": "main_purse",
        "priority": 3,
        "rate_amount": "1.0",
        "credits_balance": "10.5",
        "balance_cents": 1050,
        "consumed_credits": "0.0",
        "created_at": NOW,
        "expiration_at": None,
        "last_balance_sync_at": NOW,
        "last_consumed_credit_at": None,
        "terminated_at": None,
        "invoice_requires_successful_payment": False,
        "applies_to": {"fee_types": ["charge"], "billable_metric_codes": ["calls"]},
        "recurring_transaction_rules": [],
        "ongoing_balance_cents": 0,
        "ongoing_usage_balance_cents": 0,
        "credits_ongoing_balance": "0.0",
        "credits_ongoing_usage_balance": "0.0",
        "paid_top_up_min_amount_cents": 500,
        "paid_top_up_max_amount_cents": None,
        "applied_invoice_custom_sections": [],
        "payment_method": {"payment_method_id": None, "payment_method_type": "manual"},
        "purchase_order_number": "PO-1",
        "metadata": {"a": "b"},
    }
    owner.drain()
    seen = wallet(owner, made["lago_id"])
    assert (seen["ongoing_balance_cents"], seen["credits_ongoing_balance"]) == (1050, "10.5")
    assert owner.get(f"{OF_C1}/main_purse")["wallet"] == seen
    assert owner.get("/wallets?external_customer_id=c1")["wallets"] == [seen]
    assert owner.get(OF_C1)["meta"]["total_count"] == 1


def test_codes_are_made_of_names_and_free_again_after_the_end(owner: Org) -> None:
    codes = [add_wallet(owner, **fields)["code"] for fields in ({}, {}, {}, {"name": " A-b 2!"})]
    seconds = 1767225600
    assert codes == ["default", f"default_{seconds}", f"default_{seconds + 1}", "a_b_2"]
    body = {"rate_amount": "1", "currency": "EUR", "code": "a_b_2"}
    taken = owner.post(OF_C1, {"wallet": body}, 422)
    assert taken["error_details"] == {"code": ["value_already_exist"]}
    ended = owner.delete(f"{OF_C1}/a_b_2")["wallet"]
    assert (ended["status"], ended["terminated_at"]) == ("terminated", "2026-01-01T00:00:00.000Z")
    assert owner.get(f"{OF_C1}/a_b_2")["wallet"] == ended, "it can be seen still"
    again = owner.post(OF_C1, {"wallet": body})["wallet"]
    assert owner.get(f"{OF_C1}/a_b_2")["wallet"]["lago_id"] == again["lago_id"]


def test_no_more_than_six_wallets_at_a_time(owner: Org) -> None:
    made = [add_wallet(owner, code=f"w{number}") for number in range(6)]
    body = {"external_customer_id": "c1", "rate_amount": "1", "currency": "EUR"}
    refused = owner.post("/wallets", {"wallet": body}, 422)
    assert refused["error_details"] == {"customer": ["wallet_limit_reached"]}
    owner.delete(f"/wallets/{made[0]['lago_id']}")
    owner.post("/wallets", {"wallet": body})


RULE = {"trigger": "threshold", "threshold_credits": "10", "paid_credits": "50"}


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"rate_amount": None}, {"rate_amount": ["value_is_mandatory"]}),
        ({"rate_amount": "0"}, {"rate_amount": ["value_is_out_of_range"]}),
        ({"rate_amount": "0.000001"}, {"rate_amount": ["value_is_out_of_range"]}),
        ({"currency": "XXX"}, {"currency": ["invalid_currency"]}),
        ({"currency": None}, {"currency": ["value_is_mandatory"]}),
        ({"priority": 51}, {"priority": ["value_is_out_of_range"]}),
        ({"expiration_at": "2025-12-31"}, {"expiration_at": ["invalid_date"]}),
        ({"paid_credits": 10}, {"paid_credits": ["invalid_paid_credits", "invalid_amount"]}),
        (
            {"granted_credits": "-1", "paid_credits": "NaN"},
            {
                "paid_credits": ["invalid_paid_credits", "invalid_amount"],
                "granted_credits": ["invalid_granted_credits", "invalid_amount"],
            },
        ),
        ({"paid_credits": "9" * 30}, {"paid_credits": ["invalid_paid_credits", "invalid_amount"]}),
        ({"paid_credits": "0.004"}, {"paid_credits": ["amount_rounds_to_zero"]}),
        (
            {"paid_credits": "4", "paid_top_up_min_amount_cents": 500},
            {"paid_credits": ["amount_below_minimum"]},
        ),
        (
            {"paid_credits": "6", "paid_top_up_max_amount_cents": 500},
            {"paid_credits": ["amount_above_maximum"]},
        ),
        (
            {"paid_top_up_min_amount_cents": 6, "paid_top_up_max_amount_cents": 5},
            {"paid_top_up_max_amount_cents": ["value_is_out_of_range"]},
        ),
        ({"applies_to": {"fee_types": ["x"]}}, {"applies_to": ["invalid_fee_types"]}),
        ({"applies_to": {"billable_metric_codes": ["x"]}}, {"applies_to": ["invalid_identifier"]}),
        (
            {"transaction_metadata": [{"key": str(n), "value": "v"} for n in range(6)]},
            {"transaction_metadata": ["invalid_count"]},
        ),
        (
            {"recurring_transaction_rules": [RULE, RULE]},
            {"recurring_transaction_rules": ["invalid_number_of_recurring_rules"]},
        ),
        *(
            (
                {"recurring_transaction_rules": [{**RULE, **wrong}]},
                {"recurring_transaction_rules": ["invalid_recurring_rule"]},
            )
            for wrong in (
                {"trigger": "never"},
                {"trigger": "interval", "interval": "daily"},
                {"method": "other"},
                {"threshold_credits": None},
                {"paid_credits": 5},
                {"method": "target"},
                {"method": "target", "target_ongoing_balance": "9"},
                {"expiration_at": "2025-01-01"},
                {"started_at": "soon"},
            )
        ),
        (
            {"recurring_transaction_rules": [RULE], "paid_top_up_max_amount_cents": 4000},
            {"recurring_transaction_rules": ["invalid_recurring_rule"]},
        ),
    ],
)
def test_wallets_that_cannot_be(
    owner: Org, fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    body = {"external_customer_id": "c1", "rate_amount": "1", "currency": "EUR", **fields}
    assert owner.post("/wallets", {"wallet": body}, 422)["error_details"] == errors
    assert owner.get(OF_C1)["wallets"] == []
    assert owner.get("/customers/c1")["customer"]["currency"] is None, "nothing is written"


def test_what_is_unknown(owner: Org) -> None:
    body = {"external_customer_id": "nobody", "rate_amount": "1", "currency": "EUR"}
    assert owner.post("/wallets", {"wallet": body}, 404)["code"] == "customer_not_found"
    other = {**body, "external_customer_id": "c1", "billing_entity_code": "nowhere"}
    assert owner.post("/wallets", {"wallet": other}, 404)["code"] == "billing_entity_not_found"
    assert owner.get("/wallets", 404)["code"] == "customer_not_found"
    assert owner.get("/wallets/nowhere", 404)["code"] == "wallet_not_found"
    assert owner.get(f"{OF_C1}/nowhere", 404)["code"] == "wallet_not_found"
    nowhere = "00000000-0000-0000-0000-000000000000"
    assert refused_top_up(owner, nowhere, 404, granted_credits="1") == "wallet_not_found"
    assert owner.get(f"/wallet_transactions/{nowhere}", 404)["code"] == (
        "wallet_transaction_not_found"
    )


def test_changes(owner: Org) -> None:
    add_metric(owner, "calls")
    made = add_wallet(owner, name="One", recurring_transaction_rules=[RULE])
    (rule,) = made["recurring_transaction_rules"]
    assert (rule["method"], rule["paid_credits"], rule["granted_credits"]) == (
        "fixed",
        "50.0",
        "0.0",
    )
    add_wallet(owner, code="other")
    taken = owner.put(f"{OF_C1}/one", {"wallet": {"code": "other"}}, 422)
    assert taken["error_details"] == {"code": ["value_already_exist"]}
    refused = owner.put(f"{OF_C1}/one", {"wallet": {"paid_top_up_max_amount_cents": 1}}, 422)
    assert refused["error_details"] == {"recurring_transaction_rules": ["invalid_recurring_rule"]}
    change: dict[str, Any] = {
        "name": None,
        "code": "two",
        "priority": 7,
        "rate_amount": "9",
        "expiration_at": "2026-12-31T00:00:00Z",
        "applies_to": {"billable_metric_codes": ["calls"]},
        "recurring_transaction_rules": [{"lago_id": rule["lago_id"], "threshold_credits": "20"}],
        "metadata": {"k": None},
    }
    changed = owner.call("PATCH", f"/wallets/{made['lago_id']}", {"wallet": change})["wallet"]
    assert (changed["name"], changed["code"], changed["priority"]) == (None, "two", 7)
    assert (changed["rate_amount"], changed["metadata"]) == ("1.0", {"k": None})
    assert changed["applies_to"] == {"fee_types": [], "billable_metric_codes": ["calls"]}
    (kept,) = changed["recurring_transaction_rules"]
    assert kept == {**rule, "threshold_credits": "20.0"}
    cleared = owner.put(
        f"{OF_C1}/two",
        {"wallet": {"applies_to": None, "expiration_at": None, "recurring_transaction_rules": []}},
    )["wallet"]
    assert cleared["applies_to"] == {"fee_types": [], "billable_metric_codes": []}
    assert (cleared["expiration_at"], cleared["recurring_transaction_rules"]) == (None, [])


@pytest.mark.parametrize("family", ["id", "code"])
def test_metadata(owner: Org, family: str) -> None:
    made = add_wallet(owner)
    path = f"/wallets/{made['lago_id']}" if family == "id" else f"{OF_C1}/default"
    place = f"{path}/metadata"
    assert owner.post(place, {"metadata": {"a": "b", "c": "d"}})["metadata"] == {"a": "b", "c": "d"}
    assert owner.call("PATCH", place, {"metadata": {"a": "x"}})["metadata"]["a"] == "x"
    assert owner.delete(f"{place}/c")["metadata"] == {"a": "x"}
    assert owner.get(path)["wallet"]["metadata"] == {"a": "x"}
    assert owner.delete(place) == {"metadata": None}


def test_10_23_what_a_wallet_holds_when_it_expires_is_entered_as_lost(
    any_gateway: Gateway, receiver: Receiver
) -> None:
    org = any_gateway.organization()
    org.clock(NOW)
    add_customer(org)
    types = ["wallet.terminated", "wallet_transaction.created"]
    org.post(
        "/webhook_endpoints",
        {"webhook_endpoint": {"webhook_url": receiver.url, "event_types": types}},
    )
    made = add_wallet(org, granted_credits="10", expiration_at="2026-01-20T00:00:00Z")
    lago_id = made["lago_id"]
    org.clock("2026-02-01T00:00:00Z", catch_up=True)
    ended = wallet(org, lago_id)
    assert (ended["status"], ended["balance_cents"]) == ("terminated", 1000)
    assert (ended["credits_balance"], ended["consumed_credits"]) == ("10.0", "0.0")
    assert ended["terminated_at"] == "2026-01-20T00:45:00.000Z", "the first tick after it"
    granted, lost = entries(org, lago_id)
    assert (lost["transaction_type"], lost["transaction_status"]) == ("outbound", "voided")
    assert (lost["amount"], lost["name"]) == ("10.0", "Expiry")
    assert granted["remaining_amount_cents"] == 0
    (told,) = receiver.wait_for("wallet.terminated")
    assert told.payload["wallet"]["balance_cents"] == 1000
    assert refused_top_up(org, lago_id, granted_credits="1") == {
        "wallet_id": ["wallet_is_terminated"]
    }


def test_wallets_end_with_their_customer(owner: Org) -> None:
    made = add_wallet(owner, granted_credits="10", recurring_transaction_rules=[RULE])
    owner.delete("/customers/c1")
    ended = wallet(owner, made["lago_id"])
    assert (ended["status"], ended["balance_cents"]) == ("terminated", 1000)
    assert ended["recurring_transaction_rules"] == []


def test_what_is_told(owner: Org, receiver: Receiver) -> None:
    owner.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
    made = add_wallet(owner, granted_credits="10")
    owner.drain()
    (created,) = receiver.wait_for("wallet.created")
    assert created.payload["object_type"] == "wallet"
    assert created.payload["wallet"]["balance_cents"] == 0
    (entry,) = receiver.wait_for("wallet_transaction.created")
    assert entry.payload["wallet_transaction"]["wallet"]["lago_id"] == made["lago_id"]
    (updated,) = receiver.wait_for("wallet.updated")
    assert updated.payload["wallet"]["balance_cents"] == 1000
    top_up(owner, made["lago_id"], voided_credits="10")
    owner.drain()
    (depleted,) = receiver.wait_for("wallet.depleted_ongoing_balance")
    assert depleted.payload["wallet"]["ongoing_balance_cents"] == 0
