"""Entries of wallets through HTTP: top-ups and their invoices, voids, and what took what."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.billing import add_customer, add_plan, invoices, only_invoice, subscribe
from tests.support.gateway import Gateway, Org
from tests.support.receiver import Receiver, receiving
from tests.support.wallets import add_wallet, entries, refused_top_up, taken, top_up, wallet

NOW = "2026-01-01T00:00:00Z"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def owner(org: Org) -> Org:
    """Return an organization with a customer c1, in January."""
    org.clock(NOW)
    add_customer(org, net_payment_term=10)
    return org


def pay(org: Org, invoice: dict[str, Any], status: str = "succeeded") -> Any:
    """Say how the payment of an invoice went."""
    change = {"invoice": {"payment_status": status}}
    return org.put(f"/invoices/{invoice['lago_id']}", change)["invoice"]


def billed(org: Org, cents: int, external_id: str = "s1") -> dict[str, Any]:
    """Bill an amount to c1 at once; return the newest invoice."""
    add_plan(org, external_id, amount_cents=cents, pay_in_advance=True)
    subscribe(org, external_id, external_id)
    org.drain()
    return invoices(org, "invoice_type=subscription")[-1]


def test_a_top_up_is_an_invoice_and_arrives_when_it_is_paid(owner: Org, receiver: Receiver) -> None:
    owner.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
    lago_id = add_wallet(owner, rate_amount="0.001", name="Tokens")["lago_id"]
    (entry,) = top_up(owner, lago_id, paid_credits="1034", name="Refill", priority=9)
    invoice = only_invoice(owner)
    assert entry == {
        "lago_id": entry["lago_id"],
        "lago_wallet_id": lago_id,
        "lago_invoice_id": invoice["lago_id"],
        "lago_credit_note_id": None,
        "lago_voided_invoice_id": None,
        "status": "pending",
        "source": "manual",
        "transaction_status": "purchased",
        "transaction_type": "inbound",
        "amount": "1.03",
        "credit_amount": "1030.0",
        "remaining_amount_cents": None,
        "remaining_credit_amount": None,
        "priority": 9,
        "settled_at": None,
        "failed_at": None,
        "created_at": NOW,
        "name": "Refill",
        "invoice_requires_successful_payment": False,
        "metadata": [],
        "applied_invoice_custom_sections": [],
        "payment_method": {"payment_method_id": None, "payment_method_type": "provider"},
        "purchase_order_number": None,
    }
    assert (invoice["invoice_type"], invoice["status"]) == ("credit", "finalized")
    assert (invoice["total_amount_cents"], invoice["taxes_amount_cents"]) == (103, 0)
    assert invoice["payment_due_date"] == "2026-01-11"
    (fee,) = invoice["fees"]
    assert (fee["item"]["type"], fee["units"]) == ("credit", "1030.0")
    assert fee["precise_unit_amount"] == "0.001", "10.28: what one credit costs is told"
    (told,) = receiver.wait_for("invoice.paid_credit_added")
    assert told.payload["invoice"]["lago_id"] == invoice["lago_id"]
    assert wallet(owner, lago_id)["balance_cents"] == 0
    pay(owner, invoice)
    pay(owner, invoice, "pending")
    pay(owner, invoice)
    found = owner.get(f"/wallet_transactions/{entry['lago_id']}")["wallet_transaction"]
    assert (found["status"], found["settled_at"]) == ("settled", NOW)
    assert (found["remaining_amount_cents"], found["remaining_credit_amount"]) == (103, "1030.0")
    held = wallet(owner, lago_id)
    assert (held["balance_cents"], held["credits_balance"]) == (103, "1030.0"), "once"
    (updated,) = receiver.wait_for("wallet_transaction.updated")
    assert updated.payload["wallet_transaction"]["status"] == "settled"
    assert not receiver.of_type("invoice.created")


def test_a_payment_that_fails_and_succeeds_later(owner: Org) -> None:
    lago_id = add_wallet(owner)["lago_id"]
    top_up(owner, lago_id, paid_credits="5")
    invoice = only_invoice(owner)
    pay(owner, invoice, "failed")
    (entry,) = entries(owner, lago_id)
    assert (entry["status"], entry["failed_at"]) == ("failed", NOW)
    pay(owner, invoice)
    (entry,) = entries(owner, lago_id)
    assert (entry["status"], entry["failed_at"]) == ("settled", None)
    pay(owner, invoice, "failed")
    assert wallet(owner, lago_id)["balance_cents"] == 500, "what has arrived stays"


def test_an_invoice_that_must_be_paid_first_is_hidden_until_then(
    owner: Org, receiver: Receiver
) -> None:
    owner.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
    lago_id = add_wallet(owner, invoice_requires_successful_payment=True)["lago_id"]
    (entry,) = top_up(owner, lago_id, paid_credits="5")
    assert entry["invoice_requires_successful_payment"]
    assert invoices(owner) == []
    place = f"/invoices/{entry['lago_invoice_id']}"
    owner.get(place, 404)
    owner.clock("2026-01-03T00:00:00Z")
    paid = owner.put(place, {"invoice": {"payment_status": "succeeded"}})["invoice"]
    assert (paid["status"], paid["payment_status"]) == ("finalized", "succeeded")
    assert (paid["issuing_date"], paid["payment_due_date"]) == ("2026-01-03", "2026-01-03")
    assert paid["number"].endswith("-001")
    assert wallet(owner, lago_id)["balance_cents"] == 500
    receiver.wait_for("invoice.paid_credit_added")


def test_a_voided_top_up_can_be_paid_no_more(owner: Org) -> None:
    lago_id = add_wallet(owner)["lago_id"]
    top_up(owner, lago_id, paid_credits="5")
    owner.post(f"/invoices/{only_invoice(owner)['lago_id']}/void")
    (entry,) = entries(owner, lago_id)
    assert entry["status"] == "failed"


def test_money_e23_a_void_in_fractions(owner: Org) -> None:
    lago_id = add_wallet(owner, granted_credits="100")["lago_id"]
    (entry,) = top_up(owner, lago_id, voided_credits="14.28444999")
    assert (entry["credit_amount"], entry["amount"]) == ("14.28444", "14.28")
    held = wallet(owner, lago_id)
    assert (held["credits_balance"], held["balance_cents"]) == ("85.71556", 8572)
    assert held["consumed_credits"] == "14.28444"
    top_up(owner, lago_id, voided_credits="85.71556")
    held = wallet(owner, lago_id)
    assert (held["credits_balance"], held["balance_cents"]) == ("0.0", 0), "10.21: together"


def test_money_e29_granted_credits_are_used_by_age_and_priority(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock(NOW)
    add_customer(org)
    lago_id = add_wallet(org)["lago_id"]
    first, second = (top_up(org, lago_id, granted_credits=one)[0] for one in ("30", "50"))
    invoice = billed(org, 6000)
    assert (invoice["prepaid_credit_amount_cents"], invoice["total_amount_cents"]) == (6000, 0)
    assert invoice["payment_status"] == "succeeded"
    outbound = entries(org, lago_id)[-1]
    assert (outbound["lago_invoice_id"], outbound["amount"]) == (invoice["lago_id"], "60.0")
    assert taken(org, outbound, "funding") == [3000, 3000]
    assert [taken(org, one, "consumption") for one in (first, second)] == [[3000], [3000]]
    assert [one["remaining_amount_cents"] for one in entries(org, lago_id)[:2]] == [0, 2000]
    top_up(org, lago_id, voided_credits="20")
    wanted = [("25", 2), ("25", 2), ("20", 1), ("30", 2)]
    for credit_amount, priority in wanted:
        top_up(org, lago_id, granted_credits=credit_amount, priority=priority)
    billed(org, 8000, "s2")
    outbound = entries(org, lago_id)[-1]
    assert sorted(taken(org, outbound, "funding")) == [1000, 2000, 2500, 2500]
    left = [one["remaining_amount_cents"] for one in entries(org, lago_id, "status=settled")[-5:-1]]
    assert left == [0, 0, 0, 2000]
    (listed,) = org.get(f"/wallet_transactions/{first['lago_id']}/consumptions")[
        "wallet_transaction_consumptions"
    ]
    assert (listed["credit_amount"], listed["wallet_transaction"]["transaction_status"]) == (
        "30.0",
        "invoiced",
    )


def test_money_e30_what_was_granted_and_what_was_bought(owner: Org) -> None:
    lago_id = add_wallet(owner, granted_credits="30")["lago_id"]
    top_up(owner, lago_id, paid_credits="70")
    pay(owner, only_invoice(owner))
    invoice = billed(owner, 8000)
    assert invoice["prepaid_granted_credit_amount_cents"] == 3000
    assert invoice["prepaid_purchased_credit_amount_cents"] == 5000
    assert [one["remaining_amount_cents"] for one in entries(owner, lago_id)] == [0, 2000, None]
    half = add_wallet(owner, rate_amount="0.5", granted_credits="100")["lago_id"]
    (granted,) = entries(owner, half)
    assert granted["amount"] == "50.0"
    voids = [top_up(owner, half, voided_credits=one)[0] for one in ("60", "40")]
    assert [taken(owner, one, "funding") for one in voids] == [[3000], [2000]]


def test_a_void_of_one_entry_and_no_other(owner: Org) -> None:
    lago_id = add_wallet(owner)["lago_id"]
    first, second = (top_up(owner, lago_id, granted_credits=one)[0] for one in ("30", "50"))
    target = {"voided_transaction_id": second["lago_id"]}
    assert refused_top_up(owner, lago_id, voided_credits="51", **target) == {
        "voided_credits": ["exceeds_remaining_transaction_amount"]
    }
    assert top_up(owner, lago_id, voided_credits="20", **target)[0]["amount"] == "20.0"
    assert top_up(owner, lago_id, **target)[0]["amount"] == "30.0", "all that is left"
    assert refused_top_up(owner, lago_id, **target) == {
        "voided_transaction_id": ["no_remaining_amount"]
    }
    assert [one["remaining_amount_cents"] for one in entries(owner, lago_id)[:2]] == [3000, 0]
    other = add_wallet(owner)["lago_id"]
    unknown = refused_top_up(owner, other, 404, voided_transaction_id=first["lago_id"])
    assert unknown == "wallet_transaction_not_found"


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"paid_credits": 5}, {"paid_credits": ["invalid_paid_credits", "invalid_amount"]}),
        (
            {"granted_credits": "x"},
            {"granted_credits": ["invalid_granted_credits", "invalid_amount"]},
        ),
        ({"voided_credits": "10.01"}, {"voided_credits": ["insufficient_credits"]}),
        ({"voided_credits": "0.001"}, {"voided_credits": ["amount_rounds_to_zero"]}),
        ({"paid_credits": "21"}, {"paid_credits": ["amount_above_maximum"]}),
        ({"priority": 0}, {"priority": ["value_is_out_of_range"]}),
        (
            {"metadata": [{"key": "k" * 21, "value": "v"}]},
            {"metadata.0.key": ["value_is_too_long"]},
        ),
        (
            {"metadata": [{"key": str(n), "value": "v"} for n in range(16)]},
            {"metadata": ["invalid_count"]},
        ),
    ],
)
def test_entries_that_cannot_be(
    owner: Org, fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    lago_id = add_wallet(owner, granted_credits="10", paid_top_up_max_amount_cents=2000)["lago_id"]
    assert refused_top_up(owner, lago_id, **{"granted_credits": "1", **fields}) == errors
    assert len(entries(owner, lago_id)) == 1


def test_lists_limits_and_links(owner: Org) -> None:
    lago_id = add_wallet(owner, paid_top_up_max_amount_cents=2000)["lago_id"]
    assert top_up(owner, lago_id, paid_credits=None, granted_credits="0") == []
    made = top_up(
        owner, lago_id, paid_credits="30", granted_credits="2", ignore_paid_top_up_limits=True
    )
    assert [one["transaction_status"] for one in made] == ["purchased", "granted"]
    assert [one["status"] for one in entries(owner, lago_id, "status=pending")] == ["pending"]
    assert len(entries(owner, lago_id, "transaction_type=nonsense")) == 2
    bought, granted = (f"/wallet_transactions/{one['lago_id']}" for one in made)
    for place, code in (
        (bought, "no_linked_payment_provider"),
        (granted, "wallet_transaction_not_purchased"),
    ):
        assert owner.post(f"{place}/payment_url", None, 422)["error_details"] == {"base": [code]}
    pay(owner, only_invoice(owner))
    settled = owner.post(f"{bought}/payment_url", None, 422)["error_details"]
    assert settled == {"base": ["wallet_transaction_already_settled"]}
    wrong = owner.get(f"{granted}/fundings", 422)["error_details"]
    assert wrong == {"transaction_type": ["invalid_transaction_type"]}


def test_what_a_void_returns_is_returned_once(owner: Org) -> None:
    lago_id = add_wallet(owner, granted_credits="10", rate_amount="2")["lago_id"]
    ended = add_wallet(owner, granted_credits="1", priority=1)["lago_id"]
    invoice = billed(owner, 1500)
    assert invoice["prepaid_credit_amount_cents"] == 1500
    owner.delete(f"/wallets/{ended}")
    owner.post(f"/invoices/{invoice['lago_id']}/void")
    owner.post(f"/invoices/{invoice['lago_id']}/void", None, 405)
    held = wallet(owner, lago_id)
    assert (held["balance_cents"], held["consumed_credits"]) == (2000, "0.0")
    back = entries(owner, lago_id)[-1]
    assert (back["lago_voided_invoice_id"], back["credit_amount"]) == (invoice["lago_id"], "7.0")
    assert wallet(owner, ended)["balance_cents"] == 0, "only active wallets get it back"
    shown = owner.get(f"/invoices/{invoice['lago_id']}")["invoice"]
    assert shown["prepaid_credit_amount_cents"] == 1500


def test_10_11_a_preview_says_what_the_invoice_will(owner: Org) -> None:
    lago_id = add_wallet(owner, granted_credits="7")["lago_id"]
    add_plan(owner, pay_in_advance=True)
    asked = {"customer": {"external_id": "c1"}, "plan_code": "basic"}
    preview = owner.post("/invoices/preview", asked)["invoice"]
    assert (preview["prepaid_credit_amount_cents"], preview["total_amount_cents"]) == (700, 300)
    assert wallet(owner, lago_id)["balance_cents"] == 700
    subscribe(owner)
    owner.drain()
    assert only_invoice(owner)["prepaid_credit_amount_cents"] == 700
