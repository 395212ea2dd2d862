"""Alerts on what subscriptions use: which are valid, and telling when a value passes thresholds."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing_core.domain.alerts import AlertThreshold, crossed
from billing_core.domain.calendar import MICROSECOND
from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.domain.money import exact_context, plain
from billing_core.ids import new_id
from billing_core.ports import NO_USAGE, EventStore, UsageQuery
from billing_core.services import lifetime_usage, subscription_activity
from billing_core.services.metering import meters_of
from billing_core.services.pricing import PricedCharge, total_cents
from billing_core.services.shapes import alerts as shapes
from billing_core.services.shapes.subscriptions import current_window
from billing_core.store import alerts, catalog, subscriptions
from billing_core.store.tables import Alert, BillableMetric, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.alerts import MOST_ALERTS, AlertChange, AlertIn, AlertThresholdIn
from billing_core.wire.pages import Page
from billing_core.wire.validation import validate

STATUSES = ("pending", "active", "terminated", "canceled")
OF_METRICS = frozenset(
    {
        "billable_metric_current_usage_amount",
        "billable_metric_current_usage_units",
        "billable_metric_lifetime_usage_units",
    }
)
OF_LIFETIMES = frozenset({"lifetime_usage_amount", "billable_metric_lifetime_usage_units"})
ZERO = Decimal(0)


async def page(
    unit: Unit, external_id: str, status: str | None, wanted: Page
) -> tuple[list[Alert], int]:
    """List a subscription's alerts, newest first."""
    await _check_subscription(unit, external_id, status)
    return await alerts.page(unit, external_id, wanted)


async def get(unit: Unit, external_id: str, status: str | None, code: str) -> Alert:
    """Return an alert of a subscription, or refuse."""
    await _check_subscription(unit, external_id, status)
    found = await alerts.by_code(unit, external_id, code)
    if found is None:
        raise NotFound("alert")
    return found


async def create(unit: Unit, external_id: str, status: str | None, data: AlertIn) -> Alert:
    """Watch a subscription's usage; what it has passed already is told soon (section 10)."""
    await _check_subscription(unit, external_id, status)
    made = await _new(unit, external_id, data)
    await subscription_activity.note(unit, [external_id])
    return made


async def create_several(
    unit: Unit, external_id: str, status: str | None, sent: Sequence[Any]
) -> list[Alert]:
    """Create all of these alerts or none; what is wrong is told by position."""
    await _check_subscription(unit, external_id, status)
    if not 0 < len(sent) <= MOST_ALERTS:
        raise Invalid.field("alerts", "invalid_count")
    made: list[Alert] = []
    problems: dict[str, Any] = {}
    for position, one in enumerate(sent):
        try:
            made.append(await _new(unit, external_id, validate(AlertIn, one)))
        except Invalid as refused:
            problems[str(position)] = refused.details
    if problems:
        raise Invalid(problems)
    await subscription_activity.note(unit, [external_id])
    return made


async def update(
    unit: Unit, external_id: str, status: str | None, code: str, data: AlertChange
) -> Alert:
    """Change an alert; its thresholds are replaced as a whole, and compared soon."""
    alert = await get(unit, external_id, status, code)
    given = data.given()
    if data.code is not None and data.code != alert.code:
        if await alerts.by_code(unit, external_id, data.code):
            raise Invalid.field("code", "value_already_exist")
        alert.code = data.code
    if "name" in given:
        alert.name = data.name
    if data.thresholds is not None:
        alert.thresholds = kept_thresholds(data.thresholds)
    if data.billable_metric_code is not None:
        metric = await _metric(unit, alert.alert_type, data.billable_metric_code)
        others = [one for one in await alerts.of_subscription(unit, external_id) if one != alert]
        _check_alone(others, alert.alert_type, metric)
        _set_metric(alert, metric)
    alert.updated_at = unit.now
    await unit.flush()
    await subscription_activity.note(unit, [external_id])
    return alert


async def delete(unit: Unit, external_id: str, status: str | None, code: str) -> Alert:
    """Delete an alert."""
    alert = await get(unit, external_id, status, code)
    alert.deleted_at = unit.now
    return alert


async def delete_all(unit: Unit, external_id: str, status: str | None) -> None:
    """Delete all alerts of a subscription."""
    await _check_subscription(unit, external_id, status)
    for alert in await alerts.of_subscription(unit, external_id):
        alert.deleted_at = unit.now


async def evaluate(
    unit: Unit, events: EventStore, subscription: Subscription, charges: Sequence[PricedCharge]
) -> None:
    """Compare a subscription's usage with its alerts, and tell of each that has passed something.

    `charges` are all of the subscription's, priced for its current window. The caller holds the
    customer's lock, so that nothing is told twice.
    """
    since = current_window(subscription, unit.now).start
    for alert in await alerts.of_subscription(unit, subscription.external_id):
        if alert.alert_type not in OF_LIFETIMES and (alert.last_processed_at or since) < since:
            alert.previous_value = ZERO  # that was another period, this one begins with nothing
        value = await _value(unit, events, alert, subscription, charges)
        passed = crossed(shapes.thresholds(alert), alert.previous_value, value)
        if passed:
            shape = shapes.triggered(unit, alert, subscription, value, passed, new_id())
            unit.emit("alert.triggered", "triggered_alert", shape.model_dump())
        alert.previous_value = value
        alert.last_processed_at = unit.now
    await unit.flush()


async def _value(
    unit: Unit,
    events: EventStore,
    alert: Alert,
    subscription: Subscription,
    charges: Sequence[PricedCharge],
) -> Decimal:
    """Return what an alert looks at, without taxes; of a metric the sum over all its fees."""
    of_metric = [
        one for one in charges if one.charge.billable_metric_id == alert.billable_metric_id
    ]
    match alert.alert_type:
        case "current_usage_amount":
            return Decimal(total_cents(charges))
        case "billable_metric_current_usage_amount":
            return Decimal(total_cents(of_metric))
        case "billable_metric_current_usage_units":
            with exact_context():
                return sum((fee.units for one in of_metric for fee in one.fees), ZERO)
        case "lifetime_usage_amount":
            since = current_window(subscription, unit.now).start
            before = await lifetime_usage.before_cents(unit, subscription, since)
            return Decimal(before + total_cents(charges))
        case _:
            return await _units_since_start(unit, events, alert, subscription)


async def _units_since_start(
    unit: Unit, events: EventStore, alert: Alert, subscription: Subscription
) -> Decimal:
    metric, started_at = alert.metric, subscription.started_at
    assert metric is not None, "an alert on units has a metric"
    meter = (await meters_of(unit, [metric]))[metric.id]
    until = current_window(subscription, unit.now).end - MICROSECOND
    query = UsageQuery(subscription.external_id, meter, started_at, until)
    (found,) = await events.usage(unit.org_id, [query])
    return found.get((), NO_USAGE).units


async def _check_subscription(unit: Unit, external_id: str, status: str | None) -> None:
    wanted = status if status in STATUSES else "active"
    if await subscriptions.newest(unit, external_id, wanted) is None:
        raise NotFound("subscription")


async def _new(unit: Unit, external_id: str, data: AlertIn) -> Alert:
    thresholds = kept_thresholds(data.thresholds or [])
    metric = await _metric(unit, data.alert_type, data.billable_metric_code)
    if await alerts.by_code(unit, external_id, data.code):
        raise Invalid.field("code", "value_already_exist")
    _check_alone(await alerts.of_subscription(unit, external_id), data.alert_type, metric)
    alert = Alert(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        external_subscription_id=external_id,
        alert_type=data.alert_type,
        code=data.code,
        name=data.name,
        thresholds=thresholds,
    )
    _set_metric(alert, metric)
    alerts.add(unit, alert)
    await unit.flush()
    return alert


def _set_metric(alert: Alert, metric: BillableMetric | None) -> None:
    alert.metric = metric
    alert.billable_metric_id = None if metric is None else metric.id


async def _metric(unit: Unit, alert_type: str, code: str | None) -> BillableMetric | None:
    if alert_type not in OF_METRICS:
        if code:
            raise Invalid.field("billable_metric", "value_must_be_blank")
        return None
    if not code:
        raise Invalid.field("billable_metric", "value_is_mandatory")
    metric = await catalog.metric_by_code(unit, code)
    if metric is None:
        raise NotFound("billable_metric")
    return metric


def _check_alone(others: Sequence[Alert], alert_type: str, metric: BillableMetric | None) -> None:
    wanted = (alert_type, metric and metric.id)
    if any((one.alert_type, one.billable_metric_id) == wanted for one in others):
        raise Invalid.field("base", "alert_already_exists")


def kept_thresholds(wanted: Sequence[AlertThresholdIn]) -> list[Any]:
    """Return thresholds as they are kept; raises `Invalid` naming what is wrong with them."""
    if not wanted:
        raise Invalid.field("thresholds", "value_is_mandatory")
    problems = Problems()
    found: list[AlertThreshold] = []
    for one in wanted:
        if one.value is None:
            problems.add("thresholds:value", "value_is_mandatory")
        elif one.recurring and one.value <= 0:
            problems.add("thresholds:value", "value_is_invalid")
        else:
            found.append(AlertThreshold(one.value, bool(one.recurring), one.code))
    if len({(one.value, one.recurring) for one in found}) < len(found):
        problems.add("thresholds", "duplicate_threshold_values")
    problems.check()
    return [
        {"code": one.code, "value": plain(one.value), "recurring": one.recurring} for one in found
    ]
