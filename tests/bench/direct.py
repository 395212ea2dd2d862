"""The store without HTTP: rollup cost, growth, replays and reads (G7, G8, G9, G15, G16, G17)."""

import asyncio
import random
import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter_ns
from uuid import UUID

from billing_core.ids import new_id
from billing_core.ports import Meter, UsageQuery
from billing_core.store.events.records import IncomingEvent
from tests.bench.machine import NS
from tests.bench.report import Report
from tests.support.events import EventRig, make_event

START = datetime(2026, 11, 1, tzinfo=UTC)
MONTH = (START, START + timedelta(days=30))
CODE = "tokens"
SUBSCRIPTIONS = 1000
CHUNK = 2000
GOAL_EVENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is stored; the quick run keeps the shape and shrinks the rest."""

    ingest_events: int
    growth_events: int
    small_events: int
    large_events: int
    medium_events: int


QUICK = Sizes(20_000, 150_000, 10_000, 100_000, 50_000)
FULL = Sizes(200_000, 5_000_000, 10_000, 10_000_000, 1_000_000)


def meter(aggregation: str = "sum_agg") -> Meter:
    return Meter(new_id(), CODE, aggregation, "v")


def live_events(
    org_id: UUID, count: int, first: int = 0, *, spread: bool = False
) -> list[IncomingEvent]:
    """Return events with random transaction ids: of this hour with a few late ones, or spread."""
    source = random.Random(first)  # noqa: S311 - load, not secrets
    hours = 30 * 24
    found = []
    for number in range(first, first + count):
        is_late = spread or source.random() < 0.03
        at = START + timedelta(
            hours=source.randrange(hours) if is_late else hours - 1, microseconds=number
        )
        properties = f'{{"v":"{number % 997}","model":"gpt-4o-mini","trace":"{number:064d}"}}'
        subscription = f"sub_{source.randrange(SUBSCRIPTIONS):032d}"
        name = f"{source.getrandbits(64):016x}-{number}"
        found.append(make_event(org_id, name, at, properties, subscription, CODE))
    return found


async def ingest(rig: EventRig, events: Sequence[IncomingEvent]) -> float:
    """Send events in batches of 100, many at once; returns events per second."""
    batches = [events[at : at + 100] for at in range(0, len(events), 100)]
    waiting: Iterator[Sequence[IncomingEvent]] = iter(batches)

    async def send() -> None:
        for batch in waiting:
            await rig.ingest.submit(batch, atomic=True)

    begin = perf_counter_ns()
    await asyncio.gather(*(send() for _ in range(40)))
    return len(events) * NS / (perf_counter_ns() - begin)


async def rollup_cost(report: Report, rig: EventRig, name: str, sizes: Sizes, rounds: int) -> None:
    """G7 and G9: with a meter, without one, and everything once more."""
    rates: dict[str, list[float]] = {"plain": [], "live": [], "spread": [], "replay": []}
    for number in range(rounds):
        for kind in ("plain", "live", "spread"):
            org_id = new_id()
            if kind != "plain":
                await rig.store.register_meter(org_id, meter())
            first = number * sizes.ingest_events
            events = live_events(org_id, sizes.ingest_events, first, spread=kind == "spread")
            rates[kind].append(await ingest(rig, events))
            if kind == "live":
                rates["replay"].append(await ingest(rig, events))
    for kind, values in rates.items():
        report.figure(f"{name}: direct ingest, {kind}", values, "events/s")
    plain, live, spread, replay = (statistics.median(values) for values in rates.values())
    report.goal(f"G7 {name}", "rollup, live traffic / no rollup", live / plain, ">= 0.60", 0.6)
    report.goal(f"G7 {name}", "rollup, 30 days spread / no rollup", spread / plain, ">= 0.40", 0.4)
    report.goal(f"G9 {name}", "replay of duplicates / first insert", replay / live, ">= 1", 1)


async def growth(report: Report, rig: EventRig, name: str, sizes: Sizes) -> None:
    """G8: the rate at the end of a long run against the rate near its beginning."""
    org_id = new_id()
    await rig.store.register_meter(org_id, meter())
    window = 25_000
    rates = [
        await ingest(rig, live_events(org_id, window, at))
        for at in range(0, sizes.growth_events, window)
    ]
    report.figure(f"{name}: ingest while growing to {sizes.growth_events:,}", rates, "events/s")
    last = statistics.median(rates[-3:])
    target = 0.6 if name == "postgres" else (0.15 if sizes.growth_events > 1_000_000 else 0.25)
    report.goal(
        f"G8 {name}",
        f"rate at {sizes.growth_events:,} rows / at 25,000",
        last / rates[0],
        f">= {target}",
        target,
    )


async def filled(rig: EventRig, count: int, subscriptions: int) -> UUID:
    """Store events evenly over a month, every hour of every subscription alike."""
    org_id = new_id()
    await rig.store.register_meter(org_id, meter())
    step = timedelta(days=30) / count * subscriptions
    for first in range(0, count, CHUNK * 10):
        events = [
            make_event(
                org_id,
                f"t{number}",
                START + (number // subscriptions) * step,
                '{"v":"3"}',
                f"s{number % subscriptions}",
                CODE,
            )
            for number in range(first, min(first + CHUNK * 10, count))
        ]
        await ingest(rig, events)
    return org_id


async def reads(report: Report, rig: EventRig, name: str, sizes: Sizes) -> None:
    """G15, G16, G17: current usage and a whole bill run do not grow with history."""
    asked = meter()
    small = await filled(rig, sizes.small_events, 10)
    medium = await filled(rig, sizes.medium_events, SUBSCRIPTIONS)
    large_one = await filled(rig, sizes.large_events, 10)
    large = await filled(rig, sizes.large_events, SUBSCRIPTIONS)
    await rig.store.settle()
    uneven = (START + timedelta(minutes=29), MONTH[1] - timedelta(minutes=31))

    def one(org_id: UUID, window: tuple[datetime, datetime]) -> Callable[[], Awaitable[object]]:
        return lambda: rig.store.usage(org_id, [UsageQuery("s3", asked, *window)])

    def bill(org_id: UUID) -> Callable[[], Awaitable[object]]:
        queries = [UsageQuery(f"s{number}", asked, *MONTH) for number in range(SUBSCRIPTIONS)]
        return lambda: rig.store.usage(org_id, queries)

    few = await _median_us(report, f"{name}: month, 10 k events", one(small, MONTH))
    many = await _median_us(report, f"{name}: month, {sizes.large_events:,}", one(large_one, MONTH))
    await _median_us(
        report, f"{name}: uneven window, {sizes.large_events:,}", one(large_one, uneven)
    )
    query = UsageQuery("s3", asked, *MONTH)
    raw = await _median_us(
        report, f"{name}: the same from raw events", lambda: rig.store.events(large_one, query), 5
    )
    report.goal(f"G15 {name}", "current usage, many events / few", many / few, "<= 1.5", 1.5)
    per_subscription = sizes.large_events // 10
    if per_subscription >= GOAL_EVENTS:
        what = f"rollup / raw, {per_subscription:,} events"
        report.goal(f"G16 {name}", what, many / raw, "<= 0.01", 0.01)
    else:
        report.say(
            f"  G16 is stated for {GOAL_EVENTS:,} events; at {per_subscription:,}"
            f" rollup / raw is {many / raw:.4f}"
        )
    first = await _median_us(
        report, f"{name}: bill run at {sizes.medium_events:,}", bill(medium), 7
    )
    second = await _median_us(report, f"{name}: bill run at {sizes.large_events:,}", bill(large), 7)
    report.goal(
        f"G17 {name}",
        "bill run of 1000 subscriptions, large / medium",
        second / first,
        "<= 1.2",
        1.2,
    )


async def _median_us(
    report: Report, name: str, ask: Callable[[], Awaitable[object]], rounds: int = 41
) -> float:
    await ask()
    taken = []
    for _ in range(rounds):
        begin = perf_counter_ns()
        await ask()
        taken.append((perf_counter_ns() - begin) / 1000)
    return report.figure(name, taken, "us")


async def run(report: Report, rig: EventRig, name: str, sizes: Sizes, rounds: int) -> None:
    """Everything that needs no HTTP."""
    report.section(f"{name}: the store itself")
    await rollup_cost(report, rig, name, sizes, rounds)
    await growth(report, rig, name, sizes)
    await reads(report, rig, name, sizes)
