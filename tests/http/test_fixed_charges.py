"""Fixed charges through HTTP: in arrears, in advance, by the day, and changed on the way."""

from typing import Any

import pytest

from tests.support import evaluator
from tests.support.billing import add_customer, add_plan, add_tax, invoices, only_invoice, subscribe
from tests.support.gateway import Gateway, Org

ADD_ON = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
SEATS = "/plans/basic/fixed_charges/seat"


def seats(**fields: Any) -> dict[str, Any]:
    """Return ten seats at 10.00 each, in arrears."""
    return {
        "add_on_code": "seat",
        "charge_model": "standard",
        "units": 10,
        "properties": {"amount": "10"},
        **fields,
    }


def sold(org: Org, *fixed_charges: dict[str, Any], at: str, **plan: Any) -> None:
    """Subscribe s1 of c1 at an instant to a plan of nothing but these fixed charges."""
    org.clock(at)
    org.post("/add_ons", {"add_on": ADD_ON})
    add_plan(org, fixed_charges=list(fixed_charges), **{"amount_cents": 0, **plan})
    subscribe(org)
    org.drain()


def fixed_fees(org: Org) -> list[list[dict[str, Any]]]:
    """Return the fees of fixed charges of each invoice, the oldest first."""
    return [
        [fee for fee in one["fees"] if fee["item"]["type"] == "fixed_charge"]
        for one in invoices(org)
    ]


def amounts(org: Org) -> list[list[int]]:
    """Return their amounts in cents."""
    return [[fee["amount_cents"] for fee in fees] for fees in fixed_fees(org)]


def set_units(org: Org, units: object, path: str = SEATS, **fields: Any) -> None:
    """Change the units of the plan, or of what the path names, at once."""
    change = {"units": units, "apply_units_immediately": True, **fields}
    org.put(path, {"fixed_charge": change})
    org.drain()


def test_e45_by_the_day_in_arrears(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_tax(org, "vat", "20", applied_to_organization=True)
    price = {"amount": "310"}
    sold(org, seats(prorated=True, properties=price), at="2026-01-29T15:00:00Z")
    assert invoices(org) == [], "in arrears nothing is due at the start"
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    ((fee,),) = fixed_fees(org)
    assert (fee["amount_cents"], fee["units"], fee["total_aggregated_units"]) == (
        30000,
        "10.0",
        "10.0",
    )
    assert (fee["precise_amount"], fee["precise_unit_amount"]) == ("300.00002", "30.000002")
    assert (fee["taxes_amount_cents"], fee["pay_in_advance"]) == (6000, False)
    assert (fee["from_date"], fee["to_date"]) == ("2026-01-29T15:00:00Z", "2026-01-31T23:59:59Z")
    assert (fee["item"]["code"], fee["item"]["item_type"]) == ("seat", "AddOn")
    (period,) = only_invoice(org)["billing_periods"]
    assert period["fixed_charges_from_datetime"] == fee["from_date"]
    assert period["fixed_charges_to_datetime"] == fee["to_date"]
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    assert amounts(org) == [[30000], [310000]]


def test_e46_units_that_change_are_weighted_by_days(org: Org) -> None:
    sold(org, seats(units=20, prorated=True), at="2026-01-05T00:00:00Z", interval="weekly")
    org.clock("2026-01-11T10:00:00Z")
    set_units(org, 100)
    org.clock("2026-01-12T01:00:00Z", catch_up=True)
    ((fee,),) = fixed_fees(org)
    # 20 for six days and 100 for one of seven: 17.142857 + 14.285714
    assert (fee["amount_cents"], fee["units"]) == (31429, "100.0")
    assert fee["precise_amount"] == "314.28571"


def test_a_change_on_the_last_day_bills_the_whole_period(org: Org) -> None:
    sold(org, seats(), at="2026-01-01T00:00:00Z")
    org.clock("2026-01-31T23:00:00Z")
    set_units(org, 12)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert amounts(org) == [[12000]]


def test_units_of_the_next_period_wait_for_it(org: Org) -> None:
    sold(org, seats(), at="2026-01-01T00:00:00Z")
    org.clock("2026-01-20T00:00:00Z")
    set_units(org, 12, apply_units_immediately=False)
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    assert amounts(org) == [[10000], [12000]]


def test_e47_in_advance(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    sold(org, seats(pay_in_advance=True), at="2026-03-01T00:00:00Z")
    org.clock("2026-03-10T12:00:00Z")
    set_units(org, 5)
    set_units(org, 15)
    assert amounts(org) == [[10000], [0], [5000]]
    first, fewer, more = (fees[0] for fees in fixed_fees(org))
    assert (first["units"], fewer["units"], more["units"]) == ("10.0", "0.0", "5.0")
    assert more["precise_unit_amount"] == "10.0"
    assert {fee["pay_in_advance"] for fee in (first, fewer, more)} == {True}
    assert {(fee["from_date"], fee["to_date"]) for fee in (first, fewer, more)} == {
        ("2026-03-01T00:00:00Z", "2026-03-31T23:59:59Z")
    }
    last = invoices(org)[-1]
    assert (last["issuing_date"], last["status"]) == ("2026-03-10", "finalized")
    assert last["billing_periods"][0]["invoicing_reason"] == "in_advance_charge"
    org.clock("2026-04-01T01:00:00Z", catch_up=True)
    assert amounts(org)[-1] == [15000], "the renewal bills what there is"


@pytest.mark.parametrize(("units", "billed"), [([15], [5000]), ([5], [0]), ([5, 15], [0, 5000])])
def test_c24_more_units_are_billed_at_once_fewer_are_not_returned(
    org: Org, units: list[int], billed: list[int]
) -> None:
    sold(org, seats(pay_in_advance=True), at="2026-03-01T00:00:00Z")
    for wanted in units:
        set_units(org, wanted)
    assert amounts(org) == [[10000], *([amount] for amount in billed)]


def test_e47_added_by_the_day(org: Org) -> None:
    sold(org, at="2026-03-01T00:00:00Z")
    org.clock("2026-03-15T09:00:00Z")
    new = seats(pay_in_advance=True, prorated=True, apply_units_immediately=True)
    org.post("/plans/basic/fixed_charges", {"fixed_charge": new})
    org.drain()
    assert amounts(org) == [[5484]]
    org.clock("2026-04-01T01:00:00Z", catch_up=True)
    assert amounts(org) == [[5484], [10000]]


def test_days_are_those_of_the_customer(org: Org) -> None:
    add_customer(org, timezone="America/New_York")
    sold(org, at="2026-03-01T05:00:00Z")
    org.clock("2026-03-02T03:00:00Z")  # still the first of March in New York
    new = seats(pay_in_advance=True, prorated=True, apply_units_immediately=True)
    org.post("/plans/basic/fixed_charges", {"fixed_charge": new})
    org.drain()
    assert amounts(org) == [[10000]], "31 of 31 days, by UTC dates it would be 32"


def test_c22_in_advance_and_in_arrears_side_by_side(org: Org) -> None:
    price = {"properties": {"amount": "200"}}
    sold(
        org,
        *(
            seats(**price, code=f"{days}{advance}", prorated=days, pay_in_advance=advance)
            for days in (True, False)
            for advance in (True, False)
        ),
        at="2024-02-04T00:00:00Z",
        amount_cents=5_000_000,
    )
    assert amounts(org) == [[179_310, 200_000]]
    assert only_invoice(org)["fees_amount_cents"] == 379_310
    org.clock("2024-03-01T01:00:00Z", catch_up=True)
    assert amounts(org)[1] == [200_000, 179_310, 200_000, 200_000]
    periodic = invoices(org)[-1]
    assert periodic["fees"][0]["amount_cents"] == 4_482_759


def test_a_plan_in_advance_bills_them_on_its_first_invoice(org: Org) -> None:
    sold(
        org,
        seats(pay_in_advance=True),
        seats(code="later"),
        at="2026-01-01T00:00:00Z",
        pay_in_advance=True,
        amount_cents=500,
    )
    assert amounts(org) == [[10000]]
    assert only_invoice(org)["fees_amount_cents"] == 10500
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert amounts(org)[1] == [10000, 10000]
    org.clock("2026-02-10T12:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    assert amounts(org)[2] == [10000], "what ends pays only what it owes in arrears"


def test_a_month_that_was_ended_is_paid_by_the_day(org: Org) -> None:
    sold(org, seats(prorated=True), at="2026-01-01T00:00:00Z")
    org.clock("2026-01-10T12:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    assert amounts(org) == [[3226]]


def test_tiers(org: Org) -> None:
    tiers = [
        {"from_value": 0, "to_value": 10, "per_unit_amount": "5", "flat_amount": "2"},
        {"from_value": 11, "to_value": None, "per_unit_amount": "3", "flat_amount": "1"},
    ]
    graduated, volume = {"graduated_ranges": tiers}, {"volume_ranges": tiers}
    sold(
        org,
        seats(code="g", units=12, charge_model="graduated", properties=graduated),
        seats(code="v", units=12, charge_model="volume", properties=volume),
        seats(code="gp", units=12, charge_model="graduated", properties=graduated, prorated=True),
        seats(code="vp", units=12, charge_model="volume", properties=volume, prorated=True),
        seats(code="ga", charge_model="graduated", properties=graduated, pay_in_advance=True),
        at="2026-01-17T00:00:00Z",
    )
    org.clock("2026-01-20T00:00:00Z")
    set_units(org, 12, "/plans/basic/fixed_charges/ga")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    # full: 50 + 2 + 6 + 1 and 36 + 1; by 15 of 31 days: 24.19 + 2.90 + 3 and 17.42 + 1
    assert amounts(org) == [[5200], [1200], [5900, 3700, 3010, 1842, 5900]]
    details = fixed_fees(org)[2][0]["amount_details"]["graduated_ranges"]
    assert [tier["units"] for tier in details] == ["10.0", "2.0"]


def test_several_changes_of_one_update_share_an_invoice(org: Org) -> None:
    sold(
        org,
        seats(pay_in_advance=True),
        seats(pay_in_advance=True, code="more"),
        seats(code="later"),
        at="2026-01-01T00:00:00Z",
    )
    rows = org.get("/plans/basic")["plan"]["fixed_charges"]
    changed = [
        {"id": row["lago_id"], "units": 11 + number, "apply_units_immediately": True}
        for number, row in enumerate(rows)
    ]
    org.put("/plans/basic", {"plan": {"fixed_charges": changed}})
    org.drain()
    assert amounts(org) == [[10000, 10000], [1000, 2000]]


def test_units_of_ones_own(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    sold(org, seats(pay_in_advance=True), at="2026-01-01T00:00:00Z")
    subscribe(org, external_id="s2")
    own = "/subscriptions/s1/fixed_charges"
    assert [row["units"] for row in org.get(own)["fixed_charges"]] == ["10.0"]
    set_units(org, "12.5", f"{own}/seat")
    assert org.get(f"{own}/seat")["fixed_charge"]["units"] == "12.5"
    assert org.get(SEATS)["fixed_charge"]["units"] == "10.0", "the plan stays as it is"
    assert amounts(org) == [[10000], [10000], [2500]]
    set_units(org, 20)
    assert amounts(org)[3:] == [[10000]], "the plan's change passes it by"
    set_units(org, 1, f"{own}/seat", apply_units_immediately=False)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert sorted(amounts(org)[4]) == [1000, 20000]


def test_units_of_a_subscription_that_has_not_begun(org: Org) -> None:
    sold(org, seats(pay_in_advance=True), at="2026-01-01T00:00:00Z")
    subscribe(org, external_id="s2", subscription_at="2026-01-15T00:00:00Z")
    path = "/subscriptions/s2/fixed_charges/seat?subscription_status=pending"
    set_units(org, 3, path)
    assert org.get(path)["fixed_charge"]["units"] == "3.0"
    org.clock("2026-01-15T01:00:00Z", catch_up=True)
    assert amounts(org) == [[10000], [3000]]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("s1/fixed_charges/seat", {"units": "-1"}, 422, {"units": ["value_is_out_of_range"]}),
        ("s1/fixed_charges/seat", {"units": "many"}, 422, {"units": ["value_is_invalid"]}),
        (
            "s1/fixed_charges/seat",
            {"units": 1, "properties": {"amount": 1}},
            422,
            {"properties": ["invalid_amount"]},
        ),
        ("s1/fixed_charges/none", {"units": 1}, 404, "fixed_charge_not_found"),
        ("none/fixed_charges/seat", {"units": 1}, 404, "subscription_not_found"),
    ],
)
def test_what_is_refused(
    org: Org, path: str, body: dict[str, Any], status: int, code: object
) -> None:
    sold(org, seats(pay_in_advance=True), at="2026-01-01T00:00:00Z")
    refused = org.put(f"/subscriptions/{path}", {"fixed_charge": body}, status)
    assert refused.get("error_details", refused["code"]) == code
    assert org.get("/subscriptions/s1/fixed_charges/seat")["fixed_charge"]["units"] == "10.0"
    assert amounts(org) == [[10000]]


def test_nothing_is_billed_for_nothing(org: Org) -> None:
    sold(org, seats(pay_in_advance=True, units=0), seats(code="x", units=0), at="2026-01-01T00:00Z")
    assert invoices(org) == []
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert amounts(org) == [[]]


def test_taxes_of_their_own(org: Org) -> None:
    add_tax(org, "vat", "20", applied_to_organization=True)
    add_tax(org, "low", "5")
    sold(org, seats(tax_codes=["low"]), seats(code="x"), at="2026-01-01T00:00:00Z")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert [fee["taxes_amount_cents"] for fee in fixed_fees(org)[0]] == [500, 2000]


def test_a_draft_does_not_follow_what_is_paid_in_advance(org: Org) -> None:
    add_customer(org, billing_configuration={"invoice_grace_period": 5})
    sold(org, seats(pay_in_advance=True), seats(code="later"), at="2026-01-01T00:00:00Z")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert amounts(org) == [[10000], [10000, 10000]]
    set_units(org, 13)
    draft = next(one for one in invoices(org) if one["status"] == "draft")
    org.put(f"/invoices/{draft['lago_id']}/refresh")
    assert amounts(org) == [[10000], [10000, 10000], [3000]]
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    assert amounts(org)[3] == [13000, 10000]


def test_the_months_of_a_yearly_plan(org: Org) -> None:
    sold(
        org,
        seats(prorated=True, pay_in_advance=True),
        seats(code="later"),
        at="2026-01-16T00:00:00Z",
        interval="yearly",
        bill_fixed_charges_monthly=True,
    )
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    assert amounts(org) == [[5161], [10000, 10000], [10000, 10000]]


def test_a_yearly_plan_pays_them_once_a_year(org: Org) -> None:
    sold(
        org,
        seats(prorated=True, pay_in_advance=True),
        at="2026-07-02T00:00:00Z",
        interval="yearly",
        bill_charges_monthly=True,
    )
    org.clock("2027-01-01T01:00:00Z", catch_up=True)
    assert [found for found in amounts(org) if found] == [[5014], [10000]]  # 183 of 365 days


def test_c23_an_upgrade_credits_what_was_paid_for_the_same_add_on(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    one = {"units": 1, "prorated": True}
    advance = {**one, "pay_in_advance": True}
    org.post("/add_ons", {"add_on": {**ADD_ON, "code": "line"}})
    sold(
        org,
        seats(**advance, properties={"amount": "15"}),
        seats(**one, add_on_code="line", properties={"amount": "1"}),
        at="2023-08-01T00:00:00Z",
    )
    add_plan(
        org,
        "better",
        amount_cents=0,
        fixed_charges=[
            seats(**advance, properties={"amount": "100"}),
            seats(**advance, add_on_code="line", properties={"amount": "20"}),
        ],
    )
    org.clock("2023-08-21T10:00:00Z")
    subscribe(org, "better")
    org.drain()
    # 20 days of the old line in arrears; 3548 less 532 of 11 days, and the line, which is new
    assert amounts(org) == [[1500], [65, 3016, 710]]
    for fee in fixed_fees(org)[1]:
        told = org.get(f"/fees/{fee['lago_id']}/explain")["fee_explanation"]
        assert evaluator.amount_cents(told) == fee["amount_cents"]
    org.clock("2023-09-01T01:00:00Z", catch_up=True)
    assert amounts(org)[2] == [10000, 2000]


def test_a_downgrade_begins_with_its_own(org: Org) -> None:
    sold(
        org, seats(), seats(code="now", pay_in_advance=True), at="2026-01-01T00:00Z", amount_cents=9
    )
    cheap = seats(properties={"amount": "1"}, pay_in_advance=True, prorated=True)
    add_plan(org, "cheap", amount_cents=1, fixed_charges=[cheap])
    subscribe(org, "cheap")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert amounts(org) == [[10000], [10000, 1000]]
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    assert amounts(org)[2] == [1000]
