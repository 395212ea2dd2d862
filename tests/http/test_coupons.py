"""Coupons through HTTP: what they are, who gets them, and when they end."""

from typing import Any

import pytest

from tests.support.billing import add_customer, add_metric, add_plan, charge
from tests.support.coupons import add_coupon, give, held
from tests.support.gateway import Org

NOW = "2026-01-01T00:00:00Z"
LATER = "2026-02-01T00:00:00Z"
FORBIDDEN = "only_one_limitation_type_per_coupon_allowed"
RECURRING: dict[str, Any] = {"frequency": "recurring", "frequency_duration": 3}


@pytest.fixture
def shop(org: Org) -> Org:
    """Return an organization with customers c1 and c2, a plan basic and its metric usage."""
    org.clock(NOW)
    add_plan(org, charges=[charge(add_metric(org, "usage"), "standard", {"amount": "1"})])
    add_customer(org)
    add_customer(org, "c2")
    return org


def test_a_new_coupon(shop: Org) -> None:
    made = add_coupon(
        shop,
        description="Welcome",
        reusable=False,
        expiration="time_limit",
        expiration_at=LATER,
        applies_to={"plan_codes": ["basic"]},
        **RECURRING,
    )
    assert made == {
        "lago_id": made["lago_id"],
        "name": "Ten",
        "code": "ten",
        "description": "Welcome",
        "coupon_type": "fixed_amount",
        "amount_cents": 1000,
        "amount_currency": "EUR",
        "reusable": False,
        "limited_plans": True,
        "plan_codes": ["basic"],
        "limited_billable_metrics": False,
        "billable_metric_codes": [],
        "percentage_rate": None,
        "frequency": "recurring",
        "frequency_duration": 3,
        "expiration": "time_limit",
        "expiration_at": LATER,
        "created_at": NOW,
        "terminated_at": None,
    }
    add_coupon(shop, "half", percentage_rate="50", amount_cents=5)
    assert [one["code"] for one in shop.get("/coupons")["coupons"]] == ["ten", "half"]
    change = {"percentage_rate": "12.5", "applies_to": {"billable_metric_codes": ["usage"]}}
    changed = shop.put("/coupons/half", {"coupon": change})["coupon"]
    assert (changed["percentage_rate"], changed["amount_cents"]) == ("12.5", None)
    assert changed["billable_metric_codes"] == ["usage"]
    assert changed["reusable"] is True
    assert shop.get("/coupons/half")["coupon"] == changed
    assert shop.delete("/coupons/half")["coupon"] == changed
    shop.get("/coupons/half", 404)
    add_coupon(shop, "half")


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"code": "ten"}, 422, {"code": ["value_already_exist"]}),
        ({"amount_cents": None}, 422, {"amount_cents": ["value_is_mandatory"]}),
        ({"amount_currency": None}, 422, {"amount_currency": ["value_is_mandatory"]}),
        ({"amount_cents": 0}, 422, {"amount_cents": ["value_is_out_of_range"]}),
        ({"amount_cents": -5}, 422, {"amount_cents": ["value_is_out_of_range"]}),
        ({"amount_cents": 10**18}, 422, {"amount_cents": ["value_is_out_of_range"]}),
        ({"coupon_type": "percentage"}, 422, {"percentage_rate": ["value_is_mandatory"]}),
        ({"percentage_rate": "100.1"}, 422, {"percentage_rate": ["value_is_out_of_range"]}),
        ({"percentage_rate": "0.000001"}, 422, {"percentage_rate": ["value_is_out_of_range"]}),
        ({"coupon_type": "gift"}, 422, {"coupon_type": ["value_is_invalid"]}),
        ({"frequency": "recurring"}, 422, {"frequency_duration": ["value_is_mandatory"]}),
        ({"frequency": "often"}, 422, {"frequency": ["value_is_invalid"]}),
        ({"expiration": "time_limit"}, 422, {"expiration_at": ["value_is_mandatory"]}),
        (
            {"expiration": "time_limit", "expiration_at": NOW},
            422,
            {"expiration_at": ["invalid_date"]},
        ),
        ({"expiration_at": "soon"}, 422, {"expiration_at": ["invalid_date"]}),
        ({"applies_to": {"plan_codes": ["no"]}}, 404, "plans_not_found"),
        ({"applies_to": {"billable_metric_codes": ["no"]}}, 404, "billable_metrics_not_found"),
        (
            {"applies_to": {"plan_codes": ["basic"], "billable_metric_codes": ["usage"]}},
            405,
            FORBIDDEN,
        ),
    ],
)
def test_coupons_that_are_refused(
    refusing: Org, fields: dict[str, Any], status: int, said: object
) -> None:
    coupon = {
        "name": "New",
        "code": "new",
        "coupon_type": "fixed_amount",
        "amount_cents": 1,
        "amount_currency": "EUR",
        "frequency": "once",
        "expiration": "no_expiration",
        **fields,
    }
    answer = refusing.post("/coupons", {"coupon": coupon}, status)
    assert (answer["error_details"] if status == 422 else answer["code"]) == said
    assert refusing.get("/coupons")["meta"]["total_count"] == 1


@pytest.fixture(scope="module")
def refusing(gateway: Any) -> Org:
    """Return an organization with one coupon, for requests that change nothing."""
    org: Org = gateway.organization()
    org.clock(NOW)
    add_plan(org, charges=[charge(add_metric(org, "usage"), "standard", {"amount": "1"})])
    add_coupon(org)
    return org


def test_a_customer_gets_a_coupon(shop: Org) -> None:
    add_coupon(shop)
    given = give(shop, amount_cents=250, **RECURRING)
    owner = shop.get("/customers/c1")["customer"]
    assert given == {
        "lago_id": given["lago_id"],
        "lago_coupon_id": shop.get("/coupons/ten")["coupon"]["lago_id"],
        "coupon_code": "ten",
        "coupon_name": "Ten",
        "coupon_status": "active",
        "coupon_deleted_at": None,
        "lago_customer_id": owner["lago_id"],
        "external_customer_id": "c1",
        "status": "active",
        "amount_cents": 250,
        "amount_cents_remaining": None,
        "amount_currency": "EUR",
        "percentage_rate": None,
        "frequency": "recurring",
        "frequency_duration": 3,
        "frequency_duration_remaining": 3,
        "expiration_at": None,
        "created_at": NOW,
        "terminated_at": None,
    }
    once = give(shop, customer="c2", frequency="once", percentage_rate="5")
    assert (once["amount_cents_remaining"], once["percentage_rate"]) == (1000, None)
    assert shop.get("/applied_coupons")["applied_coupons"] == [
        {**once, "credits": []},
        {**given, "credits": []},
    ]
    assert held(shop, "c2") == [{**once, "credits": []}]
    assert shop.get("/applied_coupons?coupon_code[]=no")["applied_coupons"] == []
    assert len(shop.get("/applied_coupons?coupon_code[]=ten")["applied_coupons"]) == 2
    ended = shop.delete(f"/customers/c1/applied_coupons/{given['lago_id']}")["applied_coupon"]
    assert (ended["status"], ended["terminated_at"]) == ("terminated", NOW)
    assert held(shop) == []
    assert len(held(shop, status="terminated")) == 1
    for other in (f"c2/applied_coupons/{given['lago_id']}", "c1/applied_coupons/no"):
        assert shop.delete(f"/customers/{other}", 404)["code"] == "applied_coupon_not_found"
    shop.get("/customers/no/applied_coupons", 404)


def test_only_words_and_expiry_change_once_it_is_given(shop: Org) -> None:
    add_coupon(shop)
    give(shop)
    change = {"name": "New", "code": "new", "amount_cents": 1, "expiration_at": LATER}
    changed = shop.put("/coupons/ten", {"coupon": {**change, "expiration": "time_limit"}})
    assert (changed["coupon"]["name"], changed["coupon"]["code"]) == ("New", "ten")
    assert (changed["coupon"]["amount_cents"], changed["coupon"]["expiration_at"]) == (1000, LATER)


def refused(org: Org, status: int, code: str, **terms: Any) -> Any:
    """Give c1 what must be refused; return the details, or the code when there are none."""
    body = {"external_customer_id": "c1", "coupon_code": code, **terms}
    answer = org.post("/applied_coupons", {"applied_coupon": body}, status)
    return answer.get("error_details") or answer["code"]


def test_coupons_that_are_not_given(shop: Org) -> None:
    shop.post("/taxes", {"tax": {"name": "T", "code": "t", "rate": 1}})
    add_coupon(shop, "single", reusable=False)
    assert refused(shop, 404, "no") == "coupon_not_found"
    assert refused(shop, 404, "single", external_customer_id="no") == "customer_not_found"
    wrong = {"frequency_duration": ["value_is_mandatory"]}
    assert refused(shop, 422, "single", frequency="recurring") == wrong
    wrong = {"amount_cents": ["value_is_out_of_range"]}
    assert refused(shop, 422, "single", amount_cents=-1) == wrong
    first = give(shop, "single")
    wrong = {"coupon": ["coupon_is_not_reusable"]}
    assert refused(shop, 422, "single") == wrong
    shop.delete(f"/customers/c1/applied_coupons/{first['lago_id']}")
    assert refused(shop, 422, "single") == wrong, "not even after it was taken away"
    give(shop, "single", "c2")


def test_limited_coupons_must_not_meet(shop: Org) -> None:
    calls = add_metric(shop, "calls")
    add_plan(shop, "other", charges=[charge(calls, "standard", {"amount": "1"})])
    for code, limits in {
        "plan": {"plan_codes": ["basic"]},
        "metric": {"billable_metric_codes": ["usage"]},
        "plans": {"plan_codes": ["other", "basic"]},
        "calls": {"billable_metric_codes": ["calls"]},
    }.items():
        add_coupon(shop, code, applies_to=limits)
    add_coupon(shop, "open")
    give(shop, "plan")
    for code in ("plan", "metric", "plans"):
        assert refused(shop, 405, code) == "plan_overlapping"
    give(shop, "calls")
    give(shop, "open")
    give(shop, "open")
    give(shop, "metric", "c2")
    body = {"external_customer_id": "c2", "coupon_code": "plan"}
    shop.post("/applied_coupons", {"applied_coupon": body}, 405)


def test_a_coupon_expires_but_stays_with_those_who_have_it(shop: Org) -> None:
    add_coupon(shop, expiration="time_limit", expiration_at="2026-01-10T12:00:00Z")
    give(shop)
    shop.clock("2026-01-10T12:00:00Z")
    assert refused(shop, 404, "ten") == "coupon_not_found"
    shop.clock("2026-01-10T13:00:00Z", catch_up=True)
    assert shop.get("/coupons/ten")["coupon"]["terminated_at"] == "2026-01-10T12:30:00Z"
    (kept,) = held(shop)
    assert (kept["coupon_status"], kept["status"]) == ("terminated", "active")


def test_a_deleted_coupon_is_taken_from_everybody(shop: Org) -> None:
    add_coupon(shop)
    give(shop)
    give(shop, customer="c2")
    shop.delete("/coupons/ten")
    (gone,) = held(shop, "c2", "terminated")
    assert (gone["coupon_deleted_at"], gone["terminated_at"]) == (NOW, NOW)
    assert held(shop) == []
