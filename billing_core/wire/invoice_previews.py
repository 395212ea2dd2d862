"""Invoice previews on the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from billing_core.domain.errors import BadShape
from billing_core.wire.base import In
from billing_core.wire.coupons import PreviewCouponIn
from billing_core.wire.customers import AddressIn
from billing_core.wire.dates import parse_instant
from billing_core.wire.types import Country, Currency, ShortText, Timezone, refuse

FIRST_YEAR, LAST_YEAR = 1970, 9000
MOST_COUPONS = 100


def _instant(value: Any) -> Any:
    if value is None:
        return None
    found = parse_instant(value) if isinstance(value, str) else None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise refuse("invalid_date")
    return found


When = Annotated[datetime | None, BeforeValidator(_instant)]


class PreviewCustomerIn(In):
    """Who would be billed: a known customer by `external_id`, else somebody new."""

    external_id: ShortText | None = None
    name: ShortText | None = None
    currency: Currency | None = None
    timezone: Timezone | None = None
    address_line1: ShortText | None = None
    address_line2: ShortText | None = None
    city: ShortText | None = None
    state: ShortText | None = None
    zipcode: ShortText | None = None
    country: Country = None
    tax_identification_number: ShortText | None = None
    shipping_address: AddressIn | None = None
    integration_customers: list[Any] | None = None


class PreviewSubscriptionsIn(In):
    """Which subscriptions of the customer would be billed, and what would happen to them."""

    external_ids: list[ShortText] | None = None
    plan_code: ShortText | None = None
    terminated_at: When = None


class PreviewIn(In):
    """What a caller may ask; null means not given (api-conventions 6)."""

    customer: PreviewCustomerIn | None = None
    plan_code: ShortText | None = None
    subscription_at: When = None
    billing_time: Literal["calendar", "anniversary"] | None = None
    coupons: Annotated[list[PreviewCouponIn], Field(max_length=MOST_COUPONS)] | None = None
    subscriptions: PreviewSubscriptionsIn | None = None
    billing_entity_code: ShortText | None = None


def check_shapes(body: Mapping[str, Any]) -> None:
    """Refuse two fields of the wrong shape, which other operations would drop (api-conventions 5).

    Raises `BadShape`.
    """
    if not isinstance(body.get("coupons"), list | None):
        raise BadShape("coupons_must_be_an_array")
    if not isinstance(body.get("subscriptions"), dict | None):
        raise BadShape("subscriptions_must_be_an_object")
