"""How fees came about: their arithmetic, and the events behind them (metering.md 3.18)."""

from uuid import UUID

from billing_core.domain.calendar import DAY, Window
from billing_core.domain.errors import NotFound
from billing_core.domain.filters import Bucket
from billing_core.domain.money import subunit
from billing_core.ports import EventStore, MeteredEvent
from billing_core.services.metering import Wanted, events_behind
from billing_core.services.tariffs import tariff_of
from billing_core.store import catalog, invoices, subscriptions
from billing_core.store.tables import Charge, Fee, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.explanations import (
    ExplanationOut,
    FeeEventOut,
    FeeExplanationOut,
    RoundingOut,
)
from billing_core.wire.pages import Page


async def explain(unit: Unit, fee_id: UUID, events_url: str) -> FeeExplanationOut:
    """Return the arithmetic of a fee as it was priced; raises `NotFound("fee")`."""
    fee = await _fee(unit, fee_id)
    explanation = None
    if fee.explanation is not None:
        known = {name: fee.explanation.get(name) for name in ExplanationOut.model_fields}
        known["grouped_by"] = fee.grouped_by
        known["proration"] = known["proration"] or []
        explanation = ExplanationOut.model_validate(known)
    return FeeExplanationOut(
        lago_fee_id=fee.id,
        fee_type=fee.fee_type,
        amount_cents=fee.amount_cents,
        amount_currency=fee.amount_currency,
        explanation=explanation,
        rounding=RoundingOut(mode="half_up", subunit=str(subunit(fee.amount_currency))),
        events_url=events_url if _counts_events(fee) else None,
    )


async def events_page(
    unit: Unit, events: EventStore, fee_id: UUID, wanted: Page
) -> tuple[list[FeeEventOut], int]:
    """Return a page of the events that a fee counted, oldest first, and how many there are.

    They are read anew: events that came after the fee was made are among them. Which belong to the
    fee's filter and group is decided by the filters that the charge has now.
    """
    fee = await _fee(unit, fee_id)
    found = await _events_of(unit, events, fee) if _counts_events(fee) else []
    shown = found[wanted.offset : wanted.offset + wanted.size]
    return [_out(event) for event in shown], len(found)


async def _events_of(unit: Unit, events: EventStore, fee: Fee) -> list[MeteredEvent]:
    assert fee.charge_id
    assert fee.subscription_id
    charge = await catalog.charge_by_id(unit, fee.charge_id)
    (subscription,) = await subscriptions.by_ids(unit, [fee.subscription_id])
    wanted = await _wanted(unit, fee, charge, subscription)
    found = await events_behind(unit, events, wanted)
    if fee.event_id is not None:
        return [event for one in found.values() for event in one if event.id == fee.event_id]
    tariff = tariff_of(charge)

    def is_of_fee(bucket: Bucket) -> bool:
        row = tariff.filter_of(bucket)
        filter_id = None if row is None else row.id
        return filter_id == fee.charge_filter_id and tariff.grouped_by(bucket) == fee.grouped_by

    counted = [event for bucket, one in found.items() if is_of_fee(bucket) for event in one]
    return sorted(counted, key=lambda event: (event.at, event.order))


async def _wanted(unit: Unit, fee: Fee, charge: Charge, subscription: Subscription) -> Wanted:
    """Return the usage that a fee priced: that of its window, or what was carried into it."""
    assert fee.from_datetime
    assert fee.to_datetime
    window = Window(fee.from_datetime, fee.to_datetime)
    if charge.pay_in_advance and fee.event_id is None:
        return Wanted(subscription, Window(window.start - DAY, window.start), [charge])
    ended = subscription.terminated_at
    if ended is None or ended < window.last:
        return Wanted(subscription, window, [charge])
    successors = await subscriptions.successors(unit, [subscription.id])
    successor = successors.get(subscription.id)
    # an end in favour of the next plan leaves its very instant to that plan
    end = window.end if successor is None else window.last
    return Wanted(subscription, Window(window.start, end), [charge])


def _counts_events(fee: Fee) -> bool:
    return fee.charge_id is not None and fee.true_up_parent_fee_id is None


def _out(event: MeteredEvent) -> FeeEventOut:
    return FeeEventOut(
        lago_id=event.id,
        transaction_id=event.transaction_id,
        timestamp=event.at,
        value=event.value,
        operation_type=event.operation,
        precise_total_amount_cents=event.precise_total_amount_cents,
    )


async def _fee(unit: Unit, fee_id: UUID) -> Fee:
    found = await invoices.fee(unit, fee_id)
    if found is None:
        raise NotFound("fee")
    return found
