"""The published Python client and coupons."""

from typing import Any

from lago_python_client import Client, models

from tests.support.billing import add_customer, add_plan, subscribe
from tests.support.gateway import Org

# its annotations say less than the client can do
lago: Any = models


def test_coupons(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    client: Any = Client(api_key=org.key, api_url=org.url)
    add_customer(org)
    add_plan(org)
    subscribe(org)
    wanted = lago.Coupon(
        name="Welcome",
        code="welcome",
        coupon_type="percentage",
        percentage_rate=12.5,
        frequency="recurring",
        frequency_duration=2,
        expiration="time_limit",
        expiration_at="2026-06-01T00:00:00Z",
        reusable=False,
        applies_to=lago.LimitationConfiguration(plan_codes=["basic"]),
    )
    made = client.coupons.create(wanted)
    assert (made.percentage_rate, made.plan_codes, made.reusable) == (12.5, ["basic"], False)
    assert client.coupons.find("welcome") == made
    changed = client.coupons.update(lago.Coupon(name="Hello"), "welcome")
    assert (changed.name, changed.frequency_duration) == ("Hello", 2)
    given = client.applied_coupons.create(
        lago.AppliedCoupon(external_customer_id="c1", coupon_code="welcome", percentage_rate=20)
    )
    assert (given.percentage_rate, given.frequency_duration_remaining) == (20, 2)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (held,) = client.applied_coupons.find_all({"external_customer_id": "c1"})["applied_coupons"]
    assert held.frequency_duration_remaining == 1
    (credit,) = held.credits.__root__
    assert (credit.amount_cents, credit.item.code, credit.before_taxes) == (200, "welcome", True)
    ended = client.applied_coupons.destroy("c1", given.lago_id)
    assert ended.status == "terminated"
    assert [one.code for one in client.coupons.find_all()["coupons"]] == ["welcome"]
    assert client.coupons.destroy("welcome").code == "welcome"
    assert client.coupons.find_all()["coupons"] == []
