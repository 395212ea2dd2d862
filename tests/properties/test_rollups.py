"""Whatever is sent, in whatever order: a store answers what a fold over the plain list does."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_core.domain.metrics import numeric, property_text
from billing_core.ids import new_id
from billing_core.ports import (
    EventPosition,
    Group,
    Meter,
    MeteredEvent,
    UsageQuery,
    one_bucket,
)
from billing_core.store.events.raw_usage import usage_of
from billing_core.store.events.records import IncomingEvent, instant
from tests.support.events import EventRig, postgres_rig, sqlite_rig
from tests.support.postgres import fresh_database

EXAMPLES = int(os.environ.get("TALLYGATE_SOAK", "0")) * 400 or 40  # noqa: TID251 - test length
T0 = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
AGGREGATIONS = (
    *("count_agg", "sum_agg", "max_agg", "latest_agg", "unique_count_agg", "weighted_sum_agg"),
)
DIMENSIONS = ((), ("w",), ("region",), ("region", "w"), ("operation_type", "v"))
REGIONS = ("", '"eu"', '"us"', "null", "7", '"' + "é" * 400 + '"')
CODES = ("tokens", "seats")
SUBSCRIPTIONS = ("s1", "s2", None)
FIELDS = ("v", "w", "operation_type")
VALUES = (
    *("1", "-2", "0.1", "1e3", "-0", "12345678901234567890.123456789", "true", "null"),
    *(
        '"1"',
        '"1.0"',
        '"-7.25"',
        '"1e3"',
        '" 5"',
        '"x"',
        '""',
        '"\\u0031"',
        "[1, 2]",
        '{"a": 1.50}',
    ),
    '"' + "9" * 70 + '"',
)
EXACT = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
OPERATIONS = ("", "add", "remove", "other")

instants = st.builds(
    lambda hours, edge_us: T0 + hours * HOUR + timedelta(microseconds=edge_us),
    st.integers(-30, 60),
    st.sampled_from((0, 0, -1, 1, 1_800_000_000, 3_599_999_999)),
)
windows = st.tuples(st.one_of(st.none(), instants), instants)


@st.composite
def properties(draw: st.DrawFn) -> str:
    names = draw(st.sets(st.sampled_from("vw")))
    parts = [f'"{name}":{draw(st.sampled_from(VALUES))}' for name in sorted(names)]
    region = draw(st.sampled_from(REGIONS))
    if region:
        parts.append(f'"region":{region}')
    operation = draw(st.sampled_from(OPERATIONS))
    if operation:
        parts.append(f'"operation_type":"{operation}"')
    return "{" + ",".join(parts) + "}"


@dataclass(frozen=True)
class Sent:
    """An event before it has an organization."""

    transaction: int
    subscription: str | None
    code: str
    at: datetime
    properties: str
    amount: str | None


events = st.builds(
    Sent,
    st.integers(0, 30),
    st.sampled_from(SUBSCRIPTIONS),
    st.sampled_from(CODES),
    instants,
    properties(),
    st.sampled_from((None, None, "1.5", "-0.000000000000001")),
)
meters = st.builds(
    lambda code, aggregation, name, dimensions: Meter(
        new_id(), code, aggregation, name, dimensions
    ),
    st.sampled_from(CODES),
    st.sampled_from(AGGREGATIONS),
    st.sampled_from(FIELDS),
    st.sampled_from(DIMENSIONS),
)
steps = st.one_of(
    st.tuples(st.just("single"), events),
    st.tuples(st.just("batch"), st.lists(events, min_size=1, max_size=6)),
    st.tuples(st.just("together"), st.lists(events, min_size=2, max_size=12)),
    st.tuples(st.just("register"), meters),
    st.tuples(st.just("settle"), st.none()),
    st.tuples(st.just("ask"), st.tuples(meters, windows)),
    st.tuples(st.just("forget"), st.tuples(st.sampled_from(CODES), instants)),
)


@dataclass
class Model:
    """The plain list, and what was ever taken."""

    events: list[IncomingEvent] = field(default_factory=list)
    taken: set[bytes] = field(default_factory=set)

    def send(self, batch: list[IncomingEvent], *, atomic: bool) -> list[bool]:
        answers: list[bool] = []
        seen: set[bytes] = set()
        for event in batch:
            answers.append(event.key not in self.taken and event.key not in seen)
            seen.add(event.key)
        if all(answers) or not atomic:
            new = [event for event, is_new in zip(batch, answers, strict=True) if is_new]
            self.events += new
            self.taken |= {event.key for event in new}
        return answers

    def metered(self, query: UsageQuery, subscription: str) -> list[MeteredEvent]:
        meter = query.meter
        found = []
        for order, event in enumerate(self.events):
            at = instant(event.timestamp_us)
            series = (event.code, event.external_subscription_id)
            is_in = (query.start is None or query.start <= at) and at < query.end
            if series != (meter.code, subscription) or not is_in:
                continue
            decoded = EXACT.decode(event.properties)
            amount = event.precise_total_amount_cents
            value = property_text(decoded.get(meter.field_name or ""))
            if meter.aggregation == "unique_count_agg" and value is None:
                continue
            if meter.aggregation not in {"count_agg", "unique_count_agg"} and not is_number(value):
                continue
            found.append(
                MeteredEvent(
                    id=UUID(bytes=event.key),
                    transaction_id=event.transaction_id,
                    at=at,
                    order=order,
                    value=value,
                    operation=property_text(decoded.get("operation_type")),
                    group=tuple(property_text(decoded.get(key)) for key in meter.dimensions),
                    precise_total_amount_cents=None if amount is None else Decimal(amount),
                )
            )
        return sorted(found, key=lambda each: (each.at, each.order))


def is_number(text: str | None) -> bool:
    return numeric(text) is not None


def first_dimension(group: Group) -> str | None:
    """Leave out one region, keep the others apart by the first dimension only."""
    return None if group[0] == "us" else f"={group[0]}"


Window = tuple[datetime | None, datetime]


class Histories:
    """Plays histories against one running store, each in an organization of its own."""

    def __init__(self, rig: EventRig) -> None:
        self._rig = rig

    async def play(self, history: list[tuple[str, Any]]) -> None:
        rig = EventRig(self._rig.store, self._rig.ingest)
        model = Model()
        asked: list[tuple[Meter, Window]] = []
        for what, detail in history:
            if what == "ask":
                asked.append(detail)
                await self._compare(rig, model, *detail)
            else:
                await self._step(rig, model, what, detail)
        for meter, window in asked:
            await self._compare(rig, model, meter, window)
        assert await rig.store.recount(rig.org_id) == []

    async def _step(self, rig: EventRig, model: Model, what: str, detail: Any) -> None:
        if what == "register":
            await rig.store.register_meter(rig.org_id, detail)
        elif what == "settle":
            await rig.store.settle()
        elif what == "forget":
            code, until = detail
            doomed = [
                event
                for event in model.events
                if event.code == code and instant(event.created_at_us) <= until
            ]
            assert await rig.store.forget(rig.org_id, code, until) == len(doomed)
            model.events = [event for event in model.events if event not in doomed]
        elif what == "together":
            sent = [_event(rig, each) for each in detail]
            answers = await asyncio.gather(*(rig.send(event) for event in sent))
            assert answers == [model.send([event], atomic=False) for event in sent]
        else:
            sent = [_event(rig, each) for each in (detail if what == "batch" else [detail])]
            is_atomic = what == "batch"
            assert await rig.send(*sent, atomic=is_atomic) == model.send(sent, atomic=is_atomic)

    async def _compare(self, rig: EventRig, model: Model, meter: Meter, window: Window) -> None:
        bucketings = [one_bucket, lambda group: group]
        if meter.dimensions:
            bucketings.append(first_dimension)
        for name in ("s1", "s2"):
            queries = [UsageQuery(name, meter, *window, bucket_of) for bucket_of in bucketings]
            found = await rig.store.usage(rig.org_id, queries)
            expected = model.metered(queries[0], name)
            assert found == [usage_of(query, expected) for query in queries]
            events = await rig.store.events(rig.org_id, queries[0])
            assert [(each.id, each.value, each.group) for each in events] == [
                (each.id, each.value, each.group) for each in expected
            ]
            await self._compare_up_to(rig, queries[-1], events)

    async def _compare_up_to(
        self, rig: EventRig, query: UsageQuery, events: list[MeteredEvent]
    ) -> None:
        """Of events at one instant only the earlier ingested count."""
        if not events:
            return
        last = events[len(events) // 2]
        until = replace(query, end=last.at + MICROSECOND, last=EventPosition(last.at, last.order))
        (found,) = await rig.store.usage(rig.org_id, [until])
        assert found == usage_of(until, events[: len(events) // 2 + 1])


def _event(rig: EventRig, sent: Sent) -> IncomingEvent:
    name = f"tx-{sent.transaction}"
    event = rig.event(name, sent.at, sent.properties, sent.subscription, sent.code)
    return event._replace(precise_total_amount_cents=sent.amount)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as opened:
        yield opened


@pytest.fixture(scope="module")
def sqlite_histories(
    runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Histories]:
    manager = sqlite_rig(Path(tmp_path_factory.mktemp("events")))
    yield Histories(runner.run(manager.__aenter__()))
    runner.run(manager.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def postgres_histories(runner: asyncio.Runner) -> Iterator[Histories]:
    with fresh_database() as url:
        manager = postgres_rig(url)
        yield Histories(runner.run(manager.__aenter__()))
        runner.run(manager.__aexit__(None, None, None))


slow_examples = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
histories = st.lists(steps, min_size=1, max_size=25)


@given(history=histories)
@slow_examples
def test_sqlite_equals_the_fold(
    runner: asyncio.Runner, sqlite_histories: Histories, history: list[tuple[str, Any]]
) -> None:
    runner.run(sqlite_histories.play(history))


@given(history=histories)
@slow_examples
def test_postgres_equals_the_fold(
    runner: asyncio.Runner, postgres_histories: Histories, history: list[tuple[str, Any]]
) -> None:
    runner.run(postgres_histories.play(history))
