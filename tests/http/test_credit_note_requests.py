"""Credit notes that callers ask for: what is accepted, what is refused, what adds up."""

from typing import Any

import pytest

from tests.support.billing import add_customer, add_plan, add_tax, only_invoice, subscribe
from tests.support.gateway import Gateway, Org


def billed(org: Org, *amounts: int, grace_days: int = 0) -> dict[str, Any]:
    """Return a customer's one invoice of these subscription fees, with a tax of 20 %."""
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "vat", "20", applied_to_organization=True)
    add_customer(org, billing_configuration={"invoice_grace_period": grace_days})
    for number, amount in enumerate(amounts):
        add_plan(org, f"p{number}", amount_cents=amount)
        subscribe(org, f"p{number}", f"s{number}")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    return only_invoice(org)


def wanted(invoice: dict[str, Any], *parts: tuple[int, int], **fields: Any) -> dict[str, Any]:
    """Return the body that takes back `(number of the fee, cents)` of an invoice."""
    items = [
        {"fee_id": invoice["fees"][number]["lago_id"], "amount_cents": cents}
        for number, cents in parts
    ]
    return {"credit_note": {"invoice_id": invoice["lago_id"], "items": items, **fields}}


def credit(org: Org, invoice: dict[str, Any], cents: int, *parts: tuple[int, int]) -> Any:
    """Make a note that becomes balance."""
    body = wanted(invoice, *parts, credit_amount_cents=cents)
    return org.post("/credit_notes", body)["credit_note"]


def estimated(org: Org, invoice: dict[str, Any], *parts: tuple[int, int]) -> Any:
    """Return what a note could be worth."""
    body = wanted(invoice, *parts)
    return org.post("/credit_notes/estimate", body)["estimated_credit_note"]


def refused(org: Org, body: dict[str, Any], status: int = 422) -> Any:
    """Return why a note is not made."""
    answer = org.post("/credit_notes", body, status)
    return answer.get("error_details") or answer["code"]


def test_notes_on_every_fee_give_back_the_invoice(any_gateway: Gateway) -> None:
    """E36: four fees of 6833; the last one is given back in parts, to the cent."""
    org = any_gateway.organization()
    invoice = billed(org, 6833, 6833, 6833, 6833)
    assert invoice["total_amount_cents"] == 32798
    notes = [credit(org, invoice, 8200, (number, 6833)) for number in range(3)]
    assert {note["taxes_amount_cents"] for note in notes} == {1367}
    for cents, asked, total in ((1367, 1640, 1640), (2233, 2680, 2680), (3233, 3879, 3878)):
        note = credit(org, invoice, asked, (3, cents))
        assert (note["total_amount_cents"], note["balance_amount_cents"]) == (total, total)
        notes.append(note)
    assert sum(note["total_amount_cents"] for note in notes) == 32798
    assert [note["number"][-6:] for note in notes] == [f"-CN00{n}" for n in range(1, 7)]
    more = wanted(invoice, (3, 1), credit_amount_cents=1)
    assert refused(org, more) == {"amount_cents": ["higher_than_remaining_fee_amount"]}


def test_the_last_note_pays_back_the_rounding(org: Org) -> None:
    """E35: two fees of 6833."""
    invoice = billed(org, 6833, 6833)
    first = credit(org, invoice, 8200, (0, 6833))
    last = credit(org, invoice, 8199, (1, 6833))
    assert (first["total_amount_cents"], last["total_amount_cents"]) == (8200, 8199)
    assert last["taxes_amount_cents"] == 1366
    assert invoice["total_amount_cents"] == 16399


def test_an_estimate(org: Org) -> None:
    invoice = billed(org, 1000, 500)
    found = estimated(org, invoice, (0, 600), (1, 500))
    assert found["max_creditable_amount_cents"] == 1320
    assert (found["max_refundable_amount_cents"], found["max_offsettable_amount_cents"]) == (
        0,
        1320,
    )
    assert (found["taxes_amount_cents"], found["taxes_rate"]) == (220, 20)
    assert found["sub_total_excluding_taxes_amount_cents"] == 1100
    assert [one["amount_cents"] for one in found["items"]] == [600, 500]
    assert [one["base_amount_cents"] for one in found["applied_taxes"]] == [1100]
    assert org.get("/credit_notes")["credit_notes"] == [], "nothing is written"


@pytest.mark.parametrize(
    ("parts", "amounts", "details"),
    [
        ([(0, -1)], {"credit_amount_cents": 1}, {"amount_cents": ["invalid_value"]}),
        (
            [(0, 600), (0, 600)],
            {"credit_amount_cents": 1440},
            {"amount_cents": ["higher_than_remaining_fee_amount"]},
        ),
        ([(0, 100)], {"credit_amount_cents": 122}, {"base": ["does_not_match_item_amounts"]}),
        (
            [(0, 0)],
            {"credit_amount_cents": 0},
            {"base": ["total_amount_must_be_positive"]},
        ),
        (
            [(0, 100)],
            {"refund_amount_cents": 120},
            {"refund_amount_cents": ["cannot_refund_unpaid_invoice"]},
        ),
        (
            [(0, 100)],
            {"credit_amount_cents": -1},
            {"credit_amount_cents": ["value_is_out_of_range"]},
        ),
        ([(0, 100)], {"reason": "whim"}, {"reason": ["value_is_invalid"]}),
        (
            [(0, 100)],
            {"credit_amount_cents": 120, "metadata": {"k" * 101: "v"}},
            {f"metadata.{'k' * 101}.[key]": ["value_is_too_long"]},
        ),
    ],
)
def test_refusals(
    org: Org, parts: list[tuple[int, int]], amounts: dict[str, Any], details: dict[str, Any]
) -> None:
    invoice = billed(org, 1000)
    assert refused(org, wanted(invoice, *parts, **amounts)) == details
    assert org.get("/credit_notes")["credit_notes"] == []


def test_what_is_not_there_cannot_be_credited(org: Org) -> None:
    invoice = billed(org, 1000)
    body = wanted(invoice, (0, 100), credit_amount_cents=120)
    body["credit_note"]["items"][0]["fee_id"] = invoice["lago_id"]
    assert refused(org, body, 404) == "fee_not_found"
    body["credit_note"]["invoice_id"] = "none"
    assert refused(org, body, 404) == "invoice_not_found"
    assert org.post("/credit_notes", {}, 400)["status"] == 400


def test_an_offset_settles_the_invoice(org: Org) -> None:
    invoice = billed(org, 1000)
    too_much = wanted(invoice, (0, 1000), credit_amount_cents=600, offset_amount_cents=600)
    note = org.post("/credit_notes", too_much)["credit_note"]
    assert (note["credit_amount_cents"], note["offset_amount_cents"]) == (600, 600)
    assert only_invoice(org)["total_due_amount_cents"] == 600
    other = billed_again(org)
    settled = wanted(other, (0, 1000), offset_amount_cents=600)
    assert refused(org, settled) == {"base": ["does_not_match_item_amounts"]}
    assert refused(org, wanted(other, (0, 1000), offset_amount_cents=1200)) == {
        "offset_amount_cents": ["higher_than_remaining_invoice_amount"]
    }
    org.post("/credit_notes", wanted(other, (0, 500), offset_amount_cents=600))
    found = org.get(f"/invoices/{other['lago_id']}")["invoice"]
    assert (found["total_due_amount_cents"], found["payment_status"]) == (0, "succeeded")


def billed_again(org: Org) -> dict[str, Any]:
    """Return the next month's invoice."""
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    newest = org.get("/invoices")["invoices"][0]
    found: dict[str, Any] = org.get(f"/invoices/{newest['lago_id']}")["invoice"]
    return found


def test_a_note_on_a_draft_follows_it(org: Org) -> None:
    invoice = billed(org, 1000, grace_days=3)
    path = f"/invoices/{invoice['lago_id']}"
    note = credit(org, invoice, 600, (0, 500))
    assert note["number"].endswith("-DRAFT-CN001")
    org.get(f"/credit_notes/{note['lago_id']}", 404)
    org.put("/plans/p0", {"plan": {"amount_cents": 3000}})
    org.put(f"{path}/finalize")
    shown = org.get(f"/credit_notes/{note['lago_id']}")["credit_note"]
    assert (shown["total_amount_cents"], shown["balance_amount_cents"]) == (1800, 1800)
    assert shown["items"][0]["amount_cents"] == 1500


def test_metadata_and_refund_status(org: Org) -> None:
    invoice = billed(org, 1000)
    fields = {"credit_amount_cents": 120, "reason": "order_change", "description": "Too many"}
    body = wanted(invoice, (0, 100), metadata={"a": "1", "b": None}, **fields)
    note = org.post("/credit_notes", body)["credit_note"]
    assert (note["reason"], note["description"]) == ("order_change", "Too many")
    assert note["metadata"] == {"a": "1", "b": None}
    path = f"/credit_notes/{note['lago_id']}"
    changed = org.put(path, {"credit_note": {"metadata": {"a": "2", "c": "3"}}})["credit_note"]
    assert changed["metadata"] == {"a": "2", "b": None, "c": "3"}
    many = {f"k{number}": "v" for number in range(48)}
    answer = org.put(path, {"credit_note": {"metadata": many}}, 422)
    assert answer["error_details"] == {"metadata": ["invalid_count"]}
    answer = org.put(path, {"credit_note": {"refund_status": "succeeded"}}, 422)
    assert answer["error_details"] == {"refund_status": ["value_is_invalid"]}
    org.put("/credit_notes/none", {"credit_note": {"metadata": {}}}, 404)


def test_voiding_gives_back_what_is_wished(any_gateway: Gateway) -> None:
    """E40: 12.00 credited, then half of it; what remains is a note that is void."""
    org = any_gateway.organization()
    invoice = billed(org, 1000)
    path = f"/invoices/{invoice['lago_id']}/void"
    wish = {"generate_credit_note": True, "credit_amount": 1201}
    answer = org.post(path, wish, 422)
    told = {"credit_refund_amount": ["total_amount_exceeds_invoice_amount"]}
    assert answer["error_details"] == told
    refund = {"generate_credit_note": True, "credit_amount": 1, "refund_amount": 1}
    assert org.post(path, refund, 422)["error_details"] == told, "nothing was paid"
    org.post(path, {"generate_credit_note": True, "credit_amount": -1}, 422)
    assert only_invoice(org)["status"] == "finalized"
    org.post(path, {"generate_credit_note": True, "credit_amount": 600})
    half, rest = org.get("/credit_notes")["credit_notes"][::-1]
    assert (half["total_amount_cents"], half["credit_status"]) == (600, "available")
    assert (rest["total_amount_cents"], rest["credit_status"]) == (600, "voided")
    assert rest["balance_amount_cents"] == 0
    nothing_left = wanted(invoice, (0, 1), credit_amount_cents=1)
    assert refused(org, nothing_left) == {"amount_cents": ["higher_than_remaining_fee_amount"]}


def test_voiding_with_notes_does_not_give_back_twice(org: Org) -> None:
    invoice = billed(org, 1000)
    credit(org, invoice, 600, (0, 500))
    paid_by_note = billed_again(org)
    assert paid_by_note["credit_notes_amount_cents"] == 600
    path = f"/invoices/{paid_by_note['lago_id']}/void"
    org.post(path, {"generate_credit_note": True, "credit_amount": 1200})
    newest, first = org.get("/credit_notes")["credit_notes"]
    assert (first["balance_amount_cents"], first["credit_status"]) == (0, "consumed")
    assert (newest["balance_amount_cents"], newest["credit_status"]) == (1200, "available")
