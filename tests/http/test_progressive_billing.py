"""Progressive billing: usage is billed when it reaches a threshold, and never a second time."""

from typing import Any

import pytest

from tests.http.test_documents import text_of
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
from tests.support.usage import use

JANUARY = "2026-01-01T00:00:00Z"


def thresholds(*amounts: int, recurring: int | None = None) -> list[dict[str, Any]]:
    """Return thresholds as plans and subscriptions take them."""
    found: list[dict[str, Any]] = [{"amount_cents": amount} for amount in amounts]
    return found if recurring is None else [*found, {"amount_cents": recurring, "recurring": True}]


def watched(org: Org, wanted: list[dict[str, Any]], **plan: Any) -> None:
    """Subscribe s1 to a plan of 31.00 a month, 1.00 a unit, with thresholds."""
    org.clock(JANUARY)
    metric_id = add_metric(org, "usage")
    charges = [charge(metric_id, "standard", {"amount": "1"})]
    add_plan(org, amount_cents=3100, charges=charges, usage_thresholds=wanted, **plan)
    subscribe(org)


def use_at(org: Org, at: str, units: float | str) -> None:
    """Use some units, and have the minute's job look at it."""
    org.clock(at, catch_up=True)
    use(org, {"value": str(units)})
    org.run("process_subscription_activity")


def progressive(org: Org) -> list[dict[str, Any]]:
    """Return the progressive invoices, the oldest first."""
    return invoices(org, "invoice_type=progressive_billing")


def amounts(invoice: dict[str, Any]) -> tuple[int, int, int]:
    """Return the fees, what was billed before, and the total."""
    return (
        invoice["fees_amount_cents"],
        invoice["progressive_billing_credit_amount_cents"],
        invoice["total_amount_cents"],
    )


def of_period(org: Org, at: str) -> dict[str, Any]:
    """Bill what has ended by an instant; return the newest invoice of a period."""
    org.clock(at, catch_up=True)
    found: dict[str, Any] = invoices(org, "invoice_type=subscription")[-1]
    return found


def test_c14_one_threshold(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    watched(org, thresholds(20_000))
    use_at(org, "2026-01-05T10:00:00Z", 200)
    (first,) = progressive(org)
    assert amounts(first) == (20_000, 0, 20_000)
    assert (first["status"], first["issuing_date"]) == ("finalized", "2026-01-05")
    use_at(org, "2026-01-15T10:00:00Z", 200)
    org.run("process_subscription_activity")
    assert len(progressive(org)) == 1
    final = of_period(org, "2026-02-01T01:00:00Z")
    assert amounts(final) == (43_100, 20_000, 23_100)
    shown = org.post(f"/invoices/{final['lago_id']}/download")["invoice"]
    text = text_of(shown["file_url"])
    assert "Already billed in this period" in text
    assert "€200.00 Total €231.00" in text
    (credit,) = final["credits"]
    assert credit["item"]["type"] == "invoice"
    assert (credit["item"]["lago_item_id"], credit["before_taxes"]) == (first["lago_id"], True)


def test_c15_two_thresholds(org: Org) -> None:
    watched(org, thresholds(20_000, 50_000))
    for day in (15, 20, 25):
        use_at(org, f"2026-01-{day}T00:00:00Z", 200)
    assert [amounts(one) for one in progressive(org)] == [
        (20_000, 0, 20_000),
        (60_000, 20_000, 40_000),
    ]
    final = of_period(org, "2026-02-01T01:00:00Z")
    assert amounts(final) == (63_100, 60_000, 3100)


def test_c16_recurring_thresholds(org: Org) -> None:
    watched(org, thresholds(200, 500, 700, recurring=1000))
    for day, units in enumerate(("2.2", "2.2", "2.2", "2.2", "22", "22"), 5):
        use_at(org, f"2026-01-{day:02}T00:00:00Z", units)
    totals = [one["total_amount_cents"] for one in progressive(org)]
    assert totals == [220, 440, 220, 2200, 2200]
    assert [
        [one["usage_threshold"]["amount_cents"] for one in invoice["applied_usage_thresholds"]]
        for invoice in progressive(org)
    ] == [[200], [500], [700], [1000], [1000]]
    final = of_period(org, "2026-02-01T01:00:00Z")
    assert amounts(final) == (5280 + 3100, 5280, 3100)
    use_at(org, "2026-02-05T00:00:00Z", 22)
    assert amounts(progressive(org)[-1]) == (2200, 0, 2200)


def test_c17_terminated(org: Org) -> None:
    watched(org, thresholds(20_000))
    use_at(org, "2026-01-05T00:00:00Z", 200)
    org.clock("2026-01-18T10:00:00Z", catch_up=True)
    org.delete("/subscriptions/s1")
    org.drain()
    final = invoices(org, "invoice_type=subscription")[-1]
    assert amounts(final) == (21_800, 20_000, 1800)


def test_c17_upgraded(org: Org) -> None:
    watched(org, thresholds(20_000))
    use_at(org, "2026-01-05T00:00:00Z", 200)
    org.clock("2026-01-18T10:00:00Z", catch_up=True)
    add_plan(org, "dear", amount_cents=9900)
    subscribe(org, "dear")
    org.drain()
    final = invoices(org, "invoice_type=subscription")[-1]
    assert amounts(final) == (21_700, 20_000, 1700)


def test_c18_a_threshold_below_usage_there_is(org: Org) -> None:
    watched(org, [])
    use_at(org, "2026-01-05T00:00:00Z", 10_000_000)
    assert progressive(org) == []
    org.put("/plans/basic", {"plan": {"usage_thresholds": thresholds(20_000)}})
    org.clock("2026-01-05T00:05:00Z", catch_up=True)
    assert [amounts(one) for one in progressive(org)] == [(10**9, 0, 10**9)]


def test_c18_a_threshold_below_invoiced_usage(org: Org) -> None:
    watched(org, [])
    use_at(org, "2026-01-05T00:00:00Z", 10_000_000)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    org.put("/plans/basic", {"plan": {"usage_thresholds": thresholds(20_000)}})
    org.clock("2026-02-05T00:00:00Z", catch_up=True)
    use_at(org, "2026-02-05T00:00:00Z", 1)
    assert progressive(org) == []


def test_taxes_follow_the_credit(org: Org) -> None:
    add_tax(org, "vat", "20", applied_to_organization=True)
    watched(org, thresholds(20_000))
    use_at(org, "2026-01-05T00:00:00Z", 200)
    (first,) = progressive(org)
    assert (first["taxes_amount_cents"], first["total_amount_cents"]) == (4000, 24_000)
    final = of_period(org, "2026-02-01T01:00:00Z")
    assert amounts(final) == (23_100, 20_000, 3720)
    assert final["taxes_amount_cents"] == 620


def test_usage_that_shrinks_is_credited(any_gateway: Gateway) -> None:
    """Example E43 of money.md: 20.00 were billed, of which 5.00 are left (14.25)."""
    org = any_gateway.organization()
    add_tax(org, "vat", "20", applied_to_organization=True)
    watched(org, thresholds(2000))
    use_at(org, "2026-01-05T00:00:00Z", 20)
    use_at(org, "2026-01-06T00:00:00Z", -15)
    final = of_period(org, "2026-02-01T01:00:00Z")
    (note,) = org.get("/credit_notes")["credit_notes"]
    assert note["lago_invoice_id"] == progressive(org)[0]["lago_id"]
    assert (note["total_amount_cents"], note["taxes_amount_cents"]) == (1800, 300)
    assert final["progressive_billing_credit_amount_cents"] == 500
    assert final["credit_notes_amount_cents"] == 1800
    assert final["total_amount_cents"] == 3720 - 1800


def test_what_several_invoices_billed_too_much_is_credited_on_each(org: Org) -> None:
    watched(org, thresholds(1000, 3000))
    use_at(org, "2026-01-05T00:00:00Z", 10)
    use_at(org, "2026-01-06T00:00:00Z", 25)
    use_at(org, "2026-01-07T00:00:00Z", -33)
    final = of_period(org, "2026-02-01T01:00:00Z")
    notes = org.get("/credit_notes")["credit_notes"]
    assert sorted(note["total_amount_cents"] for note in notes) == [800, 2500]
    assert amounts(final) == (3300, 200, 0)
    left = sum(note["balance_amount_cents"] for note in notes)
    paid = sum(one["total_amount_cents"] for one in invoices(org))
    assert paid - left == 3300, "the customer pays the plan and what is left of the usage"


def test_drafts_are_credited_anew_with_each_refresh(org: Org) -> None:
    add_customer(org, billing_configuration={"invoice_grace_period": 3})
    watched(org, thresholds(20_000))
    use_at(org, "2026-01-05T00:00:00Z", 200)
    assert progressive(org)[0]["status"] == "finalized", "no grace period (7.2)"
    draft = of_period(org, "2026-02-01T01:00:00Z")
    assert (draft["status"], *amounts(draft)) == ("draft", 23_100, 20_000, 3100)
    send(org, "late", "1", timestamp=1_769_817_600)
    refreshed = org.put(f"/invoices/{draft['lago_id']}/refresh")["invoice"]
    assert amounts(refreshed) == (23_200, 20_000, 3200)
    org.clock("2026-02-04T01:00:00Z", catch_up=True)
    assert amounts(org.get(f"/invoices/{draft['lago_id']}")["invoice"]) == (23_200, 20_000, 3200)


def test_a_voided_progressive_invoice_is_billed_with_the_period(org: Org) -> None:
    watched(org, thresholds(20_000))
    use_at(org, "2026-01-05T00:00:00Z", 200)
    org.post(f"/invoices/{progressive(org)[0]['lago_id']}/void")
    assert amounts(of_period(org, "2026-02-01T01:00:00Z")) == (23_100, 0, 23_100)


def test_only_arrears_are_billed_and_the_job_finds_nothing_twice(org: Org) -> None:
    """14.24: usage in advance counts towards thresholds, but was paid when it came."""
    org.clock(JANUARY)
    metric_id = add_metric(org, "usage")
    charges = [charge(metric_id, "standard", {"amount": "1"}, pay_in_advance=True)]
    add_plan(org, charges=charges, usage_thresholds=thresholds(1000, recurring=1000))
    subscribe(org)
    for day in (5, 6, 7):
        use_at(org, f"2026-01-{day:02}T00:00:00Z", 6)
    org.run("process_subscription_activity")
    assert [one["fees_amount_cents"] for one in progressive(org)] == [0]


def test_minimum_spends_wait_for_the_period(org: Org) -> None:
    org.clock(JANUARY)
    metric_id = add_metric(org, "usage")
    charges = [charge(metric_id, "standard", {"amount": "1"}, min_amount_cents=9000)]
    add_plan(org, amount_cents=0, charges=charges, usage_thresholds=thresholds(1000))
    subscribe(org)
    use_at(org, "2026-01-05T00:00:00Z", 10)
    assert [amounts(one) for one in progressive(org)] == [(1000, 0, 1000)]
    assert amounts(of_period(org, "2026-02-01T01:00:00Z")) == (9000, 1000, 8000)


def test_groups_and_filters_are_matched_and_taxed_alike(org: Org) -> None:
    org.clock(JANUARY)
    metric_id = add_metric(org, "usage")
    properties = {"amount": "1", "pricing_group_keys": ["region"]}
    charges = [charge(metric_id, "standard", properties)]
    add_plan(org, amount_cents=0, charges=charges, usage_thresholds=thresholds(1000))
    subscribe(org)
    org.clock("2026-01-05T00:00:00Z", catch_up=True)
    use(org, {"value": 8, "region": "eu"}, {"value": 4, "region": "us"})
    org.run("process_subscription_activity")
    use_at(org, "2026-01-06T00:00:00Z", 3)
    final = of_period(org, "2026-02-01T01:00:00Z")
    assert amounts(final) == (1500, 1200, 300)
    shares = {
        fee["item"]["grouped_by"].get("region"): fee["precise_coupons_amount_cents"]
        for fee in final["fees"]
    }
    assert shares == {"eu": "800.0", "us": "400.0", None: "0.0"}


def test_a_commitment_counts_progressive_usage_once(org: Org) -> None:
    watched(org, thresholds(20_000), minimum_commitment={"amount_cents": 100_000})
    use_at(org, "2026-01-05T00:00:00Z", 200)
    final = of_period(org, "2026-02-01T01:00:00Z")
    assert amounts(final) == (100_000, 20_000, 80_000)


def test_an_override_in_mid_period_takes_the_credit_along(org: Org) -> None:
    watched(org, thresholds(20_000))
    use_at(org, "2026-01-05T00:00:00Z", 200)
    (charge_id,) = (one["lago_id"] for one in org.get("/plans/basic")["plan"]["charges"])
    own = {"charges": [{"id": charge_id, "properties": {"amount": "2"}}]}
    org.put("/subscriptions/s1", {"subscription": {"plan_overrides": own}})
    final = of_period(org, "2026-02-01T01:00:00Z")
    assert amounts(final) == (43_100, 20_000, 23_100)


@pytest.mark.parametrize("wish", [{"progressive_billing_disabled": True}, {}])
def test_progressive_billing_can_be_off(org: Org, wish: dict[str, Any]) -> None:
    watched(org, thresholds(20_000))
    if wish:
        changed = org.put("/subscriptions/s1", {"subscription": wish})["subscription"]
        assert changed["progressive_billing_disabled"] is True
        assert changed["applicable_usage_thresholds"] == []
    use_at(org, "2026-01-05T00:00:00Z", 200)
    assert len(progressive(org)) == (0 if wish else 1)
