"""Charges in advance: every event is paid when it comes, once, and never refunded."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.advance import ALONE, COUNT, INVOICED, SEATS, fees, pay, shown, tier
from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    invoices,
    send,
    subscribe,
    usage_event,
)
from tests.support.gateway import Gateway, Org
from tests.support.usage import sold, tell, use


def test_e3_each_event_is_rounded_by_itself(org: Org) -> None:
    sold(org, ALONE, metric=COUNT, properties={"amount": "0.004"})
    for _ in range(3):
        fee = pay(org)
        assert shown(fee) == ("1.0", 0)
        assert Decimal(fee["precise_amount"]) == Decimal("0.004")


@pytest.mark.parametrize("fields", [ALONE, INVOICED], ids=["alone", "invoiced"])
def test_e35_a_sum_that_falls_refunds_nothing(any_gateway: Gateway, fields: dict[str, Any]) -> None:
    org = any_gateway.organization()
    sold(org, fields)
    assert shown(pay(org, value=10)) == ("10.0", 1000)
    assert shown(pay(org, value=-4)) == ("0.0", 0)
    assert shown(pay(org, value=8)) == ("4.0", 400)
    assert tell(org)["amount_cents"] == 1400


def test_e36_a_sum_that_begins_below_zero(org: Org) -> None:
    sold(org, ALONE)
    found = [shown(pay(org, value=value)) for value in (-10, 15, 3, 10)]
    assert found == [("0.0", 0), ("15.0", 1500), ("3.0", 0), ("3.0", 300)]


def test_e37_packages(org: Org) -> None:
    properties = {"amount": "100", "package_size": 2, "free_units": 3}
    sold(org, ALONE, model="package", properties=properties)
    assert [pay(org, value=value)["amount_cents"] for value in (3, 1, 2)] == [0, 10000, 10000]


def test_e38_tiers(org: Org) -> None:
    ranges = [tier(0, 5, "0.02", "0.01"), tier(6, None, "0.01", "0.01")]
    sold(org, ALONE, model="graduated", properties={"graduated_ranges": ranges})
    assert [pay(org, value=value)["amount_cents"] for value in (3, 1, 2)] == [7, 2, 4]


def test_e39_events_of_one_instant_have_an_order(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    ranges = [tier(0, 2, "0"), tier(3, None, "2")]
    sold(org, ALONE, model="graduated", metric=COUNT, properties={"graduated_ranges": ranges})
    events = [usage_event(f"t{number}", timestamp=1767225600) for number in range(3)]
    org.post("/events/batch", {"events": events})
    org.drain()
    assert [fee["amount_cents"] for fee in fees(org)] == [0, 0, 200]


def test_e40_limits_per_transaction(org: Org) -> None:
    properties = {
        "rate": "1",
        "fixed_amount": "0.5",
        "per_transaction_min_amount": "1.75",
        "per_transaction_max_amount": "2",
    }
    sold(org, ALONE, model="percentage", properties=properties)
    assert [pay(org, value=value)["amount_cents"] for value in (100, 1000, 10000)] == [
        175,
        200,
        200,
    ]
    send(org, "future", "333", timestamp=1768000000)
    assert tell(org)["amount_cents"] == 775


def test_e41_seats(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    sold(org, ALONE, metric=SEATS, properties={"amount": "12"})
    steps = [("a", "add"), ("a", "remove"), ("a", "add"), ("b", "add"), ("b", "add")]
    found = [shown(pay(org, value=value, operation_type=done)) for value, done in steps]
    assert found == [("1.0", 1200), ("0.0", 0), ("1.0", 0), ("1.0", 1200), ("0.0", 0)]


def test_e26_dynamic_prices(org: Org) -> None:
    sold(org, ALONE, model="dynamic", properties={})
    for name, value, cents in (("a", 5, "1234.56"), ("b", 1, "2.1")):
        event = usage_event(name, properties={"value": value}, precise_total_amount_cents=cents)
        org.post("/events", {"event": event})
    org.drain()
    assert [shown(fee) for fee in fees(org)] == [("5.0", 1235), ("1.0", 2)]


@pytest.mark.parametrize("fields", [ALONE, INVOICED], ids=["alone", "invoiced"])
def test_e42_a_prorated_seat_and_its_renewal(any_gateway: Gateway, fields: dict[str, Any]) -> None:
    org = any_gateway.organization()
    sold(
        org,
        {**fields, "prorated": True},
        at="2024-06-01T00:00:00Z",
        metric={**SEATS, "recurring": True},
        properties={"amount": "30"},
    )
    org.clock("2024-06-11T10:00:00Z")
    fee = pay(org, value="a")
    assert shown(fee) == ("1.0", 2000)
    assert Decimal(fee["precise_amount"]) == Decimal("20.0001")
    assert (fee["from_date"], fee["to_date"]) == ("2024-06-01T00:00:00Z", "2024-06-30T23:59:59Z")
    use(org, *({"value": name} for name in "bcde"))
    org.drain()
    org.clock("2024-07-01T00:30:00Z", catch_up=True)
    renewal = fees(org)[-1]
    assert shown(renewal) == ("5.0", 15000)
    assert (renewal["from_date"], renewal["to_date"]) == (
        "2024-07-01T00:00:00Z",
        "2024-07-31T23:59:59Z",
    )
    is_alone = not fields.get("invoiceable", True)
    assert renewal["pay_in_advance"] == is_alone
    assert (renewal["lago_invoice_id"] is None) == is_alone
    assert renewal["event_transaction_id"] is None
    assert shown(pay(org, value="f")) == ("1.0", 3000)
    assert tell(org)["amount_cents"] == 18000


def test_what_a_period_began_with_decides_the_tier(org: Org) -> None:
    ranges = [tier(0, 5, "10"), tier(6, None, "1")]
    sold(
        org,
        ALONE,
        model="graduated",
        metric={"recurring": True},
        properties={"graduated_ranges": ranges},
    )
    assert shown(pay(org, value=4)) == ("4.0", 4000)
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    assert shown(fees(org)[-1]) == ("4.0", 4000)
    assert shown(pay(org, value=3)) == ("3.0", 1200), "one more at 10, two at 1"
    assert tell(org)["amount_cents"] == 5200


def test_nothing_is_renewed_once_a_subscription_has_ended(org: Org) -> None:
    sold(org, ALONE, metric={"recurring": True})
    pay(org, value=4)
    org.clock("2026-01-20T00:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    assert len(fees(org)) == 1


def test_a_charge_that_does_not_recur_is_not_billed_again(org: Org) -> None:
    sold(org, INVOICED)
    pay(org, value=4)
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    assert len(fees(org)) == 1
    assert shown(pay(org, value=4)) == ("4.0", 400), "every period begins with nothing"


def test_filters_and_groups_have_marks_of_their_own(any_gateway: Gateway) -> None:
    """8.7: the default bucket knows its own usage and groups; 8.8: groups are told by text."""
    org = any_gateway.organization()
    metric = {"filters": [{"key": "cloud", "values": ["aws", "gcp"]}]}
    first_is_dear = {"graduated_ranges": [tier(0, 1, "10"), tier(2, None, "1")]}
    sold(
        org,
        {
            **ALONE,
            "filters": [{"values": {"cloud": ["aws"]}, "properties": first_is_dear}],
        },
        model="graduated",
        metric=metric,
        properties={**first_is_dear, "pricing_group_keys": ["team"]},
    )
    found = [
        (fee["amount_cents"], fee["lago_charge_filter_id"] is not None, fee["item"]["grouped_by"])
        for fee in (
            pay(org, value=1, cloud="aws", team=7),
            pay(org, value=1, cloud="gcp", team=7),
            pay(org, value=1, cloud="gcp", team="7"),
            pay(org, value=1, cloud="gcp", team=8),
            pay(org, value=1, cloud="aws", team=8),
            pay(org, value=1),
        )
    ]
    assert found == [
        (1000, True, {}),
        (1000, False, {"team": "7"}),
        (100, False, {"team": "7"}),
        (1000, False, {"team": "8"}),
        (100, True, {}),
        (1000, False, {"team": None}),
    ]


@pytest.mark.parametrize("metric", [COUNT, SEATS], ids=["count", "seats"])
def test_limits_hold_for_every_event_of_a_count(org: Org, metric: dict[str, Any]) -> None:
    """8.5: such events are not free."""
    properties = {"rate": "1", "per_transaction_min_amount": "2"}
    sold(org, ALONE, model="percentage", metric=metric, properties=properties)
    assert [pay(org, value=value)["amount_cents"] for value in "abc"] == [200, 200, 200]


def test_one_name_under_two_subscriptions_is_two_events(org: Org) -> None:
    """8.13: an event is charged by what it is, not by its transaction id."""
    sold(org, ALONE, properties={"amount": "2"})
    subscribe(org, external_id="s2", customer="c2")
    for subscription in ("s1", "s2"):
        send(org, "same", "1", subscription=subscription)
    org.drain()
    found = [(fee["external_subscription_id"], fee["amount_cents"]) for fee in fees(org)]
    assert sorted(found) == [("s1", 200), ("s2", 200)]


def test_percentages_show_what_an_event_added(org: Org) -> None:
    properties = {"rate": "1", "fixed_amount": "2", "free_units_per_events": 1}
    sold(org, ALONE, model="percentage", properties=properties)
    first, second = pay(org, value=100), pay(org, value=200)
    assert (first["amount_cents"], second["amount_cents"]) == (0, 400)
    assert second["amount_details"] == {
        "units": "200.0",
        "free_units": "0.0",
        "free_events": 0,
        "paid_units": "200.0",
        "rate": "1.0",
        "per_unit_total_amount": "2.0",
        "paid_events": 1,
        "fixed_fee_unit_amount": "2.0",
        "fixed_fee_total_amount": "2.0",
        "min_max_adjustment_total_amount": "0.0",
    }


def test_events_that_match_nothing_cost_nothing(org: Org) -> None:
    sold(org, ALONE, metric=SEATS)
    org.post("/events", {"event": usage_event("other", code="other")})
    org.post("/events", {"event": usage_event("nobody", subscription="nobody")})
    org.post("/events", {"event": usage_event("blank", properties={"value": " "})})
    org.post("/events", {"event": usage_event("absent", properties={})})
    org.post("/events", {"event": usage_event("early", timestamp=1767139200)})
    org.drain()
    assert fees(org) == []


def test_a_late_event_is_charged_to_the_subscription_of_its_time(org: Org) -> None:
    sold(org, ALONE)
    org.clock("2026-01-10T00:00:00Z")
    ended = org.delete("/subscriptions/s1")["subscription"]["lago_id"]
    org.drain()
    org.clock("2026-01-20T00:00:00Z")
    begun = subscribe(org)["lago_id"]
    for name, at in (("before", 1767571200), ("between", 1768435200), ("now", 1768867200)):
        send(org, name, "1", timestamp=at)
    org.drain()
    found = {fee["event_transaction_id"]: fee["lago_subscription_id"] for fee in fees(org)}
    assert found == {"before": ended, "now": begun}


def test_a_charge_that_is_added_later_starts_with_the_usage_there_is(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    add_plan(org, amount_cents=0)
    subscribe(org)
    send(org, "old", "1")
    org.drain()
    ranges = {"graduated_ranges": [tier(0, 1, "10"), tier(2, None, "1")]}
    added = charge(metric_id, "graduated", ranges, **ALONE)
    org.post("/plans/basic/charges", {"charge": added})
    assert pay(org, value=2)["amount_cents"] == 200
    org.delete("/plans/basic/charges/usage")
    org.drain()
    send(org, "after", "1")
    org.drain()
    assert len(fees(org)) == 1


def test_an_invoice_for_each_event_and_charge(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    charges = [
        charge(metric_id, "standard", {"amount": "1"}, **INVOICED),
        charge(metric_id, "standard", {"amount": "2"}, **INVOICED),
    ]
    add_plan(org, charges=charges)
    subscribe(org)
    add_customer(org, billing_configuration={"invoice_grace_period": 3})
    org.clock("2026-01-05T08:00:00Z")
    send(org, "t1", "3")
    org.drain()
    found = invoices(org)
    assert sorted(one["total_amount_cents"] for one in found) == [300, 600]
    for one in found:
        assert (one["status"], one["invoice_type"]) == ("finalized", "subscription")
        assert (one["issuing_date"], one["payment_status"]) == ("2026-01-05", "pending")
        assert one["file_url"] is not None
        (period,) = one["billing_periods"]
        assert period["invoicing_reason"] == "in_advance_charge"
        assert period["charges_from_datetime"] == "2026-01-01T00:00:00Z"
        (fee,) = one["fees"]
        assert (fee["event_transaction_id"], fee["pay_in_advance"]) == ("t1", True)
        assert (
            org.put(f"/fees/{fee['lago_id']}", {"fee": {"payment_status": "failed"}}, 405)["code"]
            == "invoiced_fee"
        )
    assert len({one["number"] for one in found}) == 2


def test_an_invoice_of_nothing_is_closed_where_the_customer_wants_it(org: Org) -> None:
    sold(org, INVOICED, properties={"amount": "0"})
    pay(org, value=1)
    assert [one["total_amount_cents"] for one in invoices(org)] == [0]
    skipping = {"external_id": "c1", "finalize_zero_amount_invoice": "skip"}
    org.post("/customers", {"customer": skipping})
    pay(org, value=1)
    assert len(invoices(org)) == 1
