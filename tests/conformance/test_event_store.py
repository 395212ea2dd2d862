"""What every event store must do, run against each of them."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from billing_core.domain.errors import Busy, Unavailable
from billing_core.ids import new_id
from billing_core.ports import NO_USAGE, Activity, EventFilter, Meter, MeteredUsage, UsageQuery
from billing_core.store.events.ingest import Ingest
from tests.support.events import CODE, FOREVER, T0, EventRig, meter, postgres_rig, sqlite_rig
from tests.support.postgres import fresh_database

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "sqlite":
        yield None
    else:
        with fresh_database() as url:
            yield url


@pytest.fixture
async def rig(database_url: str | None, tmp_path: Path) -> AsyncIterator[EventRig]:
    if database_url is None:
        async with sqlite_rig(tmp_path) as opened:
            yield opened
    else:
        async with postgres_rig(database_url) as opened:
            yield opened


both = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
pytestmark = both


def usage(units: str | int, events_count: int) -> MeteredUsage:
    return MeteredUsage(Decimal(units), events_count)


async def test_an_event_is_stored_once(rig: EventRig) -> None:
    first = rig.event("a", properties='{"v":1}')
    assert await rig.send(first) == [True]
    assert await rig.send(first) == [False]
    assert await rig.send(rig.event("a", properties='{"v":2}')) == [False]
    assert await rig.usage(meter("sum_agg")) == usage(1, 1)
    await rig.check()


async def test_the_same_transaction_lives_under_several_subscriptions(rig: EventRig) -> None:
    assert await rig.send(rig.event("a"), rig.event("a", subscription="other")) == [True, True]
    assert await rig.send(rig.event("a", subscription="other")) == [False]


async def test_without_a_subscription_nothing_is_unique(rig: EventRig) -> None:
    for _ in range(2):
        assert await rig.send(rig.event("a", subscription=None)) == [True]
    found, total = await rig.store.list_events(rig.org_id, EventFilter(), 10, 0)
    assert (len(found), total) == (2, 2)


async def test_organizations_do_not_meet(rig: EventRig) -> None:
    other = EventRig(rig.store, rig.ingest)
    assert await rig.send(rig.event("a", properties='{"v":1}')) == [True]
    assert await other.send(other.event("a", properties='{"v":10}')) == [True]
    assert await rig.usage(meter("sum_agg")) == usage(1, 1)
    assert await other.usage(meter("sum_agg")) == usage(10, 1)
    assert (await rig.store.list_events(new_id(), EventFilter(), 10, 0))[1] == 0
    assert await rig.store.find_event(new_id(), "a") is None


async def test_a_batch_is_stored_whole_or_not_at_all(rig: EventRig) -> None:
    assert await rig.send(rig.event("b"), atomic=True) == [True]
    batch = [rig.event(name) for name in ("a", "b", "c")]
    assert await rig.send(*batch, atomic=True) == [True, False, True]
    assert await rig.store.find_event(rig.org_id, "a") is None
    assert await rig.send(rig.event("a"), rig.event("c"), atomic=True) == [True, True]
    assert await rig.send(*batch, atomic=True) == [False, False, False]
    assert await rig.usage(meter("count_agg", None)) == usage(3, 3)
    await rig.check()


async def test_batches_of_one_flush_see_each_other(rig: EventRig) -> None:
    # Submitted in one turn of the loop, so they share a flush; the first one wins.
    answers = await asyncio.gather(
        rig.send(rig.event("a"), rig.event("b"), atomic=True),
        rig.send(rig.event("b"), rig.event("c"), atomic=True),
        rig.send(rig.event("c"), rig.event("d"), atomic=True),
        rig.send(rig.event("d")),
    )
    assert list(answers) == [[True, True], [False, True], [True, True], [False]]
    assert await rig.usage(meter("count_agg", None)) == usage(4, 4)
    await rig.check()


async def test_concurrent_duplicates_are_stored_once(rig: EventRig) -> None:
    events = [rig.event(f"tx-{number % 50}", properties='{"v":1}') for number in range(400)]
    answers = await asyncio.gather(*(rig.send(event) for event in events))
    assert sum(answer[0] for answer in answers) == 50
    assert await rig.usage(meter("sum_agg")) == usage(50, 50)
    await rig.check()


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("count_agg", usage(7, 7)),
        ("sum_agg", usage("-1.5", 4)),
        ("max_agg", usage(7, 4)),
        ("latest_agg", usage(7, 4)),
        ("unique_count_agg", usage(6, 6)),
    ],
)
@pytest.mark.parametrize("registered", ["early", "late"])
async def test_each_aggregation(
    rig: EventRig, aggregation: str, expected: MeteredUsage, registered: str
) -> None:
    asked = meter(aggregation)
    if registered == "early":
        await rig.store.register_meter(rig.org_id, asked)
    await rig.send_values(['"1e3"', '"1.5"', "-12", "true", "2", "null", "7"])
    assert await rig.usage(asked) == expected
    await rig.check()


async def test_negative_latest_counts_as_nothing(rig: EventRig) -> None:
    await rig.send_values(["5", "-2"])
    assert await rig.usage(meter("latest_agg")) == usage(0, 2)


async def test_sums_are_exact(rig: EventRig) -> None:
    small, large = '"0.' + "0" * 39 + '1"', '"' + "9" * 60 + '"'
    await rig.send_values([small, large, small])
    expected = "9" * 60 + "." + "0" * 39 + "2"
    assert await rig.usage(meter("sum_agg")) == usage(expected, 3)
    await rig.check()


async def test_unique_count_follows_the_newest_operation(rig: EventRig) -> None:
    async def operate(name: str, at: datetime, value: str, operation: str) -> None:
        properties = f'{{"v":"{value}","operation_type":"{operation}"}}'
        assert await rig.send(rig.event(name, at, properties)) == [True]

    asked = meter("unique_count_agg")
    await operate("1", T0, "a", "add")
    await operate("2", T0 + HOUR, "b", "remove")
    await operate("3", T0 + 2 * HOUR, "a", "remove")
    assert await rig.usage(asked) == usage(0, 0)
    await operate("4", T0 + 2 * HOUR, "a", "add")
    assert await rig.usage(asked) == usage(1, 1)
    # Late, but older than what is known of that value.
    await operate("5", T0 + HOUR, "a", "remove")
    assert await rig.usage(asked) == usage(1, 1)
    await operate("6", T0 - DAY, "c", "")
    assert await rig.usage(asked, (T0, T0 + DAY)) == usage(1, 1)
    assert await rig.usage(asked, (T0 - DAY, T0 + HOUR)) == usage(2, 2)
    await rig.check()


async def test_windows_are_half_open_to_the_microsecond(rig: EventRig) -> None:
    instants = [T0, T0 + MICROSECOND, T0 + 25 * HOUR - MICROSECOND, T0 + 25 * HOUR]
    for number, at in enumerate(instants):
        await rig.send(rig.event(str(number), at, f'{{"v":{10**number}}}'))
    asked = meter("sum_agg")
    end = T0 + 25 * HOUR
    assert await rig.usage(asked, (T0, end)) == usage(111, 3)
    assert await rig.usage(asked, (T0 + MICROSECOND, end + MICROSECOND)) == usage(1110, 3)
    assert await rig.usage(asked, (T0 + 2 * MICROSECOND, end - MICROSECOND)) == usage(0, 0)
    assert await rig.usage(asked, (T0, T0)) == usage(0, 0)
    assert await rig.usage(asked, (end, T0)) == usage(0, 0)
    assert await rig.values(asked, (T0, end)) == ["1", "10", "100"]


async def test_instants_long_ago_and_far_ahead(rig: EventRig) -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    last = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    for number, at in enumerate([first, datetime(1969, 12, 31, 23, 30, tzinfo=UTC), T0, last]):
        assert await rig.send(rig.event(str(number), at, f'{{"v":{10**number}}}')) == [True]
    asked = meter("sum_agg")
    assert await rig.usage(asked, (first, last)) == usage(111, 3)
    before_1970 = (datetime(1969, 12, 31, 23, 15, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))
    assert await rig.usage(asked, before_1970) == usage(10, 1)
    await rig.check()


async def test_a_changed_definition_is_counted_anew(rig: EventRig) -> None:
    await rig.send(rig.event("a", properties='{"v":1,"w":5}'))
    by_v, by_w = meter("sum_agg", "v"), meter("sum_agg", "w")
    assert await rig.usage(by_v) == usage(1, 1)
    assert await rig.usage(by_w) == usage(5, 1)
    await rig.send(rig.event("b", properties='{"v":10,"w":50}'))
    assert await rig.usage(by_w) == usage(55, 2)
    assert await rig.usage(by_v) == usage(11, 2)
    await rig.check()


async def test_a_meter_registered_amid_traffic_is_exact(rig: EventRig) -> None:
    await rig.send(*(rig.event(f"old-{n}", properties='{"v":1}') for n in range(300)))

    async def live(number: int) -> None:
        assert await rig.send(rig.event(f"new-{number}", properties='{"v":1}')) == [True]

    asked = meter("sum_agg")
    await asyncio.gather(
        *(live(number) for number in range(300)),
        *(rig.store.register_meter(rig.org_id, asked) for _ in range(3)),
        *(live(number) for number in range(300, 600)),
    )
    assert await rig.usage(asked) == usage(900, 900)
    await rig.check()


async def test_many_queries_in_one_call(rig: EventRig) -> None:
    events = [
        rig.event(f"{n}", T0 + n * HOUR, f'{{"v":{n}}}', subscription=f"s{n % 20}")
        for n in range(200)
    ]
    await rig.send(*events)
    by_sum, by_max = meter("sum_agg"), meter("max_agg", code="other")
    window = (T0, T0 + 100 * HOUR)
    queries = [UsageQuery(f"s{n}", by_sum, *window) for n in range(20)]
    queries.append(UsageQuery("s1", by_max, *window))
    answers = await rig.store.usage(rig.org_id, queries)
    found = [answer.get((), NO_USAGE) for answer in answers]
    expected = [usage(sum(range(n, 100, 20)), 5) for n in range(20)]
    assert found == [*expected, usage(0, 0)]


async def test_an_unmetered_aggregation_is_refused(rig: EventRig) -> None:
    with pytest.raises(ValueError, match="custom_agg"):
        await rig.usage(meter("custom_agg"))


async def test_events_are_listed_newest_first(rig: EventRig) -> None:
    await rig.send(
        rig.event("b", T0, '{"v": 1}'),
        rig.event("a", T0),
        rig.event("c", T0 + HOUR, code="other"),
        rig.event("d", T0 - HOUR, subscription="second"),
    )

    async def listed(wanted: EventFilter, limit: int = 10, offset: int = 0) -> tuple[str, int]:
        found, total = await rig.store.list_events(rig.org_id, wanted, limit, offset)
        return "".join(event.transaction_id for event in found), total

    assert await listed(EventFilter()) == ("cabd", 4)
    assert await listed(EventFilter(), 2, 1) == ("ab", 4)
    assert await listed(EventFilter(), 2, 4) == ("", 4)
    assert await listed(EventFilter(code="tokens")) == ("abd", 3)
    assert await listed(EventFilter(external_subscription_id="sub")) == ("cab", 3)
    assert await listed(EventFilter("other", "sub")) == ("c", 1)
    assert await listed(EventFilter(timestamp_from=T0, timestamp_to=T0)) == ("ab", 2)
    assert await listed(EventFilter("tokens", timestamp_to=T0 - MICROSECOND)) == ("d", 1)
    found, _ = await rig.store.list_events(rig.org_id, EventFilter("tokens", "sub"), 10, 1)
    assert found[0].properties == b'{"v": 1}'
    assert found[0].timestamp == T0


async def test_events_are_handed_over_in_the_order_of_ingestion(rig: EventRig) -> None:
    other = EventRig(rig.store, rig.ingest)
    await rig.send(rig.event("late", T0 + DAY), rig.event("early", T0))
    await other.send(other.event("foreign", T0))
    await rig.send(rig.event("middle", T0 + HOUR, code="other"))
    newest = await rig.store.newest_order()
    after, seen = 0, []
    while page := await rig.store.ingested(rig.org_id, after, 2):
        seen += [event.transaction_id for _, event in page]
        assert [order for order, _ in page] == sorted({order for order, _ in page})
        after = page[-1][0]
    assert seen == ["late", "early", "middle"]
    assert after == newest
    await rig.store.forget(rig.org_id, "tokens", T0 + DAY)
    assert [event.code for _, event in await rig.store.ingested(rig.org_id, 0, 9)] == ["other"]


async def test_activity_names_whom_events_came_for(rig: EventRig) -> None:
    before = (await rig.store.activity(None, 0)).upto
    assert await rig.store.activity(before, 10) == Activity(before)
    await rig.send(rig.event("a"), rig.event("b"), rig.event("c", subscription=None))
    other = EventRig(rig.store, rig.ingest)
    await other.send(other.event("a", subscription="next"))
    everything = await rig.store.activity(before, 10)
    assert everything.names == {(rig.org_id, "sub"), (other.org_id, "next")}
    assert (await rig.store.activity(None, 0)).upto == everything.upto
    first = await rig.store.activity(before, 2)
    assert first.names == {(rig.org_id, "sub")}
    rest = await rig.store.activity(first.upto, 10)
    assert rest == Activity(everything.upto, frozenset({(other.org_id, "next")}))


async def test_activity_misses_no_event_amid_traffic(rig: EventRig) -> None:
    seen: set[str] = set()
    mark = (await rig.store.activity(None, 0)).upto
    waves = [
        asyncio.gather(
            *(rig.send(rig.event(f"tx-{n}", subscription=f"s{n}")) for n in range(w, w + 40))
        )
        for w in range(0, 400, 40)
    ]
    for wave in waves:
        found = await rig.store.activity(mark, 25)
        mark, seen = found.upto, seen | {name for _, name in found.names}
        await wave
    while (found := await rig.store.activity(mark, 25)).upto != mark:
        mark, seen = found.upto, seen | {name for _, name in found.names}
    assert seen == {f"s{n}" for n in range(400)}


async def test_an_event_is_found_by_its_transaction(rig: EventRig) -> None:
    names = ["plain", str(new_id()), "01ARZ3NDEKTSV4RRFFQ69G5FAV", "a/b#c?[d] \N{SNOWMAN}"]
    for name in names:
        await rig.send(rig.event(name, T0), rig.event(name, T0 - DAY, subscription="later"))
    for name in names:
        found = await rig.store.find_event(rig.org_id, name)
        assert found is not None
        assert (found.transaction_id, found.external_subscription_id) == (name, "later")
    for name in ("unknown", "a\x00b", ""):
        assert await rig.store.find_event(rig.org_id, name) is None
        assert (await rig.store.list_events(rig.org_id, EventFilter(name, name), 1, 0))[1] == 0


async def test_forgotten_events_are_gone_but_keep_their_ids(rig: EventRig) -> None:
    asked = meter("sum_agg")
    await rig.send(rig.event("a", properties='{"v":1}'))
    await rig.send(rig.event("b", properties='{"v":2}', created_at=T0 + DAY))
    await rig.send(rig.event("c", code="other"))
    assert await rig.usage(asked) == usage(3, 2)
    assert await rig.store.forget(rig.org_id, "tokens", T0) == 1
    assert await rig.store.forget(rig.org_id, "tokens", T0) == 0
    assert await rig.store.forget(rig.org_id, "unheard", T0) == 0
    assert await rig.store.find_event(rig.org_id, "a") is None
    assert (await rig.store.list_events(rig.org_id, EventFilter(), 10, 0))[1] == 2
    assert await rig.usage(asked) == usage(2, 1)
    assert await rig.send(rig.event("a", properties='{"v":4}')) == [False]
    assert await rig.send(rig.event("d", properties='{"v":8}')) == [True]
    assert await rig.usage(asked) == usage(10, 2)
    await rig.check()


async def test_names_of_properties_are_arbitrary(rig: EventRig) -> None:
    for number, name in enumerate(['a"b', "a\\b", "", "a\nb", "\N{SNOWMAN}", "operation_type"]):
        written = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        code = f"code-{number}"
        await rig.send(rig.event(code, properties=f'{{"{written}":"7"}}', code=code))
        assert await rig.usage(meter("sum_agg", name, code)) == usage(7, 1)
    await rig.check()


async def test_a_full_queue_refuses(rig: EventRig) -> None:
    narrow = Ingest(rig.ingest._writer, max_queued_events=5)  # noqa: SLF001 - the same writer
    narrow._is_stopped = False  # noqa: SLF001 - which is started already
    events = [rig.event(str(number)) for number in range(6)]
    with pytest.raises(Busy):
        await narrow.submit(events, atomic=True)
    assert await narrow.submit(events[:5], atomic=True) == [True] * 5


async def test_stopping_flushes_what_is_queued(rig: EventRig) -> None:
    sent = [asyncio.ensure_future(rig.send(rig.event(str(n)))) for n in range(100)]
    await asyncio.sleep(0)  # one turn of the loop: all of them are queued, none is answered
    assert rig.ingest.queued_events == 100
    await rig.ingest.stop()
    assert await asyncio.gather(*sent) == [[True]] * 100
    with pytest.raises(Unavailable):
        await rig.send(rig.event("late"))


async def test_a_wider_meter_is_built_beside_the_old_one(rig: EventRig) -> None:
    regions, models = ("eu", "us", "é" * 400), ("a", "b")
    sent = [
        rig.event(
            f"{n}",
            T0 + n * HOUR,
            f'{{"v":{n},"region":"{regions[n % 3]}","model":"{models[n % 2]}"}}',
        )
        for n in range(120)
    ]
    await rig.send(*sent)
    narrow = replace(meter("sum_agg"), dimensions=("region",))
    wide = replace(narrow, dimensions=("model", "region"))
    await rig.store.register_meter(rig.org_id, narrow)

    async def by_group(asked: Meter) -> dict[Hashable, int]:
        query = UsageQuery("sub", asked, *FOREVER, lambda group: group)
        (found,) = await rig.store.usage(rig.org_id, [query])
        return {group: int(usage.units) for group, usage in found.items()}

    expected = {(region,): sum(range(at, 120, 3)) for at, region in enumerate(regions)}
    assert await by_group(narrow) == expected
    apart = await by_group(wide)
    assert len(apart) == 6
    assert apart["b", "us"] == sum(n for n in range(120) if n % 3 == 1 and n % 2 == 1)
    await rig.store.register_meter(rig.org_id, wide)
    assert (await rig.store.backlog()).builds == ()
    assert await by_group(narrow) == expected
    assert await by_group(wide) == apart
    await rig.check()


async def test_watched_events_are_due_until_they_are_settled(rig: EventRig) -> None:
    async def due() -> list[str]:
        found = [one for one in await rig.store.due(10_000) if one.org_id == rig.org_id]
        return [one.event.transaction_id for one in found]

    await rig.send(rig.event("before"))
    await rig.store.watch(rig.org_id, [CODE, "other"])
    await rig.send(rig.event("first"))
    await rig.send(rig.event("first"), rig.event("second", code="unwatched"))
    await rig.send(rig.event("third", code="other"), rig.event("nobody", subscription=None))
    assert await due() == ["first", "third"]
    (order, *_) = [one.order for one in await rig.store.due(10_000) if one.org_id == rig.org_id]
    await rig.store.settle_due([order])
    await rig.store.settle_due([order])
    assert await due() == ["third"]
    await rig.store.watch(rig.org_id, [])
    await rig.send(rig.event("after"))
    assert await due() == ["third"]
