"""The words tests use for coupons."""

from typing import Any

from tests.support.gateway import Org


def add_coupon(org: Org, code: str = "ten", **fields: Any) -> dict[str, Any]:
    """Create a coupon, by default of 10.00 EUR on every invoice, and return it."""
    coupon = {
        "name": code.title(),
        "code": code,
        "coupon_type": "percentage" if "percentage_rate" in fields else "fixed_amount",
        "frequency": "forever",
        "expiration": "no_expiration",
        **fields,
    }
    if coupon["coupon_type"] == "fixed_amount":
        coupon = {"amount_cents": 1000, "amount_currency": "EUR", **coupon}
    made: dict[str, Any] = org.post("/coupons", {"coupon": coupon})["coupon"]
    return made


def give(org: Org, code: str = "ten", customer: str = "c1", **terms: Any) -> dict[str, Any]:
    """Give a customer a coupon; return it as they have it."""
    body = {"external_customer_id": customer, "coupon_code": code, **terms}
    given: dict[str, Any] = org.post("/applied_coupons", {"applied_coupon": body})["applied_coupon"]
    return given


def held(org: Org, customer: str = "c1", status: str = "active") -> list[dict[str, Any]]:
    """Return the coupons of a customer, the oldest first."""
    found = org.get(f"/customers/{customer}/applied_coupons?status={status}")["applied_coupons"]
    return list(reversed(found))
