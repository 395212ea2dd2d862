"""Fees: shown, found, and left alone once they stand on an invoice."""

from decimal import Decimal

from tests.support.billing import add_metric, add_plan, charge, only_invoice, send, subscribe
from tests.support.gateway import Org

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


def billed(org: Org) -> None:
    """Bill January to two customers."""
    org.clock("2026-01-01T00:00:00Z")
    calls, words = add_metric(org, "calls"), add_metric(org, "words")
    charges = [
        charge(calls, "standard", {"amount": "0.333"}),
        charge(words, "package", {"amount": "1", "package_size": 10, "free_units": 0}),
    ]
    add_plan(org, charges=charges)
    subscribe(org)
    subscribe(org, external_id="s2", customer="c2")
    send(org, "t1", "10", code="calls")
    send(org, "t2", "11", code="words")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)


def test_a_fee(org: Org) -> None:
    billed(org)
    invoice = only_invoice(org, "external_customer_id=c1")
    fees = {fee["item"]["code"]: fee for fee in invoice["fees"]}
    assert set(fees) == {"basic", "calls", "words"}
    calls = fees["calls"]
    assert org.get(f"/fees/{calls['lago_id']}")["fee"] == calls
    assert (calls["amount_cents"], calls["units"], calls["events_count"]) == (333, "10.0", 1)
    assert Decimal(calls["precise_amount"]) == Decimal("3.33")
    assert (calls["external_customer_id"], calls["external_subscription_id"]) == ("c1", "s1")
    assert calls["lago_invoice_id"] == invoice["lago_id"]
    assert calls["item"]["type"] == "charge"
    words = fees["words"]
    assert (words["amount_cents"], words["amount_details"]["per_package_size"]) == (200, 10)
    basic = fees["basic"]
    assert (basic["amount_cents"], basic["item"]["type"], basic["units"]) == (
        1000,
        "subscription",
        "1.0",
    )
    assert sum(fee["total_amount_cents"] for fee in fees.values()) == invoice["total_amount_cents"]
    assert org.get(f"/fees/{UNKNOWN}", 404)["code"] == "fee_not_found"


def test_filters(org: Org) -> None:
    billed(org)

    def count(query: str) -> int:
        return int(org.get(f"/fees?{query}")["meta"]["total_count"])

    assert count("") == 4, "three of one customer; the other used nothing"
    assert count("external_customer_id=c1") == count("external_subscription_id=s1") == 3
    assert count("fee_type=charge") == 2
    assert count("fee_type=subscription&external_customer_id=c2") == 1
    assert count("billable_metric_code=words") == 1
    assert count("currency=EUR") == 4
    assert count("currency=USD") == 0
    assert count("payment_status=pending") == 4
    assert count("created_at_from=2026-02-01T01:00:01Z") == 0
    assert count("created_at_from=2026-01-31T00:00:00Z&created_at_to=2026-02-02T00:00:00Z") == 4
    answer = org.get("/fees?created_at_from=yesterday", 422)
    assert answer["error_details"] == {"created_at_from": ["invalid_date"]}


def test_a_fee_on_an_invoice_cannot_be_changed(org: Org) -> None:
    billed(org)
    fee = only_invoice(org, "external_customer_id=c2")["fees"][0]
    path = f"/fees/{fee['lago_id']}"
    change = {"fee": {"payment_status": "succeeded"}}
    assert org.put(path, change, 405)["code"] == "invoiced_fee"
    assert org.delete(path, 405)["code"] == "invoiced_fee"
    assert org.get(path)["fee"] == fee
    org.put(f"/fees/{UNKNOWN}", change, 404)
    org.put(path, {"fee": {"payment_status": "perhaps"}}, 422)
