"""What an invoice would be: previews of new, ending, changing and continuing subscriptions."""

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

AMOUNTS = (
    "currency",
    "issuing_date",
    "payment_due_date",
    "fees_amount_cents",
    "taxes_amount_cents",
    "credit_notes_amount_cents",
    "total_amount_cents",
    "payment_status",
    "billing_entity_code",
    "purchase_order_number",
)
OF_FEE = ("amount_cents", "units", "taxes_amount_cents", "from_date", "to_date")


def preview(org: Org, **asked: Any) -> dict[str, Any]:
    """Preview an invoice."""
    found: dict[str, Any] = org.post("/invoices/preview", asked)["invoice"]
    return found


def of_known(org: Org, *external_ids: str, **wish: Any) -> dict[str, Any]:
    """Preview what the customer c1 would get for these subscriptions."""
    asked = {"external_ids": list(external_ids), **wish}
    return preview(org, customer={"external_id": "c1"}, subscriptions=asked)


def told(invoice: dict[str, Any]) -> dict[str, Any]:
    """Return what an invoice and its preview have in common: all that is not an id."""
    fees = [
        {"type": fee["item"]["type"], "code": fee["item"]["code"]}
        | {name: fee[name] for name in OF_FEE}
        for fee in invoice["fees"]
    ]
    periods = [
        {name: value for name, value in one.items() if not name.startswith("lago")}
        for one in invoice["billing_periods"]
    ]
    return {name: invoice[name] for name in AMOUNTS} | {"fees": fees, "periods": periods}


def everything(org: Org) -> dict[str, Any]:
    """Return all that a preview could have left behind."""
    lists = ("customers", "subscriptions", "invoices", "fees", "credit_notes")
    found = {one: org.get(f"/{one}?per_page=1000")[one] for one in lists}
    for invoice in found["invoices"]:
        invoice.pop("file_url")  # a link that is signed anew each time
    return found


def test_c29_a_new_subscription_in_arrears(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2024-03-30T08:00:00Z")
    add_tax(org, "vat", "50", applied_to_organization=True)
    add_plan(org, amount_cents=100)
    before = everything(org)
    found = preview(org, customer={"name": "Somebody", "currency": "EUR"}, plan_code="basic")
    # 2 of 31 days
    assert (found["fees_amount_cents"], found["taxes_amount_cents"]) == (6, 3)
    assert (found["total_amount_cents"], found["issuing_date"]) == (9, "2024-04-01")
    assert (found["number"], found["status"]) == ("", "finalized")
    assert found["payment_status"] == "pending"
    assert found["customer"]["name"] == "Somebody"
    (shown,) = found["subscriptions"]
    assert (shown["plan_code"], shown["status"]) == ("basic", "active")
    assert everything(org) == before


def test_c29_a_new_yearly_subscription_with_a_commitment(org: Org) -> None:
    org.clock("2024-03-30T08:00:00Z")
    add_plan(
        org,
        amount_cents=100,
        interval="yearly",
        minimum_commitment={"amount_cents": 100_000},
    )
    found = preview(org, customer={"name": "Somebody"}, plan_code="basic")
    # 277 of 366 days
    assert (found["fees_amount_cents"], found["issuing_date"]) == (75_683, "2025-01-01")


def test_c30_an_upgrade(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2024-03-01T08:00:00Z")
    add_tax(org, "vat", "50", applied_to_organization=True)
    add_plan(org, amount_cents=100, pay_in_advance=True)
    add_plan(org, "dearer", amount_cents=200, pay_in_advance=True)
    subscribe(org)
    org.drain()
    org.clock("2024-03-29T08:00:00Z")
    before = everything(org)
    found = of_known(org, "s1", plan_code="dearer")
    (fee,) = (one for one in found["fees"] if one["amount_cents"])
    assert (fee["amount_cents"], found["taxes_amount_cents"]) == (19, 10)
    assert (found["credit_notes_amount_cents"], found["total_amount_cents"]) == (9, 20)
    (credit,) = found["credits"]
    assert credit["amount_cents"] == 9
    assert everything(org) == before


PLANS: dict[str, dict[str, Any]] = {
    "arrears": {},
    "advance": {"pay_in_advance": True},
    "weekly": {"interval": "weekly", "pay_in_advance": True},
    "quarterly": {"interval": "quarterly"},
    "yearly": {"interval": "yearly", "pay_in_advance": True, "bill_charges_monthly": True},
}


@pytest.mark.parametrize(
    ("billing_time", "zone"), [("calendar", "America/New_York"), ("anniversary", "Asia/Tokyo")]
)
def test_a_preview_is_the_invoice_that_is_made(org: Org, billing_time: str, zone: str) -> None:
    """For every plan: the first invoice of a new row, and the next one of a row with usage."""
    org.clock("2026-02-17T03:00:00Z")
    add_tax(org, "vat", "19", applied_to_organization=True)
    usage = charge(add_metric(org, "usage"), "standard", {"amount": "1.5"})
    add_customer(org, timezone=zone, net_payment_term=14)
    starts, nexts = {}, {}
    for code, fields in PLANS.items():
        add_plan(org, code, amount_cents=9700, charges=[usage], **fields)
        asked = {"customer": {"external_id": "c1"}, "plan_code": code}
        starts[code] = preview(org, billing_time=billing_time, **asked)
        subscribe(org, code, external_id=code, billing_time=billing_time, consolidate_invoice=False)
        send(org, code, "7", subscription=code)
    org.drain()
    made = {one["subscriptions"][0]["plan_code"]: one for one in invoices(org)}
    assert set(made) == {code for code, fields in PLANS.items() if fields.get("pay_in_advance")}
    for code, invoice in made.items():
        assert nameless(told(invoice)) == nameless(told(starts[code]))
    for code in PLANS:
        nexts[code] = of_known(org, code)
    for code in sorted(PLANS, key=lambda one: str(nexts[one]["issuing_date"])):
        # before the clock leaps on, that day is billed; days it leaps over did not happen
        org.clock(f"{nexts[code]['issuing_date']}T12:00:00Z")
        org.run("bill_customers")
        org.drain()
        found = invoices(org, f"issuing_date_from={nexts[code]['issuing_date']}")
        (invoice,) = (one for one in found if one["subscriptions"][0]["plan_code"] == code)
        assert told(invoice) == told(nexts[code])


def nameless(shown: dict[str, Any]) -> dict[str, Any]:
    """Leave out the external id, which a new subscription has none of."""
    periods = [
        {name: value for name, value in one.items() if name != "external_subscription_id"}
        for one in shown["periods"]
    ]
    return {**shown, "periods": periods}


def test_several_subscriptions_go_on_one_invoice(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org)
    add_plan(org, "advance", pay_in_advance=True)
    subscribe(org)
    subscribe(org, "advance", external_id="s2")
    org.drain()
    foreseen = of_known(org, "s1", "s2")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert told(invoices(org)[-1]) == told(foreseen)
    assert len(foreseen["subscriptions"]) == 2


def test_a_grace_period_dates_the_preview_and_makes_no_draft_of_it(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org, pay_in_advance=True)
    add_customer(org, billing_configuration={"invoice_grace_period": 3})
    found = preview(org, customer={"external_id": "c1"}, plan_code="basic")
    assert (found["issuing_date"], found["status"]) == ("2026-01-13", "finalized")


@pytest.mark.parametrize("wish", ["terminated_at", "ending_at"])
@pytest.mark.parametrize("plan", ["arrears", "advance"])
def test_an_end_is_billed_and_unused_days_are_credited(org: Org, plan: str, wish: str) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "vat", "20", applied_to_organization=True)
    usage = charge(add_metric(org, "usage"), "standard", {"amount": "1"})
    add_plan(org, plan, amount_cents=3100, charges=[usage], **PLANS[plan])
    end = "2026-01-20T00:00:00Z"
    subscribe(org, plan, **({"ending_at": end} if wish == "ending_at" else {}))
    org.drain()
    org.clock("2026-01-05T00:00:00Z")
    send(org, "t1", "9")
    foreseen = of_known(org, "s1", **({"terminated_at": end} if wish == "terminated_at" else {}))
    org.clock(end, catch_up=wish == "ending_at")
    if wish == "ending_at":
        org.run("terminate_ended_subscriptions")
    else:
        org.delete("/subscriptions/s1")
    org.drain()
    made = invoices(org)[-1]
    assert told(made) == told(foreseen)
    # 20 of 31 days in arrears, or 11 of them back; the usage is 9.00
    charged = 2000 + 900 if plan == "arrears" else 900
    assert made["fees_amount_cents"] == charged
    used = 0 if plan == "arrears" else 1080
    assert foreseen["credit_notes_amount_cents"] == used


def test_a_termination_in_a_later_period_ends_what_is_paid_by_then(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "advance", amount_cents=2800, pay_in_advance=True)
    subscribe(org, "advance")
    org.drain()
    foreseen = of_known(org, "s1", terminated_at="2026-02-14T12:00:00Z")
    assert foreseen["billing_periods"][0]["charges_from_datetime"] == "2026-02-01T00:00:00Z"
    org.clock("2026-02-14T12:00:00Z", catch_up=True)
    org.delete("/subscriptions/s1")
    org.drain()
    assert told(invoices(org)[-1]) == told(foreseen)


@pytest.mark.parametrize(
    ("old", "new"), [("arrears", "arrears"), ("arrears", "advance"), ("advance", "arrears")]
)
def test_an_upgrade_is_billed_at_once(org: Org, old: str, new: str) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, old, amount_cents=3100, **PLANS[old])
    add_plan(org, f"{new}2", amount_cents=6200, **PLANS[new])
    subscribe(org, old)
    org.drain()
    org.clock("2026-01-11T09:00:00Z")
    foreseen = of_known(org, "s1", plan_code=f"{new}2")
    subscribe(org, f"{new}2")
    org.drain()
    made = invoices(org)[-1]
    assert told(made) == told(foreseen)


def test_the_day_of_an_upgrade_is_credited_by_it_and_not_by_its_preview(org: Org) -> None:
    """As in Lago: the note of a preview is that of an end (subscriptions.md 11, example C30)."""
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, amount_cents=3100, pay_in_advance=True)
    add_plan(org, "dearer", amount_cents=6200, pay_in_advance=True)
    subscribe(org)
    org.drain()
    org.clock("2026-01-11T09:00:00Z")
    foreseen = of_known(org, "s1", plan_code="dearer")
    subscribe(org, "dearer")
    org.drain()
    made = invoices(org)[-1]
    assert foreseen["fees_amount_cents"] == made["fees_amount_cents"] == 4200
    credited = [one["credit_notes_amount_cents"] for one in (foreseen, made)]
    assert credited == [2000, 2100]


@pytest.mark.parametrize("successor", ["arrears", "advance"])
def test_a_downgrade_is_billed_with_the_period(org: Org, successor: str) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org, amount_cents=3100)
    add_plan(org, "cheaper", amount_cents=1000, **PLANS[successor])
    subscribe(org)
    asked = of_known(org, "s1", plan_code="cheaper")
    subscribe(org, "cheaper")
    scheduled = of_known(org, "s1")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (made,) = invoices(org)
    assert told(made) == told(scheduled) == told(asked)
    shown = {one["plan_code"] for one in scheduled["subscriptions"]}
    assert shown == ({"basic", "cheaper"} if successor == "advance" else {"basic"})


def test_an_end_after_a_downgrade_ends_the_cheaper_plan(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org, amount_cents=3100)
    add_plan(org, "cheaper", amount_cents=2800, pay_in_advance=True)
    subscribe(org)
    subscribe(org, "cheaper")
    foreseen = of_known(org, "s1", terminated_at="2026-02-10T12:00:00Z")
    (shown,) = foreseen["subscriptions"]
    assert shown["plan_code"] == "cheaper"
    org.clock("2026-02-10T12:00:00Z", catch_up=True)
    org.delete("/subscriptions/s1")
    org.drain()
    assert told(invoices(org)[-1]) == told(foreseen)


def test_a_row_that_has_not_started_is_previewed_from_its_start(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org, pay_in_advance=True)
    subscribe(org, subscription_at="2026-01-22T00:00:00Z")
    foreseen = of_known(org, "s1")
    org.clock("2026-01-22T00:10:00Z", catch_up=True)
    (made,) = invoices(org)
    assert told(made) == told(foreseen)


def test_a_plan_in_advance_with_a_trial_is_billed_at_its_end(org: Org) -> None:
    org.clock("2024-03-05T12:12:00Z")
    add_plan(org, amount_cents=5_000_000, pay_in_advance=True, trial_period=10)
    foreseen = preview(org, customer={"name": "New"}, plan_code="basic")
    # 17 of 31 days, as in example C1
    assert (foreseen["fees_amount_cents"], foreseen["issuing_date"]) == (2_741_935, "2024-03-15")
    subscribe(org)
    org.clock("2024-03-15T13:02:00Z", catch_up=True)
    (made,) = invoices(org)
    assert nameless(told(made)) == nameless(told(foreseen))


def test_another_entity_can_issue_it(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    entity = {"code": "other", "name": "Other", "timezone": "Asia/Tokyo", "net_payment_term": 9}
    org.post("/billing_entities", {"billing_entity": entity})
    add_plan(org, pay_in_advance=True)
    add_customer(org)
    asked = {"plan_code": "basic", "billing_entity_code": "other"}
    known = preview(org, customer={"external_id": "c1"}, **asked)
    unknown = preview(org, customer={"name": "New"}, **asked)
    assert known["billing_entity_code"] == unknown["billing_entity_code"] == "other"
    # the terms are those of the customer's own entity
    assert (known["net_payment_term"], unknown["net_payment_term"]) == (0, 9)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"customer": None}, 422, {"customer": ["value_is_mandatory"]}),
        ({"customer": {"external_id": "no"}}, 404, "customer_not_found"),
        ({"plan_code": "no"}, 404, "plan_not_found"),
        ({"plan_code": None}, 404, "plan_not_found"),
        ({"billing_entity_code": "no"}, 404, "billing_entity_not_found"),
        ({"subscription_at": "soon"}, 422, {"subscription_at": ["invalid_date"]}),
        ({"billing_time": "lunar"}, 422, {"billing_time": ["value_is_invalid"]}),
        ({"coupons": [{"code": "no"}]}, 404, "coupon_not_found"),
    ],
)
def test_proposals_that_are_refused(
    org: Org, asked: dict[str, Any], status: int, said: object
) -> None:
    add_plan(org)
    add_customer(org)
    body = {"customer": {"external_id": "c1"}, "plan_code": "basic", **asked}
    answer = org.post("/invoices/preview", body, status)
    assert (answer["code"] if status == 404 else answer["error_details"]) == said


@pytest.mark.parametrize(
    ("field", "error"),
    [
        ("coupons", "coupons_must_be_an_array"),
        ("subscriptions", "subscriptions_must_be_an_object"),
    ],
)
def test_two_fields_must_have_their_shape(org: Org, field: str, error: str) -> None:
    body = {"customer": {"name": "New"}, field: "text"}
    assert org.post("/invoices/preview", body, 400) == {"status": 400, "error": error}


def test_what_cannot_be_billed_together_or_changed(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    org.post("/billing_entities", {"billing_entity": {"code": "other", "name": "Other"}})
    plans: dict[str, dict[str, Any]] = {
        "basic": {},
        "weekly": {"interval": "weekly"},
        "dollars": {"amount_currency": "USD", "amount_cents": 5000},
    }
    for code, fields in plans.items():
        add_plan(org, code, **fields)
        subscribe(org, code, external_id=code)
    subscribe(org, external_id="entity", billing_entity_code="other")
    subscribe(org, external_id="theirs", customer="c2")
    future = "2026-01-20T00:00:00Z"
    for external_ids, wish, said in (
        (["basic", "dollars"], {}, {"base": ["subscription_currencies_does_not_match"]}),
        (["basic", "weekly"], {}, {"base": ["billing_periods_does_not_match"]}),
        (["basic", "entity"], {}, {"base": ["subscription_billing_entities_do_not_match"]}),
        (
            ["basic", "weekly"],
            {"terminated_at": future},
            {"subscriptions": ["only_one_subscription_allowed_for_termination"]},
        ),
        (
            ["basic", "weekly"],
            {"plan_code": "dollars"},
            {"subscriptions": ["only_one_subscription_allowed_for_plan_change"]},
        ),
        (
            ["basic"],
            {"plan_code": "basic"},
            {"base": ["new_plan_should_be_different_from_existing_plan"]},
        ),
        (
            ["basic"],
            {"plan_code": "dollars"},
            {"base": ["subscription_currencies_does_not_match"]},
        ),
        (["basic"], {"terminated_at": "2026-01-09T00:00:00Z"}, {"terminated_at": ["invalid_date"]}),
        (["basic"], {"terminated_at": "soon"}, {"subscriptions.terminated_at": ["invalid_date"]}),
    ):
        body = {
            "customer": {"external_id": "c1"},
            "subscriptions": {"external_ids": external_ids, **wish},
        }
        assert org.post("/invoices/preview", body, 422)["error_details"] == said
    for external_id in ("no", "theirs"):
        body = {
            "customer": {"external_id": "c1"},
            "subscriptions": {"external_ids": [external_id]},
        }
        assert org.post("/invoices/preview", body, 404)["code"] == "subscription_not_found"
