"""Which subscriptions of a customer share an invoice (subscriptions.md 11)."""

from typing import Any

from tests.support.billing import add_customer, add_plan, invoices, subscribe
from tests.support.gateway import Org

FEBRUARY = "2026-02-01T01:00:00Z"


def groups(found: list[dict[str, Any]]) -> list[list[str]]:
    """Return the subscriptions on each invoice."""
    return sorted(
        sorted(one["external_id"] for one in invoice["subscriptions"]) for invoice in found
    )


def lived_january(org: Org) -> None:
    """Have eight subscriptions that differ in what an invoice can have but one of."""
    org.clock("2026-01-01T08:00:00Z")
    org.post("/billing_entities", {"billing_entity": {"code": "other", "name": "Other"}})
    add_plan(org)
    add_plan(org, "weekly", interval="weekly")
    add_plan(org, "dollars", amount_currency="USD")
    add_customer(org)
    subscribe(org, external_id="a")
    subscribe(org, external_id="b")
    subscribe(org, "dollars", external_id="dollars")
    subscribe(org, external_id="entity", billing_entity_code="other")
    subscribe(org, external_id="alone", consolidate_invoice=False)
    subscribe(org, external_id="order", purchase_order_number="PO-1")
    subscribe(org, external_id="order2", purchase_order_number="PO-1")
    manual = {"payment_method_type": "manual"}
    made = subscribe(org, external_id="manual", payment_method=manual)
    assert made["payment_method"] == {"payment_method_id": None, **manual}
    org.drain()


def test_what_differs_never_shares_an_invoice(org: Org) -> None:
    lived_january(org)
    org.clock(FEBRUARY, catch_up=True)
    found = invoices(org)
    assert groups(found) == [
        ["a", "b"],
        ["alone"],
        ["dollars"],
        ["entity"],
        ["manual"],
        ["order", "order2"],
    ]
    by_first = {one["subscriptions"][0]["external_id"]: one for one in found}
    assert by_first["entity"]["billing_entity_code"] == "other"
    assert by_first["dollars"]["currency"] == "USD"
    assert by_first["order"]["purchase_order_number"] == "PO-1"
    assert by_first["alone"]["purchase_order_number"] is None


def test_changes_show_at_the_next_billing_day(org: Org) -> None:
    lived_january(org)
    path, body = "/subscriptions/b", {"purchase_order_number": "PO-1"}
    org.put(path, {"subscription": body})
    org.put(
        "/subscriptions/manual",
        {"subscription": {"payment_method": {"payment_method_type": "provider"}}},
    )
    org.put("/subscriptions/alone", {"subscription": {"consolidate_invoice": True}})
    org.put("/subscriptions/entity", {"subscription": {"billing_entity_code": None}})
    org.clock(FEBRUARY, catch_up=True)
    assert groups(invoices(org)) == [
        ["a", "alone", "entity", "manual"],
        ["b", "order", "order2"],
        ["dollars"],
    ]


def test_both_sides_of_an_upgrade_share_one_unless_they_differ(org: Org) -> None:
    org.clock("2026-01-01T08:00:00Z")
    org.post("/billing_entities", {"billing_entity": {"code": "other", "name": "Other"}})
    add_plan(org)
    add_plan(org, "dearer", amount_cents=3100, pay_in_advance=True)
    changes: dict[str, dict[str, Any]] = {
        "same": {},
        "alone": {"consolidate_invoice": False},
        "order": {"purchase_order_number": "PO-2"},
        "entity": {"billing_entity_code": "other"},
    }
    for external_id in changes:
        subscribe(org, external_id=external_id, customer=external_id)
    org.clock("2026-01-11T08:00:00Z")
    for external_id, fields in changes.items():
        subscribe(org, "dearer", external_id=external_id, customer=external_id, **fields)
    org.drain()
    found = {one: invoices(org, f"external_customer_id={one}") for one in changes}
    assert {one: len(rows) for one, rows in found.items()} == {
        "same": 1,
        "alone": 1,
        "order": 2,
        "entity": 2,
    }
    assert [one["billing_entity_code"] for one in found["entity"]] == ["default", "other"]
    assert [one["purchase_order_number"] for one in found["order"]] == [None, "PO-2"]


def test_a_payment_method_is_not_inherited_by_the_next_plan(org: Org) -> None:
    """Subscriptions.md 2.8."""
    add_plan(org)
    add_plan(org, "dearer", amount_cents=3100)
    subscribe(org, payment_method={"payment_method_type": "manual"})
    assert subscribe(org, "dearer")["payment_method"]["payment_method_type"] == "provider"
