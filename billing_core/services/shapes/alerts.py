"""What alerts look like, and what is told when one is triggered."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from billing_core.domain.alerts import AlertThreshold
from billing_core.services.shapes import catalog
from billing_core.store.tables import Alert, Subscription, Wallet
from billing_core.store.unit import Unit
from billing_core.wire.alerts import AlertOut, AlertThresholdOut, TriggeredAlertOut


def out(alert: Alert, wallet: Wallet | None = None) -> AlertOut:
    """Return the wire model of an alert; `wallet` is what it watches, if it watches one."""
    return AlertOut.of(
        alert,
        wallet_code=wallet and wallet.code,
        billable_metric=alert.metric and catalog.metric(alert.metric),
        thresholds=[_threshold(one) for one in thresholds(alert)],
    )


def thresholds(alert: Alert) -> list[AlertThreshold]:
    """Return an alert's thresholds as the rules take them."""
    return [
        AlertThreshold(Decimal(one["value"]), one["recurring"], one["code"])
        for one in alert.thresholds
    ]


def triggered(  # noqa: PLR0913, PLR0917 - what there is to tell
    unit: Unit,
    alert: Alert,
    watched: Subscription | Wallet,
    value: Decimal,
    passed: Sequence[AlertThreshold],
    name: UUID,
) -> TriggeredAlertOut:
    """Return what is told when a value has passed thresholds; `name` is new each time."""
    subscription = watched if isinstance(watched, Subscription) else None
    wallet = watched if isinstance(watched, Wallet) else None
    return TriggeredAlertOut(
        lago_id=name,
        lago_organization_id=unit.org_id,
        lago_alert_id=alert.id,
        lago_subscription_id=subscription and subscription.id,
        external_subscription_id=subscription and subscription.external_id,
        lago_wallet_id=wallet and wallet.id,
        wallet_code=wallet and wallet.code,
        external_customer_id=watched.customer.external_id,
        billable_metric_code=alert.metric and alert.metric.code,
        alert_type=alert.alert_type,
        alert_code=alert.code,
        alert_name=alert.name,
        current_value=value,
        previous_value=alert.previous_value,
        triggered_at=unit.now,
        crossed_thresholds=[_threshold(one) for one in passed],
    )


def _threshold(one: AlertThreshold) -> AlertThresholdOut:
    return AlertThresholdOut(code=one.code, value=one.value, recurring=one.recurring)
