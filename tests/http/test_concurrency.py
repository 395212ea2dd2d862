"""Many clients at once: nothing fails, nothing is made twice, no number is skipped."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    current_usage,
    invoices,
    subscribe,
    usage_event,
)
from tests.support.gateway import Gateway, Org

CLIENTS = 20


def at_once(work: Callable[[int], httpx.Response], count: int = CLIENTS) -> list[httpx.Response]:
    """Run a request many times at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    """Count how the requests were answered."""
    return Counter(answer.status_code for answer in answers)


def test_writes_to_one_customer(any_gateway: Gateway) -> None:
    org = any_gateway.organization()

    def write(number: int) -> httpx.Response:
        notes = [{"key": f"k{number % 3}", "value": str(number)}]
        customer = {"external_id": "c1", "name": f"Name {number}", "metadata": notes}
        return org.http.post("/customers", json={"customer": customer})

    answers = at_once(write)
    assert statuses(answers) == {200: CLIENTS}
    assert len({answer.json()["customer"]["lago_id"] for answer in answers}) == 1
    assert org.get("/customers")["meta"]["total_count"] == 1
    (note,) = org.get("/customers/c1")["customer"]["metadata"]
    assert org.get("/customers/c1")["customer"]["name"] == f"Name {note['value']}"


def test_new_customers_get_numbers_in_a_row(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    answers = at_once(
        lambda number: org.http.post("/customers", json={"customer": {"external_id": f"c{number}"}})
    )
    assert statuses(answers) == {200: CLIENTS}
    numbers = sorted(answer.json()["customer"]["sequential_id"] for answer in answers)
    assert numbers == list(range(1, CLIENTS + 1))


def test_one_subscription_however_often_it_is_asked_for(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_plan(org, pay_in_advance=True)
    body = {
        "subscription": {
            "external_customer_id": "c1",
            "external_id": "s1",
            "plan_code": "basic",
        }
    }
    answers = at_once(lambda _: org.http.post("/subscriptions", json=body))
    assert statuses(answers) == {200: CLIENTS}
    assert len({answer.json()["subscription"]["lago_id"] for answer in answers}) == 1
    org.drain()
    assert org.get("/subscriptions")["meta"]["total_count"] == 1
    assert org.get("/customers")["meta"]["total_count"] == 1
    assert len(invoices(org)) == 1


def test_an_event_sent_by_many_is_stored_once(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    metric_id = add_metric(org, "usage")
    add_plan(org, amount_cents=0, charges=[charge(metric_id, "standard", {"amount": "1"})])
    subscribe(org)
    event = {"event": usage_event("t1")}
    assert statuses(at_once(lambda _: org.http.post("/events", json=event))) == {
        200: 1,
        422: CLIENTS - 1,
    }

    def batch(number: int) -> httpx.Response:
        events = [usage_event(f"own-{number}"), usage_event("shared")]
        return org.http.post("/events/batch", json={"events": events})

    assert statuses(at_once(batch)) == {200: 1, 422: CLIENTS - 1}
    assert org.get("/events")["meta"]["total_count"] == 3
    assert current_usage(org)["amount_cents"] == 300


def test_finalizing_many_drafts_of_one_customer_leaves_no_gap(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org)
    add_customer(org, billing_configuration={"invoice_grace_period": 5})
    for number in range(CLIENTS // 2):
        subscribe(org, external_id=f"s{number}", consolidate_invoice=False)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    drafts = invoices(org)
    assert len(drafts) == CLIENTS // 2

    def finalize(number: int) -> httpx.Response:
        # each draft is asked for twice
        draft = drafts[number % len(drafts)]
        return org.http.put(f"/invoices/{draft['lago_id']}/finalize")

    assert statuses(at_once(finalize)) == {200: CLIENTS // 2, 404: CLIENTS // 2}
    found = invoices(org)
    assert sorted(one["sequential_id"] for one in found) == list(range(1, CLIENTS // 2 + 1))
    assert len({one["number"] for one in found}) == CLIENTS // 2


def test_voiding_and_changing_at_once(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org)
    subscribe(org)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (invoice,) = invoices(org)
    path = f"/invoices/{invoice['lago_id']}"
    answers = at_once(lambda _: org.http.post(f"{path}/void"))
    assert statuses(answers) == {200: 1, 405: CLIENTS - 1}


def test_terminating_at_once_bills_once(any_gateway: Gateway) -> None:
    org: Org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, amount_cents=3100)
    subscribe(org)
    org.clock("2026-01-10T12:00:00Z")
    answers = at_once(lambda _: org.http.delete("/subscriptions/s1"))
    assert statuses(answers) == {200: 1, 404: CLIENTS - 1}
    org.drain()
    assert [one["total_amount_cents"] for one in invoices(org)] == [1000]


def test_a_balance_is_used_once_however_many_invoices_want_it(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "first", amount_cents=31000, pay_in_advance=True)
    add_plan(org, amount_cents=10000)
    subscribe(org, "first", "s-first")
    org.drain()
    add_customer(org, billing_configuration={"invoice_grace_period": 5})
    for number in range(CLIENTS // 2):
        subscribe(org, external_id=f"s{number}", consolidate_invoice=False)
    org.clock("2026-01-06T00:00:00Z")
    org.delete("/subscriptions/s-first")
    org.drain()
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    drafts = invoices(org, "status=draft")
    assert len(drafts) == CLIENTS // 2
    answers = at_once(
        lambda number: org.http.put(f"/invoices/{drafts[number]['lago_id']}/finalize"), len(drafts)
    )
    assert statuses(answers) == {200: len(drafts)}
    (note,) = org.get("/credit_notes")["credit_notes"]
    assert (note["credit_amount_cents"], note["balance_amount_cents"]) == (25000, 0)
    used = [answer.json()["invoice"]["credit_notes_amount_cents"] for answer in answers]
    assert sorted(used, reverse=True)[:4] == [10000, 10000, 5000, 0]
