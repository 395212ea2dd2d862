"""Credit notes of days that were paid and not used, and what they pay of later invoices."""

from typing import Any

import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    add_tax,
    charge,
    invoices,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org
from tests.support.receiver import receiving


def paying_first(org: Org, *, grace_days: int = 0, **plan: Any) -> None:
    """Live on 1 January with a plan of 31.00 a month in advance, a tax of 20 % and usage."""
    org.clock("2026-01-01T08:00:00Z")
    add_tax(org, "vat", "20", applied_to_organization=True)
    metric_id = add_metric(org, "usage")
    usage = charge(metric_id, "standard", {"amount": "1"})
    add_plan(org, **{"amount_cents": 3100, "pay_in_advance": True, "charges": [usage], **plan})
    add_customer(org, billing_configuration={"invoice_grace_period": grace_days})
    subscribe(org)
    org.drain()


def ended(org: Org, at: str = "2026-01-15T10:00:00Z", query: str = "") -> None:
    """End the subscription at an instant."""
    org.clock(at)
    org.delete(f"/subscriptions/s1?{query}")
    org.drain()


def credit_notes(org: Org, query: str = "") -> list[dict[str, Any]]:
    """Return the notes that are shown, the oldest first."""
    found: list[dict[str, Any]] = org.get(f"/credit_notes?{query}")["credit_notes"]
    return found[::-1]


def only_note(org: Org) -> dict[str, Any]:
    """Return the one note there is."""
    (found,) = credit_notes(org)
    return found


def test_unused_days_are_credited_and_pay_the_last_invoice(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    paying_first(org)
    send(org, "t1", "7")
    ended(org)
    first, last = invoices(org)
    note = only_note(org)
    assert (note["number"], note["sequential_id"]) == (f"{first['number']}-CN001", 1)
    assert (note["lago_invoice_id"], note["invoice_number"]) == (first["lago_id"], first["number"])
    assert (note["issuing_date"], note["reason"], note["currency"]) == (
        "2026-01-15",
        "other",
        "EUR",
    )
    # 16 of 31 days
    assert note["sub_total_excluding_taxes_amount_cents"] == 1600
    assert (note["taxes_amount_cents"], note["taxes_rate"]) == (320, 20)
    assert (note["total_amount_cents"], note["credit_amount_cents"]) == (1920, 1920)
    assert (note["refund_amount_cents"], note["offset_amount_cents"]) == (0, 0)
    assert (note["refund_status"], note["file_url"]) == (None, None)
    # 7.00 of usage and its tax were paid by it
    assert (last["credit_notes_amount_cents"], last["total_amount_cents"]) == (840, 0)
    assert (last["payment_status"], last["total_due_amount_cents"]) == ("succeeded", 0)
    assert (note["balance_amount_cents"], note["credit_status"]) == (1080, "available")
    (credit,) = last["credits"]
    assert credit.pop("lago_id")
    assert credit == {
        "amount_cents": 840,
        "amount_currency": "EUR",
        "before_taxes": False,
        "item": {
            "lago_item_id": note["lago_id"],
            "type": "credit_note",
            "code": note["number"],
            "name": first["number"],
        },
        "invoice": {"lago_id": last["lago_id"], "payment_status": "succeeded"},
    }
    shown = org.get(f"/credit_notes/{note['lago_id']}")["credit_note"]
    (item,) = shown["items"]
    assert (item["amount_cents"], item["precise_amount_cents"]) == (1600, "1600.0")
    assert item["fee"]["lago_id"] == first["fees"][0]["lago_id"]
    (tax,) = shown["applied_taxes"]
    assert (tax["tax_code"], tax["base_amount_cents"], tax["amount_cents"]) == ("vat", 1600, 320)
    assert org.get("/customers/c1/credit_notes")["credit_notes"] == [shown]


def test_nothing_is_credited(org: Org) -> None:
    """In arrears, when it is to be skipped, on the last day, and before a day began unpaid."""
    paying_first(org)
    add_plan(org, "arrears", amount_cents=3100)
    for name, plan in (("s2", "arrears"), ("s3", "basic"), ("s4", "basic")):
        subscribe(org, plan, name)
    org.drain()
    org.clock("2026-01-15T00:00:00Z")
    org.delete("/subscriptions/s2")
    org.delete("/subscriptions/s3?on_termination_credit_note=skip")
    org.clock("2026-01-31T23:00:00Z")
    org.delete("/subscriptions/s4")
    # the month that begins is not billed yet: ending on its first day leaves nothing to credit
    org.clock("2026-02-01T10:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    assert credit_notes(org) == []


def test_a_wish_is_checked(org: Org) -> None:
    paying_first(org)
    path = "/subscriptions/s1?on_termination_credit_note="
    refused = org.call("DELETE", f"{path}everything", None, 422)
    assert refused["error_details"] == {"on_termination_credit_note": ["invalid_value"]}
    assert org.get("/subscriptions/s1")["subscription"]["status"] == "active"


def test_nothing_paid_nothing_refunded(org: Org) -> None:
    paying_first(org)
    ended(org, query="on_termination_credit_note=refund")
    note = only_note(org)
    assert (note["refund_amount_cents"], note["credit_amount_cents"]) == (0, 1920)
    assert (note["refund_status"], note["credit_status"]) == (None, "available")


def test_an_offset_is_no_longer_due(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    paying_first(org)
    ended(org, query="on_termination_credit_note=offset")
    note = only_note(org)
    assert (note["offset_amount_cents"], note["credit_amount_cents"]) == (1920, 0)
    assert (note["balance_amount_cents"], note["credit_status"]) == (0, None)
    first, last = invoices(org)
    assert (first["total_amount_cents"], first["total_due_amount_cents"]) == (3720, 1800)
    assert (first["payment_status"], last["credits"]) == ("pending", [])


def test_an_offset_beyond_what_is_due_stays_with_the_customer(org: Org) -> None:
    paying_first(org)
    subscribe(org, external_id="s2")
    org.drain()
    org.clock("2026-01-01T20:00:00Z")
    org.delete("/subscriptions/s2")
    org.drain()
    assert only_note(org)["balance_amount_cents"] == 3600, "30 of 31 days"
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    february = invoices(org)[-1]
    assert (february["total_amount_cents"], february["credit_notes_amount_cents"]) == (120, 3600)
    org.clock("2026-02-01T02:00:00Z")
    org.delete("/subscriptions/s1?on_termination_credit_note=offset")
    org.drain()
    note = credit_notes(org)[-1]
    # 27 of 28 days, of which only 1.20 is still due
    assert (note["total_amount_cents"], note["offset_amount_cents"]) == (3587, 120)
    assert note["balance_amount_cents"] == 3467
    settled = org.get(f"/invoices/{february['lago_id']}")["invoice"]
    assert (settled["total_due_amount_cents"], settled["payment_status"]) == (0, "succeeded")


def test_a_note_is_a_draft_with_its_invoice(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    paying_first(org, grace_days=3)
    ended(org, "2026-01-02T10:00:00Z")
    first, last = invoices(org)
    assert (first["status"], last["status"]) == ("draft", "draft")
    assert credit_notes(org) == [], "drafts are not shown"
    # a dearer plan makes the draft, and with it the note, larger
    org.put("/plans/basic", {"plan": {"amount_cents": 6200}})
    refreshed = org.put(f"/invoices/{first['lago_id']}/refresh")["invoice"]
    assert refreshed["total_amount_cents"] == 7440
    final = org.put(f"/invoices/{first['lago_id']}/finalize")["invoice"]
    note = only_note(org)
    assert note["number"] == f"{final['number']}-CN001"
    assert (note["total_amount_cents"], note["balance_amount_cents"]) == (6960, 6960)
    assert note["items"][0]["fee"]["lago_id"] == final["fees"][0]["lago_id"]
    org.put(f"/invoices/{last['lago_id']}/refresh")
    assert only_note(org)["balance_amount_cents"] == 6960, "no draft is ever paid"


def test_a_deleted_draft_takes_its_note_along(org: Org) -> None:
    paying_first(org, grace_days=3)
    ended(org, "2026-01-02T10:00:00Z")
    first, _ = invoices(org)
    org.delete(f"/invoices/{first['lago_id']}")
    org.clock("2026-01-10T00:00:00Z", catch_up=True)
    assert credit_notes(org) == []


def test_a_note_is_consumed_over_several_invoices(org: Org) -> None:
    paying_first(org)
    subscribe(org, external_id="s2")
    org.drain()
    ended(org, "2026-01-01T20:00:00Z")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    march = "2026-03-01T01:00:00Z"
    add_customer(org, "other")
    subscribe(org, external_id="s3", customer="other")
    org.clock(march, catch_up=True)
    note = only_note(org)
    assert (note["balance_amount_cents"], note["credit_status"]) == (0, "consumed")
    mine = invoices(org, "external_customer_id=c1")
    assert [one["credit_notes_amount_cents"] for one in mine[-2:]] == [3600, 0]
    assert sum(one["credit_notes_amount_cents"] for one in mine) == note["credit_amount_cents"]
    others = invoices(org, "external_customer_id=other")
    assert {one["credit_notes_amount_cents"] for one in others} == {0}


def test_currencies_do_not_mix(org: Org) -> None:
    paying_first(org)
    add_plan(org, "dollars", amount_cents=2000, amount_currency="USD", pay_in_advance=True)
    ended(org)
    subscribe(org, "dollars", "s2")
    org.drain()
    dollars = invoices(org, "currency=USD")
    assert [one["credit_notes_amount_cents"] for one in dollars] == [0]
    assert only_note(org)["balance_amount_cents"] == 1920


def test_a_voided_invoice_gives_back_what_notes_paid(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    paying_first(org)
    send(org, "t1", "16")
    ended(org)
    first, last = invoices(org)
    note = only_note(org)
    assert (note["balance_amount_cents"], note["credit_status"]) == (0, "consumed")
    voided = org.post(f"/invoices/{last['lago_id']}/void")["invoice"]
    assert (voided["credit_notes_amount_cents"], len(voided["credits"])) == (1920, 1)
    note = only_note(org)
    assert (note["balance_amount_cents"], note["credit_status"]) == (1920, "available")
    # the credited invoice stands as long as its note does
    path = f"/invoices/{first['lago_id']}/void"
    assert org.post(path, None, 405)["code"] == "not_voidable"
    org.put(f"/credit_notes/{note['lago_id']}/void")
    assert org.post(path)["invoice"]["status"] == "voided"


def test_voiding_a_note(org: Org) -> None:
    paying_first(org)
    send(org, "t1", "7")
    ended(org)
    path = f"/credit_notes/{only_note(org)['lago_id']}"
    note = org.put(f"{path}/void")["credit_note"]
    assert (note["credit_status"], note["balance_amount_cents"]) == ("voided", 0)
    assert note["credit_amount_cents"] == 1920, "what was given stays written"
    assert org.put(f"{path}/void", None, 405)["code"] == "no_voidable_amount"
    _, last = invoices(org)
    org.post(f"/invoices/{last['lago_id']}/void")
    assert only_note(org)["balance_amount_cents"] == 0, "a voided note gets nothing back"
    org.put("/credit_notes/nothing/void", None, 404)


def test_filters(org: Org) -> None:
    paying_first(org)
    ended(org)
    (first, _) = invoices(org)

    def count(query: str) -> int:
        return int(org.get(f"/credit_notes?{query}")["meta"]["total_count"])

    assert count("") == count("external_customer_id=c1") == 1
    assert count("external_customer_id=c2") == count("search_term=nobody") == 0
    assert count("search_term=CN001") == count(f"invoice_number={first['number']}") == 1
    assert count("invoice_number=none") == count("self_billed=true") == 0
    assert count("currency=EUR&reason=other&credit_status=available") == 1
    assert count("refund_status=pending") == count("credit_status=voided") == 0
    assert count("issuing_date_from=2026-01-15&issuing_date_to=2026-01-15") == 1
    assert count("issuing_date_from=2026-01-16") == count("issuing_date_to=2026-01-14") == 0
    assert count("amount_from=1920&amount_to=1920") == 1
    assert count("amount_from=1921") == count("amount_to=1919") == 0
    code = org.get("/billing_entities")["billing_entities"][0]["code"]
    assert count(f"billing_entity_codes[]={code}") == 1
    unknown = org.get("/credit_notes?billing_entity_codes[]=none", 404)
    assert unknown["code"] == "billing_entity_not_found"
    for query in ("reason=none", "credit_status=none", "amount_from=much", "self_billed=maybe"):
        org.get(f"/credit_notes?{query}", 422)
    assert org.get("/customers/none/credit_notes", 404)["code"] == "customer_not_found"
    assert org.get("/credit_notes/none", 404)["code"] == "credit_note_not_found"


@pytest.mark.parametrize("grace_days", [0, 3])
def test_the_webhook_comes_when_a_note_is_final(org: Org, grace_days: int) -> None:
    with receiving() as receiver:
        endpoint = {"webhook_url": receiver.url, "event_types": ["credit_note.created"]}
        org.post("/webhook_endpoints", {"webhook_endpoint": endpoint})
        paying_first(org, grace_days=grace_days)
        ended(org, "2026-01-02T10:00:00Z")
        assert len(receiver.messages) == 0 or not grace_days
        org.clock("2026-01-10T00:00:00Z", catch_up=True)
        (message,) = receiver.wait_for("credit_note.created")
    told = message.payload["credit_note"]
    assert message.payload["object_type"] == "credit_note"
    assert told["number"] == only_note(org)["number"]
    assert told["customer"]["external_id"] == "c1"
    assert (told["total_amount_cents"], len(told["items"])) == (3480, 1)
