"""Fees that stand on no invoice: taxed, told, paid, put together, or deleted."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.advance import ALONE, SEATS, fees, pay, shown
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
from tests.support.receiver import Receiver, receiving
from tests.support.usage import sold, tell

REGROUPED = {**ALONE, "regroup_paid_fees": "invoice"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def mark(org: Org, fee: dict[str, Any], status: str) -> dict[str, Any]:
    """Set a fee's payment status."""
    changed: dict[str, Any] = org.put(
        f"/fees/{fee['lago_id']}", {"fee": {"payment_status": status}}
    )["fee"]
    return changed


def test_a_fee_is_taxed_at_once_and_told(org: Org, receiver: Receiver) -> None:
    add_tax(org, "vat", "20", applied_to_organization=True)
    org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
    sold(org, ALONE)
    fee = pay(org, value=10)
    assert (fee["taxes_amount_cents"], fee["taxes_rate"], fee["total_amount_cents"]) == (
        200,
        20,
        1200,
    )
    assert [tax["tax_code"] for tax in fee["applied_taxes"]] == ["vat"]
    assert (fee["lago_invoice_id"], fee["invoiceable"], fee["pay_in_advance"]) == (
        None,
        False,
        True,
    )
    assert fee["events_count"] == 1
    (told,) = receiver.wait_for("fee.created")
    assert told.payload["fee"]["lago_id"] == fee["lago_id"]
    assert told.payload["fee"]["total_amount_cents"] == 1200


def test_payment_statuses_set_their_own_instant(org: Org) -> None:
    sold(org, ALONE)
    fee = pay(org, value=1)
    assert fee["payment_status"] == "pending"
    for status in ("succeeded", "failed", "refunded", "pending"):
        org.clock("2026-01-02T00:00:00Z")
        changed = mark(org, fee, status)
        instants = {name: changed[f"{name}_at"] for name in ("succeeded", "failed", "refunded")}
        assert changed["payment_status"] == status
        assert instants == {
            name: "2026-01-02T00:00:00Z" if name == status else None for name in instants
        }
    mark(org, fee, "failed")
    assert len(fees(org, "payment_status=failed&failed_at_from=2026-01-02T00:00:00Z")) == 1
    assert fees(org, "failed_at_from=2026-01-02T00:00:01Z") == []
    assert fees(org, "succeeded_at_to=2026-02-02T00:00:01Z") == []


def test_a_deleted_fee_is_gone_and_its_event_is_not_charged_again(org: Org) -> None:
    sold(org, ALONE)
    fee = pay(org, value=1)
    path = f"/fees/{fee['lago_id']}"
    assert org.delete(path)["fee"]["lago_id"] == fee["lago_id"]
    org.get(path, 404)
    org.put(path, {"fee": {"payment_status": "succeeded"}}, 404)
    org.delete(path, 404)
    org.run("charge_in_advance")
    assert fees(org) == []


def test_paid_fees_are_put_on_one_invoice(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_tax(org, "vat", "20", applied_to_organization=True)
    sold(org, REGROUPED, properties={"amount": "0.33"}, plan={"amount_cents": 500})
    first, second, unpaid = (pay(org, value=1) for _ in range(3))
    mark(org, first, "succeeded")
    mark(org, second, "succeeded")
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    mark(org, unpaid, "succeeded")
    (found,) = invoices(org, "invoice_type=advance_charges")
    assert [fee["lago_id"] for fee in found["fees"]] == [first["lago_id"], second["lago_id"]]
    assert (found["status"], found["payment_status"]) == ("finalized", "succeeded")
    # the tax of 0.33 is 0.066, rounded to 7 cents for each fee; 13 cents together would be wrong
    assert (found["fees_amount_cents"], found["taxes_amount_cents"]) == (66, 14)
    assert (found["total_amount_cents"], found["total_due_amount_cents"]) == (80, 0)
    (tax,) = found["applied_taxes"]
    assert (tax["amount_cents"], tax["fees_amount_cents"]) == (14, 66)
    (period,) = found["billing_periods"]
    assert period["invoicing_reason"] == "in_advance_charge_periodic"
    org.clock("2026-03-01T00:30:00Z", catch_up=True)
    _, later = invoices(org, "invoice_type=advance_charges")
    assert [fee["lago_id"] for fee in later["fees"]] == [unpaid["lago_id"]]
    assert len(invoices(org, "invoice_type=subscription")) == 2


def test_paid_fees_of_the_running_period_wait_unless_the_subscription_ends(org: Org) -> None:
    sold(org, REGROUPED)
    mark(org, pay(org, value=1), "succeeded")
    org.clock("2026-02-01T00:30:00Z")
    mark(org, pay(org, value=1), "succeeded")
    org.run("bill_customers")
    (january,) = invoices(org, "invoice_type=advance_charges")
    assert len(january["fees"]) == 1
    org.delete("/subscriptions/s1")
    org.drain()
    assert len(invoices(org, "invoice_type=advance_charges")) == 2


def test_one_charge_that_asks_speaks_for_all(org: Org) -> None:
    """8.21: fees of the plan's other charges come along."""
    org.clock("2026-01-01T00:00:00Z")
    calls, words = add_metric(org, "calls"), add_metric(org, "words")
    charges = [
        charge(calls, "standard", {"amount": "1"}, **REGROUPED),
        charge(words, "standard", {"amount": "2"}, **ALONE),
    ]
    add_plan(org, charges=charges)
    subscribe(org)
    send(org, "t1", "1", code="calls")
    send(org, "t2", "1", code="words")
    org.drain()
    for fee in fees(org):
        mark(org, fee, "succeeded")
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    (found,) = invoices(org, "invoice_type=advance_charges")
    assert sorted(fee["amount_cents"] for fee in found["fees"]) == [100, 200]


def test_without_regrouping_paid_fees_get_no_invoice(org: Org) -> None:
    sold(org, ALONE)
    mark(org, pay(org, value=1), "succeeded")
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    assert invoices(org, "invoice_type=advance_charges") == []


def test_seats_are_renewed_even_in_a_grace_period_and_where_there_are_none(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_customer(org, billing_configuration={"invoice_grace_period": 5})
    add_tax(org, "vat", "10", applied_to_organization=True)
    sold(org, ALONE, metric={**SEATS, "recurring": True}, properties={"amount": "5"})
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    (none,) = fees(org)
    assert shown(none) == ("0.0", 0)
    pay(org, value="a")
    org.clock("2026-03-01T00:30:00Z", catch_up=True)
    renewal = fees(org)[-1]
    assert (shown(renewal), renewal["taxes_amount_cents"]) == (("1.0", 500), 50)
    assert renewal["lago_invoice_id"] is None
    (draft,) = invoices(org, "status=draft")
    org.put(f"/invoices/{draft['lago_id']}/refresh")
    org.drain()
    assert len(fees(org)) == 3
    assert tell(org)["amount_cents"] == 500
