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
from tests.bench.machine import NS, Scans
from tests.bench.report import Report
from tests.support.events import EventRig, make_event

START = datetime(2026, 11, 1, tzinfo=UTC)
MONTH = (START, START + timedelta(days=30))
CODE = "tokens"
SUBSCRIPTIONS = 1000
CHUNK = 2000
GOAL_EVENTS = 1_000_000
BareScan = Callable[[int], Awaitable[Scans]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is stored; the quick run keeps the shape and shrinks the rest.

    `hot_events` belong to one subscription, once per aggregation; `large_events` are spread over a
    thousand subscriptions, and growth is measured while they come in.
    """

    ingest_events: int
    few_events: int
    hot_events: int
    medium_events: int
    large_events: int


QUICK = Sizes(20_000, 2_000, 20_000, 30_000, 120_000)
FULL = Sizes(200_000, 10_000, GOAL_EVENTS, 1_000_000, 10_000_000)
AGGREGATIONS = (
    *("sum_agg", "count_agg", "max_agg", "latest_agg", "unique_count_agg", "weighted_sum_agg"),
)
VALUES = 100  # distinct ones in a hot subscription


def meter(aggregation: str = "sum_agg", code: str = CODE) -> Meter:
    return Meter(new_id(), code, aggregation, "v")


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


async def growth(report: Report, rig: EventRig, name: str, sizes: Sizes) -> UUID:
    """G8: the rate half way through a long run against the rate at its beginning."""
    org_id = new_id()
    await rig.store.register_meter(org_id, meter())
    window = min(50_000, sizes.large_events // 10)
    rates = [
        await ingest(rig, live_events(org_id, window, at, spread=True))
        for at in range(0, sizes.large_events, window)
    ]
    report.figure(f"{name}: ingest while growing to {sizes.large_events:,}", rates, "events/s")
    half = len(rates) // 2
    middle = statistics.median(rates[half - 1 : half + 2])
    is_long = sizes.large_events > GOAL_EVENTS
    target = 0.6 if name == "postgres" else (0.15 if is_long else 0.25)
    what = f"rate at {sizes.large_events // 2:,} rows / at {window:,}"
    report.goal(f"G8 {name}", what, middle / rates[0], f">= {target}", target)
    return org_id


async def filled(rig: EventRig, count: int, subscriptions: int, code: str = CODE) -> UUID:
    """Store events evenly over a month, every hour of every subscription alike."""
    org_id = new_id()
    step = timedelta(days=30) / count * subscriptions
    for first in range(0, count, CHUNK * 10):
        events = [
            make_event(
                org_id,
                f"{code}{number}",
                START + (number // subscriptions) * step,
                f'{{"v":"{number % VALUES}"}}',
                f"s{number % subscriptions}",
                code,
            )
            for number in range(first, min(first + CHUNK * 10, count))
        ]
        await ingest(rig, events)
    return org_id


async def current_usage(
    report: Report, rig: EventRig, name: str, sizes: Sizes, bare: BareScan
) -> None:
    """G15, G16: the usage of one subscription, for every aggregation that is kept ready."""
    scans = await bare(sizes.hot_events)
    what = f"{name}: bare scan of a covering index, {sizes.hot_events:,}"
    raw_us = report.figure(what, scans.total_us, "us")
    distinct_us = report.figure(f"{what}, distinct", scans.distinct_us, "us")
    for aggregation in AGGREGATIONS:
        orgs = [await filled(rig, n, 1, aggregation) for n in (sizes.few_events, sizes.hot_events)]
        bare_us = distinct_us if aggregation == "unique_count_agg" else raw_us
        ask = _asking(rig, meter(aggregation, aggregation))
        for org_id in orgs:
            await rig.store.register_meter(org_id, meter(aggregation, aggregation))
        await rig.store.settle()
        few, many = [
            await _median_us(
                report,
                f"{name}: {aggregation} of {count:,} events",
                ask(org_id),
            )
            for org_id, count in zip(orgs, (sizes.few_events, sizes.hot_events), strict=True)
        ]
        report.goal(f"G15 {name}", f"{aggregation}, many / few", many / few, "<= 1.5", 1.5)
        if sizes.hot_events >= GOAL_EVENTS:
            what = f"{aggregation}, rollup / bare scan"
            report.goal(f"G16 {name}", what, many / bare_us, "<= 0.01", 0.01)
    if sizes.hot_events < GOAL_EVENTS:
        report.say(f"  G16 is stated for {GOAL_EVENTS:,} events: not in the quick run")


def _asking(rig: EventRig, asked: Meter) -> Callable[[UUID], Callable[[], Awaitable[object]]]:
    query = UsageQuery("s0", asked, *MONTH)
    return lambda org_id: lambda: rig.store.usage(org_id, [query])


async def bill_run(report: Report, rig: EventRig, name: str, sizes: Sizes, large: UUID) -> None:
    """G17: the usage of a thousand subscriptions does not grow with their events."""
    asked = meter()
    medium = new_id()
    for at in range(0, sizes.medium_events, CHUNK * 10):
        await ingest(rig, live_events(medium, CHUNK * 10, at, spread=True))
    names = [f"sub_{number:032d}" for number in range(SUBSCRIPTIONS)]
    queries = [UsageQuery(name, asked, *MONTH) for name in names]
    await rig.store.register_meter(medium, asked)
    first, second = [
        await _median_us(
            report,
            f"{name}: bill run at {count:,}",
            lambda org_id=org_id: rig.store.usage(org_id, queries),  # type: ignore[misc]
            7,
        )
        for org_id, count in ((medium, sizes.medium_events), (large, sizes.large_events))
    ]
    what = "bill run of 1000 subscriptions, large / medium"
    report.goal(f"G17 {name}", what, second / first, "<= 1.2", 1.2)


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


async def run(  # noqa: PLR0913, PLR0917 - what a run is made of
    report: Report, rig: EventRig, name: str, sizes: Sizes, rounds: int, bare: BareScan
) -> None:
    """Everything that needs no HTTP."""
    report.section(f"{name}: the store itself")
    await rollup_cost(report, rig, name, sizes, rounds)
    await current_usage(report, rig, name, sizes, bare)
    large = await growth(report, rig, name, sizes)
    await bill_run(report, rig, name, sizes, large)
