"""Invoices: drafts, numbers, what may be done with them, and finding them."""

from typing import Any

import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    invoices,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org

JANUARY_20 = 1768910400


def billed_months(org: Org, until: str = "2026-04-01T01:00:00Z", **customer: Any) -> None:
    """Live from January on with a plan of 10.00 and 1.00 per unit."""
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    add_plan(org, charges=[charge(metric_id, "standard", {"amount": "1"})])
    add_customer(org, **customer)
    subscribe(org)
    org.clock(until, catch_up=True)


def with_grace(days: int) -> dict[str, Any]:
    """Return customer fields with a grace period."""
    return {"billing_configuration": {"invoice_grace_period": days}}


def test_a_draft_takes_late_events_until_it_is_final(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    billed_months(org, "2026-02-01T01:00:00Z", **with_grace(3))
    draft = only_invoice(org)
    assert (draft["status"], draft["total_amount_cents"]) == ("draft", 1000)
    assert draft["number"].endswith("-DRAFT")
    path = f"/invoices/{draft['lago_id']}"
    send(org, "late", "7", timestamp=JANUARY_20)
    assert only_invoice(org)["total_amount_cents"] == 1000, "drafts do not move by themselves"
    refreshed = org.put(f"{path}/refresh")["invoice"]
    assert refreshed["total_amount_cents"] == 1700
    assert {fee["created_at"] for fee in refreshed["fees"]} == {draft["created_at"]}
    send(org, "later", "1", timestamp=JANUARY_20)
    org.clock("2026-02-04T01:00:00Z", catch_up=True)
    final = only_invoice(org)
    assert (final["status"], final["total_amount_cents"]) == ("finalized", 1800)
    assert (final["issuing_date"], final["number"][-3:]) == ("2026-02-04", "001")
    send(org, "too-late", "1", timestamp=JANUARY_20)
    assert org.put(f"{path}/refresh")["invoice"]["total_amount_cents"] == 1800
    org.put(f"{path}/finalize", None, 404)
    org.clock("2026-03-10T01:00:00Z", catch_up=True)
    assert invoices(org)[-1]["total_amount_cents"] == 1000, "nor does it spill into February"


def test_a_draft_can_be_finalized_by_hand(org: Org) -> None:
    billed_months(org, "2026-02-01T01:00:00Z", **with_grace(10), net_payment_term=30)
    path = f"/invoices/{only_invoice(org)['lago_id']}"
    send(org, "late", "2", timestamp=JANUARY_20)
    org.clock("2026-02-03T00:00:00Z")
    final = org.put(f"{path}/finalize")["invoice"]
    assert (final["status"], final["total_amount_cents"]) == ("finalized", 1200)
    assert (final["issuing_date"], final["payment_due_date"]) == ("2026-02-03", "2026-03-05")
    assert final["payment_status"] == "pending"


def test_a_draft_can_be_deleted(org: Org) -> None:
    billed_months(org, "2026-02-01T01:00:00Z", **with_grace(3))
    path = f"/invoices/{only_invoice(org)['lago_id']}"
    org.delete(path)
    assert org.get(path, 404)["code"] == "invoice_not_found"
    org.clock("2026-03-05T01:00:00Z", catch_up=True)
    (second,) = invoices(org)
    assert second["number"].endswith("-001"), "a draft had no number to lose"
    assert org.delete(f"/invoices/{second['lago_id']}", 405)["code"] == "not_deletable"


def test_numbers_have_no_gaps(org: Org) -> None:
    billed_months(org, "2026-02-01T01:00:00Z", **with_grace(20))
    subscribe(org, external_id="s-other", customer="c-other")
    org.clock("2026-05-30T00:00:00Z", catch_up=True)
    found = invoices(org)
    assert {one["status"] for one in found} == {"finalized"}
    assert len(found) == 7
    assert sorted(
        one["sequential_id"] for one in found if one["customer"]["external_id"] == "c1"
    ) == [1, 2, 3, 4]
    prefix = org.get("/organizations")["organization"]["document_number_prefix"]
    assert {one["number"] for one in found} == {
        *(f"{prefix}-001-{number:03}" for number in range(1, 5)),
        *(f"{prefix}-002-{number:03}" for number in range(1, 4)),
    }


def test_numbers_of_a_billing_entity(org: Org) -> None:
    change = {"document_numbering": "per_organization", "document_number_prefix": "inv"}
    org.put("/organizations", {"organization": change})
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org)
    for name in ("c1", "c2"):
        subscribe(org, external_id=name, customer=name)
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    numbers = sorted(one["number"] for one in invoices(org))
    assert numbers == ["INV-202602-001", "INV-202602-002", "INV-202603-003", "INV-202603-004"]


def test_a_void_keeps_its_number(org: Org) -> None:
    billed_months(org, "2026-03-01T01:00:00Z")
    first, _ = invoices(org)
    path = f"/invoices/{first['lago_id']}"
    voided = org.post(f"{path}/void")["invoice"]
    assert (voided["status"], voided["number"]) == ("voided", first["number"])
    assert voided["voided_at"] == "2026-03-01T01:00:00Z"
    assert (voided["total_amount_cents"], voided["total_due_amount_cents"]) == (1000, 0)
    assert org.post(f"{path}/void", None, 405)["code"] == "not_voidable"
    change = {"invoice": {"payment_status": "succeeded"}}
    assert org.put(path, change, 405)["code"] == "update_on_voided_invoice"
    org.clock("2026-04-01T01:00:00Z", catch_up=True)
    assert [one["sequential_id"] for one in invoices(org)] == [1, 2, 3]


def test_what_a_draft_does_not_allow(org: Org) -> None:
    billed_months(org, "2026-02-01T01:00:00Z", **with_grace(3))
    path = f"/invoices/{only_invoice(org)['lago_id']}"
    notes = {"invoice": {"metadata": [{"key": "k", "value": "v"}]}}
    assert org.put(path, notes, 405)["code"] == "metadata_on_draft_invoice"
    paid = {"invoice": {"payment_status": "succeeded"}}
    assert org.put(path, paid, 405)["code"] == "payment_status_update_on_draft_invoice"
    assert org.post(f"{path}/void", None, 405)["code"] == "not_voidable"
    assert org.post(f"{path}/lose_dispute", None, 405)["code"] == "not_disputable"
    org.post(f"{path}/download", None, 404)


def test_metadata(org: Org) -> None:
    billed_months(org, "2026-02-01T01:00:00Z")
    path = f"/invoices/{only_invoice(org)['lago_id']}"

    def put(*notes: dict[str, str]) -> list[dict[str, str]]:
        found: list[dict[str, str]] = org.put(path, {"invoice": {"metadata": notes}})["invoice"][
            "metadata"
        ]
        return found

    first = put({"key": "order", "value": "7"}, {"key": "crm", "value": "x"})
    kept = put({"id": first[0]["lago_id"], "key": "order", "value": "8"})
    assert [(one["lago_id"], one["value"]) for one in kept] == [(first[0]["lago_id"], "8")]
    for notes, code in (
        ([{"key": f"k{n}", "value": "v"} for n in range(6)], "invalid_count"),
        ([{"key": "k" * 21, "value": "v"}], "value_is_too_long"),
        ([{"key": "k", "value": "v" * 141}], "value_is_too_long"),
    ):
        assert code in str(org.put(path, {"invoice": {"metadata": notes}}, 422))
    assert only_invoice(org)["metadata"] == kept
    assert [one["lago_id"] for one in org.get("/invoices?metadata[order]=8")["invoices"]] == [
        path.rpartition("/")[2]
    ]


def test_overdue_until_it_is_paid(org: Org) -> None:
    billed_months(org, "2026-02-01T01:00:00Z", net_payment_term=10)
    assert only_invoice(org)["payment_due_date"] == "2026-02-11"
    org.clock("2026-02-11T23:59:00Z", catch_up=True)
    assert only_invoice(org)["payment_overdue"] is False
    org.clock("2026-02-12T01:00:00Z", catch_up=True)
    overdue = only_invoice(org, "payment_overdue=true")
    path = f"/invoices/{overdue['lago_id']}"
    paid = org.put(path, {"invoice": {"payment_status": "succeeded"}})["invoice"]
    assert (paid["payment_status"], paid["payment_overdue"]) == ("succeeded", False)
    assert paid["total_paid_amount_cents"] == 0, "a status is a note, not a payment"
    org.clock("2026-02-20T01:00:00Z", catch_up=True)
    assert only_invoice(org)["payment_overdue"] is False


def test_a_lost_dispute_is_not_overdue(org: Org) -> None:
    billed_months(org, "2026-02-05T01:00:00Z")
    path = f"/invoices/{only_invoice(org)['lago_id']}"
    assert only_invoice(org)["payment_overdue"] is True
    lost = org.post(f"{path}/lose_dispute")["invoice"]
    assert lost["payment_dispute_lost_at"] == "2026-02-05T01:00:00.000Z"
    assert lost["payment_overdue"] is False
    assert only_invoice(org, "payment_dispute_lost=true")["lago_id"] == lost["lago_id"]


@pytest.mark.parametrize(("keeps", "count"), [(True, 1), (False, 0)])
def test_zero_invoices_are_kept_or_skipped(org: Org, *, keeps: bool, count: int) -> None:
    change = {"finalize_zero_amount_invoice": keeps}
    org.put("/organizations", {"organization": change})
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, amount_cents=0)
    subscribe(org)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    found = invoices(org)
    assert len(found) == count
    assert {(one["status"], one["payment_status"]) for one in found} <= {("finalized", "succeeded")}


def test_filters(org: Org) -> None:
    billed_months(org, "2026-03-01T01:00:00Z", name="Blue Bottle", **with_grace(3))
    subscribe(org, external_id="s2", customer="c2")
    org.clock("2026-04-01T01:00:00Z", catch_up=True)
    found = {one["number"]: one for one in invoices(org)}
    assert len(found) == 4, "two final and a draft of one customer, one of the other"

    def count(query: str) -> int:
        return int(org.get(f"/invoices?{query}")["meta"]["total_count"])

    assert count("") == 4
    assert count("status=draft") == count("status[]=draft") == 1
    assert count("statuses[]=draft&statuses[]=finalized") == 4
    assert count("external_customer_id=c2") == 1
    assert count("payment_status=pending") == 4
    assert count("issuing_date_from=2026-03-01&issuing_date_to=2026-04-01") == 2
    assert count("amount_from=1001") == 0
    assert count("amount_to=1000") == 4
    assert count("search_term=bottle") == 3
    assert count("currency=USD") == 0
    assert count("invoice_type=subscription") == 4
    assert count("payment_overdue=true") == 2
    newest = org.get("/invoices?per_page=3&page=1")
    assert [one["created_at"] for one in newest["invoices"]] == sorted(
        (one["created_at"] for one in newest["invoices"]), reverse=True
    )
    assert newest["meta"]["next_page"] == 2
    of_customer = org.get("/customers/c1/invoices?status[]=finalized")
    assert of_customer["meta"]["total_count"] == 2
    org.get("/invoices?amount_from=much", 422)
    org.get("/customers/no/invoices", 404)
