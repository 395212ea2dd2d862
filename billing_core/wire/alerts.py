"""Alerts on the wire; values are minor units of money or units of a metric, as decimals."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from billing_core.wire.base import DecimalText, Flag, In, Instant, Out
from billing_core.wire.billable_metrics import BillableMetricOut
from billing_core.wire.types import Code, Exact, ShortText, refuse

MOST_THRESHOLDS = 20
MOST_ALERTS = 100  # that one subscription has room for several times over
AlertType = Literal[
    "current_usage_amount",
    "billable_metric_current_usage_amount",
    "billable_metric_current_usage_units",
    "lifetime_usage_amount",
    "billable_metric_lifetime_usage_units",
]
WalletAlertType = Literal[
    "wallet_balance_amount",
    "wallet_credits_balance",
    "wallet_ongoing_balance_amount",
    "wallet_credits_ongoing_balance",
]


class AlertThresholdIn(In):
    """A value to be told of; a recurring one is the distance between steps."""

    code: ShortText | None = None
    value: Exact | None = None
    recurring: Flag | None = None


def _few(value: object) -> object:
    if isinstance(value, list) and len(value) > MOST_THRESHOLDS:
        raise refuse("too_many_thresholds")
    return value


Thresholds = Annotated[list[AlertThresholdIn], BeforeValidator(_few)]


class AlertIn(In):
    """What a caller may set on creation."""

    alert_type: AlertType
    code: Code
    name: ShortText | None = None
    thresholds: Thresholds | None = None
    billable_metric_code: ShortText | None = None


class WalletAlertIn(In):
    """What a caller may set on creation of an alert on a wallet."""

    alert_type: WalletAlertType
    code: Code
    name: ShortText | None = None
    thresholds: Thresholds | None = None


class WalletAlertChange(In):
    """What a caller may change on an alert on a wallet."""

    code: Code | None = None
    name: ShortText | None = None
    thresholds: Thresholds | None = None


class AlertChange(In):
    """What a caller may change; an omitted key keeps its value."""

    code: Code | None = None
    name: ShortText | None = None
    thresholds: Thresholds | None = None
    billable_metric_code: ShortText | None = None


class AlertThresholdOut(Out):
    """A threshold as a caller reads it."""

    code: str | None
    value: DecimalText
    recurring: bool


class AlertOut(Out):
    """An alert as a caller reads it, with the value seen at the last look."""

    lago_id: UUID = Field(validation_alias="id")
    lago_organization_id: UUID = Field(validation_alias="org_id")
    external_subscription_id: str | None
    lago_wallet_id: UUID | None = Field(validation_alias="wallet_id")
    wallet_code: str | None
    billable_metric: BillableMetricOut | None
    alert_type: str
    code: str
    name: str | None
    direction: str
    previous_value: DecimalText
    last_processed_at: Instant | None
    thresholds: list[AlertThresholdOut]
    created_at: Instant


class TriggeredAlertOut(Out):
    """What is told when a value has passed thresholds; each step of a recurring one is listed."""

    lago_id: UUID
    lago_organization_id: UUID
    lago_alert_id: UUID
    lago_subscription_id: UUID | None
    external_subscription_id: str | None
    lago_wallet_id: UUID | None
    wallet_code: str | None
    external_customer_id: str
    billable_metric_code: str | None
    alert_type: str
    alert_code: str
    alert_name: str | None
    current_value: DecimalText
    previous_value: DecimalText
    triggered_at: Instant
    crossed_thresholds: list[AlertThresholdOut]
