"""Every fee explains itself: an evaluator that knows only the explanation finds its amount."""

import os
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from tests.support import evaluator
from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    only_invoice,
    subscribe,
    usage_event,
)
from tests.support.gateway import Gateway, Org
from tests.support.usage import sold, use

NEXT = "2026-02-01T01:00:00Z"
# a plan's interval, the start, two instants of usage, and when a first and a second period are over
LIVES = (
    (
        "weekly",
        "2026-01-08T00:00:00Z",
        ("2026-01-09T08:00:00Z", "2026-01-10T20:30:00Z"),
        ("2026-01-13T01:00:00Z", "2026-01-20T01:00:00Z"),
    ),
    (
        "monthly",
        "2026-01-11T00:00:00Z",
        ("2026-01-12T08:00:00Z", "2026-01-20T20:30:00Z"),
        ("2026-02-03T01:00:00Z", "2026-03-03T01:00:00Z"),
    ),
)
WORLDS = int(os.environ.get("TALLYGATE_SOAK", "0")) * 6 or 1  # noqa: TID251 - test length
# with two decimals, none and three
CURRENCIES = ["EUR", "JPY", "KWD"]
REGIONS = ["asia", "eu", "us"]
METRICS: dict[str, dict[str, Any]] = {
    "calls": {"aggregation": "count_agg"},
    "bytes": {"rounding_function": "ceil", "rounding_precision": 1},
    "peak": {"aggregation": "max_agg"},
    "level": {"aggregation": "latest_agg"},
    "users": {"aggregation": "unique_count_agg"},
    "power": {"aggregation": "weighted_sum_agg", "weighted_interval": "seconds"},
    "seats": {"aggregation": "unique_count_agg", "recurring": True},
    "disks": {"recurring": True},
    "stock": {
        "aggregation": "weighted_sum_agg",
        "weighted_interval": "seconds",
        "recurring": True,
    },
}
IN_ADVANCE = ("calls", "bytes", "users", "seats", "disks")
BY_THE_DAY = ("seats", "disks")


def told_of(org: Org, fee: dict[str, Any]) -> dict[str, Any]:
    """Return how a fee came about."""
    found: dict[str, Any] = org.get(f"/fees/{fee['lago_id']}/explain")["fee_explanation"]
    return found


def check(org: Org, fee: dict[str, Any], *, with_events: bool = True) -> None:
    """Check that the explanation leads to the amount, and its link to the events it names."""
    told = told_of(org, fee)
    assert evaluator.amount_cents(told) == told["amount_cents"] == fee["amount_cents"], told
    explanation = told["explanation"]
    assert explanation["from_datetime"] == fee["from_date"]
    assert explanation["to_datetime"] == fee["to_date"]
    assert explanation["grouped_by"] == fee["item"]["grouped_by"]
    assert explanation["filter"] == fee["item"]["filters"]
    if told["events_url"] is None:
        return
    aggregation = explanation["aggregation"]
    assert Decimal(aggregation["shown_units"]) == Decimal(fee["units"])
    assert aggregation["events_count"] == fee["events_count"]
    if not with_events:
        return
    page = org.get(f"{told['events_url'].removeprefix('/api/v1')}?per_page=1000")
    assert page["meta"]["total_count"] == len(page["events"])
    if fee["event_transaction_id"] is not None:
        (event,) = page["events"]
        assert event["transaction_id"] == fee["event_transaction_id"]
        return
    if aggregation["type"] in {"count_agg", "sum_agg"}:
        assert len(page["events"]) == fee["events_count"]
        worth = [1 if one["value"] is None else Decimal(one["value"]) for one in page["events"]]
        assert sum(worth) == Decimal(aggregation["units"])


def a_price(random: Random, most: int = 30) -> str:
    return str(Decimal(random.randint(0, most * 1000)).scaleb(-random.randint(2, 4)))


def tiers(random: Random, priced_by: str) -> list[dict[str, Any]]:
    """Return two or three tiers of whole bounds."""
    bounds = sorted(random.sample(range(1, 40, 2), random.randint(1, 2)))
    starts = [0, *(bound + 1 for bound in bounds)]
    return [
        {
            "from_value": start,
            "to_value": end,
            priced_by: a_price(random),
            "flat_amount": a_price(random),
        }
        for start, end in zip(starts, [*bounds, None], strict=True)
    ]


def percentage(random: Random) -> dict[str, Any]:
    """Return a rate with some of what can go with it."""
    extras: dict[str, Any] = {
        "fixed_amount": a_price(random, 3),
        "free_units_per_events": random.randint(1, 3),
        "free_units_per_total_aggregation": str(random.randint(1, 20)),
        "per_transaction_min_amount": "0.25",
        "per_transaction_max_amount": "1.5",
    }
    kept = random.sample(sorted(extras), random.randint(0, len(extras)))
    return {"rate": a_price(random, 9), **{name: extras[name] for name in kept}}


def properties(random: Random, model: str) -> dict[str, Any]:
    """Return terms of a model."""
    match model:
        case "standard":
            return {"amount": a_price(random)}
        case "graduated" | "volume":
            return {f"{model}_ranges": tiers(random, "per_unit_amount")}
        case "graduated_percentage":
            return {"graduated_percentage_ranges": tiers(random, "rate")}
        case "package":
            size, free = random.randint(1, 9), random.randint(0, 5)
            return {"amount": a_price(random), "package_size": size, "free_units": free}
        case "percentage":
            return percentage(random)
    return {}


def models_of(metric: str, *, in_advance: bool, prorated: bool) -> list[str]:
    """Return the models that a charge on a metric may have."""
    if prorated:
        return ["standard"] if in_advance else ["graduated", "standard", "volume"]
    models = ["graduated", "package", "standard"]
    models += [] if in_advance else ["volume"]
    models += [] if metric == "level" else ["graduated_percentage", "percentage"]
    return models + (["dynamic"] if metric in {"bytes", "disks"} else [])


def random_charges(random: Random, ids: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield two charges on each metric."""
    for number, metric in enumerate([*METRICS, *METRICS]):
        in_advance = metric in IN_ADVANCE and random.random() < 0.4
        prorated = metric in BY_THE_DAY and random.random() < 0.6
        model = random.choice(models_of(metric, in_advance=in_advance, prorated=prorated))
        fields: dict[str, Any] = {"code": f"c{number}", "prorated": prorated}
        if in_advance:
            fields |= {"pay_in_advance": True, "invoiceable": random.random() < 0.3}
        elif random.random() < 0.3:
            fields |= {"min_amount_cents": random.randint(1, 90_000)}
        if random.random() < 0.3:
            fields["applied_pricing_unit"] = {"code": "tokens", "conversion_rate": a_price(random)}
        terms = properties(random, model)
        if random.random() < 0.4:
            terms["pricing_group_keys"] = ["team"]
        if random.random() < 0.4:
            values = random.sample(REGIONS, random.randint(1, 2))
            own = {"values": {"region": values}, "properties": properties(random, model)}
            fields["filters"] = [own]
        yield charge(ids[metric], model, terms, **fields)


def random_events(random: Random, count: int) -> list[dict[str, Any]]:
    """Return events of all metrics, with and without what tells them apart."""
    found = []
    for number in range(count):
        code = random.choice(sorted(METRICS))
        value = str(Decimal(random.randint(-300, 3000)).scaleb(-2))
        if code in {"users", "seats"}:
            value = random.choice("abcdef")
        given: dict[str, Any] = {"value": value}
        if random.random() < 0.7:
            given["region"] = random.choice([*REGIONS, "moon"])
        if random.random() < 0.7:
            given["team"] = random.choice(["red", "blue"])
        if code in {"users", "seats"} and random.random() < 0.3:
            given["operation_type"] = "remove"
        cents = a_price(random)
        name = f"{code}{number}-{random.getrandbits(40)}"
        found.append(usage_event(name, code, properties=given, precise_total_amount_cents=cents))
    return found


def live(org: Org, seed: int) -> None:
    """Live through the rest of a period and a whole one under a plan that chance has written."""
    random = Random(seed)  # noqa: S311 - no secret
    currency = CURRENCIES[seed % len(CURRENCIES)]
    interval, start, uses, (first_end, second_end) = LIVES[seed // len(CURRENCIES) % len(LIVES)]
    org.clock(start)
    unit = {"name": "Tokens", "code": "tokens", "short_name": "TK"}
    org.post("/pricing_units", {"pricing_unit": unit})
    add_on = {"name": "Line", "code": "line", "amount_cents": 1, "amount_currency": currency}
    org.post("/add_ons", {"add_on": add_on})
    filters = [{"key": "region", "values": REGIONS}]
    ids = {name: add_metric(org, name, **about, filters=filters) for name, about in METRICS.items()}
    fixed = [
        {
            "add_on_code": "line",
            "code": f"f{number}",
            "charge_model": model,
            "units": random.randint(1, 30),
            "pay_in_advance": in_advance,
            "prorated": prorated,
            "properties": properties(random, model),
        }
        for number, (model, in_advance, prorated) in enumerate(
            (
                ("standard", True, True),
                ("standard", False, True),
                ("graduated", True, False),
                ("graduated", False, True),
                ("volume", False, False),
            )
        )
    ]
    charges = list(random_charges(random, ids))
    add_plan(
        org,
        interval=interval,
        amount_cents=12345,
        amount_currency=currency,
        charges=charges,
        fixed_charges=fixed,
    )
    add_customer(org, timezone=random.choice(["UTC", "Asia/Tokyo", "America/Los_Angeles"]))
    subscribe(org)
    for instant in uses:
        org.clock(instant)
        org.post("/events/batch", {"events": random_events(random, 30)})
        org.drain()
    more = {"units": 99, "apply_units_immediately": True}
    for code in ("f0", "f2", "f3"):
        org.put(f"/subscriptions/s1/fixed_charges/{code}", {"fixed_charge": more})
    org.clock(first_end, catch_up=True)
    org.post("/events/batch", {"events": random_events(random, 20)})
    org.clock(second_end, catch_up=True)


def check_all(org: Org) -> None:
    """Check every fee there is."""
    fees = org.get("/fees?per_page=1000")["fees"]
    kinds = {fee["item"]["type"] for fee in fees}
    assert kinds == {"subscription", "charge", "fixed_charge"}
    assert any(fee["event_transaction_id"] for fee in fees)
    assert any(fee["lago_true_up_parent_fee_id"] for fee in fees)
    assert sum(fee["amount_cents"] > 0 for fee in fees) > len(fees) / 3
    looked_at: set[str] = set()
    for fee in fees:
        # of the fees of single events, the short form follows the link of one for each charge
        in_full = not fee["event_transaction_id"] or WORLDS > 1
        check(org, fee, with_events=in_full or fee["lago_charge_id"] not in looked_at)
        looked_at.add(fee["lago_charge_id"])


@pytest.mark.slow
def test_whatever_is_sold_explains_itself(any_gateway: Gateway) -> None:
    first = CURRENCIES.index("KWD" if any_gateway.database_url else "JPY")
    for seed in range(first, first + WORLDS):
        org = any_gateway.organization()
        live(org, seed)
        check_all(org)


def test_a_subscription_fee_tells_its_days(org: Org) -> None:
    sold(org, {}, at="2026-01-17T12:00:00Z", plan={"amount_cents": 1000})
    org.clock(NEXT, catch_up=True)
    (fee,) = only_invoice(org)["fees"]
    plan_amount = {"kind": "minor", "minor": "1000.0", "subunit": "100.0", "reason": "plan amount"}
    assert told_of(org, fee) == {
        "lago_fee_id": fee["lago_id"],
        "fee_type": "subscription",
        "amount_cents": 484,
        "amount_currency": "EUR",
        "explanation": {
            "charge_model": None,
            "currency": "EUR",
            "from_datetime": "2026-01-17T00:00:00Z",
            "to_datetime": "2026-01-31T23:59:59Z",
            "filter": None,
            "grouped_by": {},
            "aggregation": None,
            "proration": [{"units": "1.0", "days": 15, "period_days": 31}],
            "steps": [{"kind": "ratio", "part": "15.0", "whole": "31.0", "steps": [plan_amount]}],
        },
        "rounding": {"mode": "half_up", "subunit": "100"},
        "events_url": None,
    }
    assert org.get(f"/fees/{fee['lago_id']}/explain/events")["events"] == []


def test_the_events_behind_a_fee(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    own = {"values": {"region": ["eu"]}, "properties": {"amount": "2", "pricing_group_keys": ["t"]}}
    metric = {"filters": [{"key": "region", "values": REGIONS}]}
    sold(org, {"filters": [own]}, metric=metric)
    use(org, *({"value": number, "region": "eu", "t": "a"} for number in range(1, 6)))
    use(org, {"value": 6, "region": "eu", "t": "b"}, {"value": 7}, {"value": "none"})
    org.clock(NEXT, catch_up=True)
    use(org, {"value": 8, "region": "eu", "t": "a"})  # of the next period
    _, first, second, default = only_invoice(org)["fees"]
    path = told_of(org, first)["events_url"].removeprefix("/api/v1")
    page = org.get(f"{path}?per_page=2&page=3")
    assert page["meta"]["total_count"] == 5
    (last,) = page["events"]
    sent = org.get("/events/t4")["event"]
    assert last == {
        "lago_id": sent["lago_id"],
        "transaction_id": "t4",
        "timestamp": sent["timestamp"],
        "value": "5",
        "operation_type": None,
        "precise_total_amount_cents": None,
    }
    for fee, names in ((second, ["t5"]), (default, ["t6"])):
        events = org.get(f"/fees/{fee['lago_id']}/explain/events")["events"]
        assert [event["transaction_id"] for event in events] == names


def test_carried_units_are_behind_a_fee_too(org: Org) -> None:
    sold(org, {}, metric={"recurring": True})
    use(org, {"value": 2}, at=1760000000)
    use(org, {"value": 3})
    org.clock("2026-02-10T00:00:00Z", catch_up=True)
    use(org, {"value": 4})
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    fees = org.get("/fees?fee_type=charge")["fees"]
    assert [fee["units"] for fee in fees] == ["9.0", "5.0"]
    for fee in fees:
        check(org, fee)


@pytest.mark.parametrize("path", ["explain", "explain/events"])
def test_fees_that_are_not_there(org: Org, path: str) -> None:
    unknown = "00000000-0000-7000-8000-000000000000"
    for fee_id in ("none", unknown):
        assert org.get(f"/fees/{fee_id}/{path}", status=404)["code"] == "fee_not_found"
