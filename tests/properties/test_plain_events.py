"""The short way for plain events answers and stores exactly what the long way does."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.errors import Invalid
from billing_core.services.events import EventIntake
from billing_core.services.plain_events import PlainEvents
from billing_core.store.events.ingest import Ingest
from billing_core.store.events.records import IncomingEvent
from billing_core.wire.events import read_batch
from tests.bench.server import CALLER, ORG_ID, NoStore

NOW_US = 1_793_577_600_123_456
IDS = ("tx", "ä-ü", "a b", " a", 'a"b', "a\\b", "\u200b", "x" * 26, "x" * 36, "x" * 255, "x" * 256)
names = st.one_of(st.sampled_from(IDS), st.text(min_size=1, max_size=8), st.none(), st.integers())
values = st.recursive(
    st.one_of(st.text(max_size=300), st.integers(), st.booleans(), st.none(), st.just("\x00")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=4,
)
events = st.fixed_dictionaries(
    {"transaction_id": names, "code": names, "external_subscription_id": names},
    optional={
        "timestamp": st.one_of(st.integers(-(10**12), 10**12), st.just("1"), st.just("x")),
        "properties": st.one_of(values, st.dictionaries(st.text(), values, max_size=4)),
        "precise_total_amount_cents": st.sampled_from(("1.5", None)),
    },
)


class Recorder(Ingest):
    """Keeps what is submitted."""

    def __init__(self) -> None:
        super().__init__(NoStore())
        self.rows: list[IncomingEvent] = []

    async def submit(self, events: Any, *, atomic: bool) -> list[bool]:
        assert atomic
        self.rows = list(events)
        return [True] * len(self.rows)


class LongWay(PlainEvents):
    """Declines everything."""

    def take(self, org_id: bytes, sent: Any, now_us: int) -> None:
        """Say no."""


class Frozen:
    """A caller whose clock stands still."""

    org_id: UUID = ORG_ID
    resolve_customer_ids = False

    def now(self) -> Any:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW_US)

    def may(self, resource: str, mode: str) -> bool:
        return CALLER.may(resource, mode)


async def taken(body: bytes, *, plainly: bool) -> tuple[Any, list[IncomingEvent]]:
    recorder = Recorder()
    intake = EventIntake(recorder)
    if not plainly:
        intake._plain = LongWay()  # noqa: SLF001 - the one difference
    try:
        return await intake.create_batch(Frozen(), body), recorder.rows
    except Invalid as refused:
        return refused.details, []


@given(st.lists(events, min_size=1, max_size=4))
def test_both_ways_do_the_same(sent: list[dict[str, Any]]) -> None:
    body = json.dumps({"events": sent}, ensure_ascii=False).encode(errors="replace")
    short = asyncio.run(taken(body, plainly=True))
    long = asyncio.run(taken(body, plainly=False))
    assert [_settled(row) for row in short[1]] == [_settled(row) for row in long[1]]
    assert _shown(short[0]) == _shown(long[0])


def _settled(row: IncomingEvent) -> IncomingEvent:
    """Without a subscription nothing is unique, and keys are random."""
    return row if row.external_subscription_id else row._replace(key=b"")


def _shown(answer: Any) -> Any:
    if not isinstance(answer, bytes):
        return answer
    shown = json.loads(answer)["events"]
    for event in shown:
        if event["external_subscription_id"] is None:
            del event["lago_id"]
    return shown


@pytest.mark.parametrize("name", ["plain", "a b"])
def test_plain_events_take_the_short_way(name: str) -> None:
    body = json.dumps(
        {
            "events": [
                {
                    "transaction_id": name,
                    "code": "c",
                    "external_subscription_id": "s",
                    "properties": {"a": "x" * 300},
                }
            ]
        }
    ).encode()
    assert PlainEvents().take(ORG_ID.bytes, read_batch(body, 100), NOW_US) is not None
