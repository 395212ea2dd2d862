"""What subscriptions used, charge by charge: planned as queries, answered with one read."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast
from uuid import UUID

from billing_core.domain import pricing_units
from billing_core.domain.calendar import MICROSECOND, Window
from billing_core.domain.filters import Bucket, Texts
from billing_core.domain.money import subunit
from billing_core.domain.recurring import Span, span_of
from billing_core.ports import (
    EventStore,
    Meter,
    MeteredEvent,
    MeteredUsage,
    UsageQuery,
    one_bucket,
)
from billing_core.services.shapes.subscriptions import times_of
from billing_core.services.tariffs import EVERYTHING, Narrowing, Tariff, tariff_of
from billing_core.store import meters
from billing_core.store.tables import BillableMetric, Charge, Plan, Subscription
from billing_core.store.unit import Unit

WHOLE = Bucket(None, ())  # the only bucket of a charge without filters and groups
CARRIED_WHOLE = frozenset({"sum_agg", "unique_count_agg"})
PAID_BY_PEAK = frozenset({"sum_agg", "unique_count_agg"})
Part = tuple[Bucket, Texts]
PARTS = {"used": "parts", "carried": "carried_parts"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Some charges of a subscription over a window; a null or collapsed one has no usage.

    `upgraded_to` is the plan of the subscription in whose favour this one ended. With `renewed`,
    the units there are at the end of `window` are billed in full for that coming period.
    """

    subscription: Subscription
    window: Window | None
    charges: Sequence[Charge]
    narrowing: Narrowing = EVERYTHING
    upgraded_to: Plan | None = None
    renewed: Window | None = None

    def is_left_to_successor(self, charge: Charge) -> bool:
        """Tell whether the next plan bills what this charge would (`docs/rules/metering.md` 2.3).

        Whole recurring units go on under the next plan, so they are not billed twice; prorated ones
        are billed on both sides, each for its days.
        """
        if self.upgraded_to is None or charge.prorated or not charge.metric.recurring:
            return False
        followers = {one.billable_metric_id for one in self.upgraded_to.charges}
        return not charge.pay_in_advance and charge.billable_metric_id in followers


@dataclass(frozen=True)
class Metering:
    """One charge of one subscription over one window, and what was read for it.

    `used` is usage by bucket: since ever for recurring sums and unique counts, else in the window.
    `carried` is what a recurring weighted sum brings into the window, its changes before it.
    `parts` and `carried_parts` are the same by bucket and breakdown. `events` hold the events of a
    bucket in order, where sums do not suffice.
    """

    wanted: Wanted
    window: Window
    tariff: Tariff
    used: Mapping[Bucket, MeteredUsage]
    carried: Mapping[Bucket, MeteredUsage] = field(default_factory=dict)
    parts: Mapping[Part, MeteredUsage] = field(default_factory=dict)
    carried_parts: Mapping[Part, MeteredUsage] = field(default_factory=dict)
    events: Mapping[Bucket, Sequence[MeteredEvent]] = field(default_factory=dict)

    @property
    def charge(self) -> Charge:
        """The charge that was metered."""
        return self.tariff.charge

    @property
    def metric(self) -> BillableMetric:
        """The metric of the charge."""
        return self.tariff.charge.metric

    @property
    def billed(self) -> Window:
        """The period that is paid: the coming one of a renewal, else the one that was metered."""
        return self.wanted.renewed or self.window

    @property
    def is_paid_by_peak(self) -> bool:
        """Whether the units in advance fees have paid for are asked for."""
        is_read = self.wanted.renewed is None and self.charge.pay_in_advance
        return is_read and self.metric.aggregation_type in PAID_BY_PEAK

    @property
    def is_prorated(self) -> bool:
        """Whether units count by the day; what is carried into a renewed period never does."""
        return self.charge.prorated and self.wanted.renewed is None

    @property
    def currency(self) -> str:
        """The currency of the plan."""
        return self.wanted.subscription.plan.amount_currency

    @property
    def subunit(self) -> int:
        """How many minor units make a major one of what the charge is priced in."""
        is_money = self.tariff.conversion_rate is None
        return subunit(self.currency) if is_money else pricing_units.SUBUNIT

    @cached_property
    def span(self) -> Span:
        """The local days of the window; the day of an upgrade is paid on the next plan."""
        times = times_of(self.wanted.subscription)
        return span_of(times, self.window, minus_days=1 if self.wanted.upgraded_to else 0)


async def meters_of(unit: Unit, metrics: Iterable[BillableMetric]) -> dict[UUID, Meter]:
    """Return what the event store keeps for each metric, by the metric's id."""
    known = {metric.id: metric for metric in metrics}
    dimensions = await meters.dimensions(unit, known)
    return {
        metric_id: Meter(
            metric_id,
            metric.code,
            metric.aggregation_type,
            metric.field_name,
            dimensions[metric_id],
        )
        for metric_id, metric in known.items()
    }


async def read(unit: Unit, events: EventStore, wanted: Sequence[Wanted]) -> list[list[Metering]]:
    """Meter every wanted charge with one read of all usage; answers are in the order of `wanted`.

    A charge that needs single events to be priced costs one read more.
    """
    planned = _planned(wanted, await meters_of(unit, _metrics(wanted)))
    queries = [query for _, plan in planned for query in plan.queries.values()]
    answers = iter(await events.usage(unit.org_id, queries) if queries else [])
    found: list[list[Metering]] = [[] for _ in wanted]
    for place, plan in planned:
        answer = {name: next(answers) for name in plan.queries}
        found[place].append(await plan.metered(unit, events, answer))
    return found


async def events_behind(
    unit: Unit, events: EventStore, wanted: Wanted
) -> dict[Bucket, list[MeteredEvent]]:
    """Return the events that one wanted charge counts, by bucket: also those carried in."""
    planned = _planned([wanted], await meters_of(unit, _metrics([wanted])))
    if not planned:
        return {}  # the window has collapsed
    ((_, plan),) = planned
    first = plan.queries.get("carried", plan.queries["used"])
    query = replace(plan.queries["used"], start=first.start)
    return _events_by_bucket(query, await events.events(unit.org_id, query))


@dataclass(frozen=True, slots=True)
class _Plan:
    wanted: Wanted
    window: Window
    tariff: Tariff
    queries: dict[str, UsageQuery]

    async def metered(
        self, unit: Unit, events: EventStore, answer: Mapping[str, Mapping[Hashable, MeteredUsage]]
    ) -> Metering:
        used = _by_bucket(answer["used"])
        needed = self._event_query() if used else None
        found = await events.events(unit.org_id, needed) if needed else []
        return Metering(
            self.wanted,
            self.window,
            self.tariff,
            used=used,
            carried=_by_bucket(answer.get("carried", {})),
            parts=cast("Mapping[Part, MeteredUsage]", answer.get("parts", {})),
            carried_parts=cast("Mapping[Part, MeteredUsage]", answer.get("carried_parts", {})),
            events=_events_by_bucket(needed, found),
        )

    def _event_query(self) -> UsageQuery | None:
        charge, used = self.tariff.charge, self.queries["used"]
        aggregation = charge.metric.aggregation_type
        if aggregation != "count_agg" and any(terms.needs_values for terms in self.tariff.terms):
            return used
        by_event = charge.prorated or (charge.pay_in_advance and aggregation in PAID_BY_PEAK)
        if not by_event or self.wanted.renewed is not None:
            return None
        start = used.start if aggregation == "unique_count_agg" else self.window.start
        return replace(used, start=start)


def _metrics(wanted: Sequence[Wanted]) -> Iterable[BillableMetric]:
    return (charge.metric for one in wanted for charge in one.charges)


def _planned(wanted: Sequence[Wanted], known: Mapping[UUID, Meter]) -> list[tuple[int, _Plan]]:
    tariffs: dict[tuple[UUID, int], Tariff] = {}
    planned = []
    for place, one in enumerate(wanted):
        if one.window is None or one.window.is_empty:
            continue
        for charge in one.charges:
            if one.is_left_to_successor(charge):
                continue
            key = (charge.id, id(one.narrowing))
            tariff = tariffs.get(key) or tariffs.setdefault(key, tariff_of(charge, one.narrowing))
            queries = _queries(one, tariff, known[charge.billable_metric_id])
            planned.append((place, _Plan(one, one.window, tariff, queries)))
    return planned


def _queries(wanted: Wanted, tariff: Tariff, meter: Meter) -> dict[str, UsageQuery]:
    window, metric = cast("Window", wanted.window), tariff.charge.metric
    since_ever = metric.recurring and metric.aggregation_type in CARRIED_WHOLE
    # what comes at the very instant of an upgrade is the next plan's (docs/rules/metering.md 1.6)
    end = window.end if wanted.upgraded_to is None else window.end - MICROSECOND
    spans = {"used": (None if since_ever else window.start, end)}
    # A level is the sum of its changes since the subscription began, under whatever plan: events
    # that come late are in it (docs/rules/metering.md 2.3).
    began = wanted.subscription.subscription_at
    if metric.recurring and metric.aggregation_type == "weighted_sum_agg" and began < window.start:
        spans["carried"] = (began, window.start)
    only = wanted.narrowing.accepts if wanted.narrowing.groups else None
    is_whole = only is None and not tariff.buckets.dimensions()
    name = one_bucket if is_whole else tariff.buckets.namer(meter.dimensions, only=only)
    found = {}
    for span, (start, end) in spans.items():
        query = UsageQuery(wanted.subscription.external_id, meter, start, end, name)
        found[span] = query
        if tariff.buckets.breakdown_keys:
            part = tariff.buckets.namer(meter.dimensions, only=only, broken_down=True)
            found[PARTS[span]] = replace(query, bucket_of=part)
    return found


def _by_bucket(answer: Mapping[Hashable, MeteredUsage]) -> dict[Bucket, MeteredUsage]:
    return {_bucket(name): usage for name, usage in answer.items()}


def _bucket(name: Hashable) -> Bucket:
    return name if isinstance(name, Bucket) else WHOLE


def _events_by_bucket(
    query: UsageQuery | None, found: Sequence[MeteredEvent]
) -> dict[Bucket, list[MeteredEvent]]:
    by_bucket: dict[Bucket, list[MeteredEvent]] = {}
    for event in found:
        assert query is not None, "there are no events without a query"
        name = query.bucket_of(event.group)
        if name is not None:
            by_bucket.setdefault(_bucket(name), []).append(event)
    return by_bucket
