"""Minimum commitments: docs/rules/subscriptions.md 6, and the examples C7 to C13 of 13.3."""

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
from tests.support.evaluator import amount_cents
from tests.support.gateway import Gateway, Org

COMMITMENT = 1_000_000


def committed(org: Org, code: str = "basic", **fields: Any) -> dict[str, Any]:
    """Create a plan of 100.00 that brings in 10 000.00 a period, and usage of 1.00 a unit."""
    usage = charge(add_metric(org, f"usage-{code}"), "standard", {"amount": "1"})
    plan = {
        "amount_cents": 10_000,
        "charges": [usage],
        "minimum_commitment": {"amount_cents": COMMITMENT},
    }
    return add_plan(org, code, **(plan | fields))


def true_ups(org: Org) -> list[int]:
    """Return the amounts of all true-ups, the oldest first."""
    fees = [fee for one in invoices(org) for fee in one["fees"]]
    return [fee["amount_cents"] for fee in fees if fee["item"]["type"] == "commitment"]


def use(org: Org, transaction_id: str, units: int) -> None:
    """Send usage of the plan `basic`."""
    send(org, transaction_id, str(units), code="usage-basic")


@pytest.mark.parametrize(
    ("interval", "billing_time", "start", "until", "expected"),
    [
        # 2 of 29 days: 68 966 - 690 - 3000; a month later 1 000 000 - 10 000 - 1000
        pytest.param(
            "monthly",
            "calendar",
            "2024-02-28T10:00:00Z",
            "2024-04-02T00:00:00Z",
            [65_276, 989_000],
            id="C7",
        ),
        pytest.param(
            "monthly",
            "anniversary",
            "2024-02-28T10:00:00Z",
            "2024-03-29T00:00:00Z",
            [987_000],
            id="C8",
        ),
        pytest.param(
            "quarterly",
            "calendar",
            "2024-03-12T10:00:00Z",
            "2024-04-02T00:00:00Z",
            [214_582],
            id="C9-quarterly",
        ),
        pytest.param(
            "weekly",
            "calendar",
            "2024-03-12T10:00:00Z",
            "2024-03-19T00:00:00Z",
            [845_572],
            id="C9-weekly",
        ),
    ],
)
def test_c7_to_c9_in_arrears(  # noqa: PLR0913 - one column each
    org: Org, *, interval: str, billing_time: str, start: str, until: str, expected: list[int]
) -> None:
    org.clock(start)
    add_plan_with_every_usage(org, interval=interval)
    subscribe(org, billing_time=billing_time)
    for code in ("usage-basic", "event", "seats"):
        send(org, f"t-{code}", "10", code=code)
    org.drain()
    org.clock(until, catch_up=True)
    assert true_ups(org) == expected


def add_plan_with_every_usage(org: Org, **fields: Any) -> None:
    """Create a committed plan with usage in arrears, in advance and, in advance, recurring."""
    usage = charge(add_metric(org, "usage-basic"), "standard", {"amount": "1"})
    in_advance = [
        charge(metric_id, "standard", {"amount": "1"}, pay_in_advance=True)
        for metric_id in (add_metric(org, "event"), add_metric(org, "seats", recurring=True))
    ]
    agreed = {"amount_cents": COMMITMENT}
    charges = [usage, *in_advance]
    add_plan(org, amount_cents=10_000, charges=charges, minimum_commitment=agreed, **fields)


@pytest.mark.parametrize(
    ("billing_time", "start", "end", "units", "expected"),
    [
        # 302 of 366 days: 825 137 - 8251 - 8800
        pytest.param("calendar", "2024-03-05", "2025-01-01", 88, 808_086, id="C10-calendar"),
        pytest.param("anniversary", "2024-03-01", "2025-03-01", 89, 981_100, id="C10-anniversary"),
    ],
)
def test_c10_all_months_of_a_split_year_count(  # noqa: PLR0913 - one column each
    org: Org, *, billing_time: str, start: str, end: str, units: int, expected: int
) -> None:
    org.clock(f"{start}T00:00:00Z")
    committed(org, interval="yearly", bill_charges_monthly=True)
    subscribe(org, billing_time=billing_time)
    use(org, "t1", units)
    org.clock("2024-04-05T00:10:00Z", catch_up=True)
    assert [fee["amount_cents"] for fee in invoices(org)[0]["fees"]] == [units * 100]
    org.clock(f"{end}T00:10:00Z")
    org.run("bill_customers")
    assert true_ups(org) == [expected], "a month alone is not compared"


def test_c11_in_advance_a_period_is_compared_when_it_is_over(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2024-02-28T00:00:00Z")
    committed(org, pay_in_advance=True)
    subscribe(org)
    use(org, "t1", 70)
    org.clock("2024-03-02T00:00:00Z", catch_up=True)
    assert true_ups(org) == [61_276], "68 966 - 690 - 7000, and none at the start"
    use(org, "t2", 15)
    org.clock("2024-04-02T00:00:00Z", catch_up=True)
    assert true_ups(org)[1:] == [988_500]


def test_c12_the_end_of_a_plan_in_advance(org: Org) -> None:
    org.clock("2023-02-01T00:00:00Z")
    committed(org, interval="weekly", amount_cents=100_000, pay_in_advance=True)
    subscribe(org)
    org.clock("2023-02-15T10:00:00Z", catch_up=True)
    assert true_ups(org) == [642_857, 900_000]
    org.delete("/subscriptions/s1")
    org.drain()
    (note,) = org.get("/credit_notes")["credit_notes"]
    assert note["total_amount_cents"] == 57_143, "4 of 7 days, which the true-up leaves alone"
    assert true_ups(org)[2:] == [328_571], "3 of 7 days, less the whole fee"


def test_c13_a_downgrade_reconciles_the_last_period(org: Org) -> None:
    org.clock("2024-05-01T00:00:00Z")
    committed(org)
    add_plan(org, "small", amount_cents=100)
    subscribe(org)
    org.clock("2024-05-20T00:00:00Z")
    subscribe(org, "small")
    org.clock("2024-06-01T00:15:49Z")
    org.run("bill_customers")
    (rotation,) = invoices(org)
    assert [fee["amount_cents"] for fee in rotation["fees"]] == [10_000, 990_000]


@pytest.mark.parametrize("pay_in_advance", [False, True])
def test_the_day_of_an_upgrade_is_the_next_plans(org: Org, *, pay_in_advance: bool) -> None:
    org.clock("2024-06-01T00:00:00Z")
    committed(org, amount_cents=3000, pay_in_advance=pay_in_advance)
    committed(org, "large", amount_cents=6000, minimum_commitment={"amount_cents": 9000})
    subscribe(org)
    org.drain()
    org.clock("2024-06-11T10:00:00Z")
    subscribe(org, "large")
    org.drain()
    old = 333_333 - (3000 if pay_in_advance else 1000)
    assert true_ups(org) == [old], "10 of 30 days"
    org.clock("2024-07-02T00:00:00Z", catch_up=True)
    assert true_ups(org)[1:] == [6000 - 4000], "20 of 30 days"


def test_the_end_in_arrears_and_on_a_split_plan(org: Org) -> None:
    org.clock("2024-01-01T00:00:00Z")
    committed(org)
    committed(org, "split", interval="yearly", bill_charges_monthly=True)
    subscribe(org)
    subscribe(org, "split", "s2", "c2")
    org.clock("2024-02-20T10:00:00Z", catch_up=True)
    for name in ("s1", "s2"):
        org.delete(f"/subscriptions/{name}")
    org.drain()
    # 51 of 366 days, of the commitment as of the fee
    assert sorted(true_ups(org)) == [137_951, 682_758, 990_000]


def test_what_is_fixed_counts_and_free_days_do_not(org: Org) -> None:
    org.clock("2024-03-01T00:00:00Z")
    add_on = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
    org.post("/add_ons", {"add_on": add_on})
    seats = [
        {
            "code": code,
            "add_on_code": "seat",
            "charge_model": "standard",
            "units": 2,
            "pay_in_advance": pay_in_advance,
            "properties": {"amount": "5"},
        }
        for code, pay_in_advance in (("first", True), ("last", False))
    ]
    committed(org, trial_period=40, fixed_charges=seats)
    subscribe(org)
    org.clock("2024-04-02T00:00:00Z", catch_up=True)
    assert true_ups(org) == [COMMITMENT - 2000], "two times two seats of 5.00, and no fee"


def test_a_draft_follows_the_plan(org: Org) -> None:
    org.clock("2024-03-01T00:00:00Z")
    add_customer(org, billing_configuration={"invoice_grace_period": 5})
    committed(org)
    subscribe(org)
    org.clock("2024-04-01T12:00:00Z", catch_up=True)
    assert true_ups(org) == [990_000]
    org.put("/plans/basic", {"plan": {"minimum_commitment": {"amount_cents": 500_000}}})
    org.clock("2024-04-01T12:10:00Z", catch_up=True)
    assert true_ups(org) == [490_000]
    org.put("/plans/basic", {"plan": {"minimum_commitment": {}}})
    org.clock("2024-04-01T12:20:00Z", catch_up=True)
    assert true_ups(org) == []


def test_a_true_up_is_taxed_named_and_explained(org: Org) -> None:
    org.clock("2024-02-28T10:00:00Z")
    for code, rate in (("plan", "10"), ("own", "20")):
        add_tax(org, code, rate)
    agreed = {"amount_cents": COMMITMENT, "invoice_display_name": "Least", "tax_codes": ["own"]}
    committed(org, minimum_commitment=agreed, tax_codes=["plan"])
    subscribe(org)
    use(org, "t1", 30)
    org.clock("2024-03-01T00:30:00Z", catch_up=True)
    (invoice,) = invoices(org)
    fee = invoice["fees"][-1]
    assert (fee["amount_cents"], fee["units"], fee["precise_unit_amount"]) == (
        65_276,
        "1.0",
        "652.76",
    )
    assert (fee["item"]["type"], fee["item"]["invoice_display_name"]) == ("commitment", "Least")
    assert [tax["tax_code"] for tax in fee["applied_taxes"]] == ["own"]
    assert (fee["from_date"], fee["to_date"]) == ("2024-02-28T00:00:00Z", "2024-02-29T23:59:59Z")
    told = org.get(f"/fees/{fee['lago_id']}/explain")["fee_explanation"]
    assert told["explanation"]["proration"] == [{"units": "1.0", "days": 2, "period_days": 29}]
    assert amount_cents(told) == 65_276
    org.put("/plans/basic", {"plan": {"minimum_commitment": {"tax_codes": []}}})
    org.clock("2024-04-01T00:30:00Z", catch_up=True)
    last = invoices(org)[-1]["fees"][-1]
    assert [tax["tax_code"] for tax in last["applied_taxes"]] == ["plan"]


def test_a_plan_has_at_most_one(org: Org) -> None:
    add_tax(org, "vat", "20")
    agreed = {"amount_cents": 100, "invoice_display_name": "Least", "tax_codes": ["vat"]}
    made = committed(org, minimum_commitment=agreed)["minimum_commitment"]
    assert (made["plan_code"], made["interval"]) == ("basic", "monthly")
    assert (made["amount_cents"], made["invoice_display_name"]) == (100, "Least")
    assert [tax["code"] for tax in made["taxes"]] == ["vat"]

    def put(commitment: object, status: int = 200) -> Any:
        body = {"plan": {"minimum_commitment": commitment}}
        return org.put("/plans/basic", body, status).get("plan", {}).get("minimum_commitment")

    assert put(None)["lago_id"] == made["lago_id"], "null leaves it"
    changed = put({"amount_cents": 200})
    assert (changed["lago_id"], changed["amount_cents"]) == (made["lago_id"], 200)
    assert (changed["invoice_display_name"], len(changed["taxes"])) == ("Least", 1)
    assert put({}) is None
    assert put({}) is None, "taking it away twice is taking it away"
    put({"invoice_display_name": "x"}, 422)
    assert put({"amount_cents": 300})["lago_id"] != made["lago_id"]


@pytest.mark.parametrize(
    ("commitment", "status", "told"),
    [
        ({"amount_cents": 0}, 422, "value_is_out_of_range"),
        ({"amount_cents": "much"}, 422, "value_is_invalid"),
        ({"invoice_display_name": "x"}, 422, "value_is_mandatory"),
        ({"amount_cents": 1, "tax_codes": ["no"]}, 404, "tax_not_found"),
    ],
)
def test_a_commitment_is_checked(org: Org, commitment: object, status: int, told: str) -> None:
    plan = {
        "name": "p",
        "code": "p",
        "interval": "monthly",
        "amount_cents": 1,
        "amount_currency": "EUR",
        "pay_in_advance": False,
        "minimum_commitment": commitment,
    }
    assert told in str(org.post("/plans", {"plan": plan}, status))
    assert org.get("/plans")["plans"] == []
