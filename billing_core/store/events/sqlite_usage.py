"""Usage out of the SQLite event log, by rollups and the raw events at a window's edges."""

from collections.abc import Hashable, Sequence
from uuid import UUID

from billing_core.ports import MeteredUsage, UsageQuery
from billing_core.store.events.answers import Question, answering
from billing_core.store.events.participation import UNIQUE, MeterKey
from billing_core.store.events.raw_usage import metered_events, usage_of, window_us
from billing_core.store.events.rollups import HOUR_US
from billing_core.store.events.sqlite_reads import SqliteReads

Answers = dict[int, dict[Hashable, MeteredUsage]]


def answer(
    reads: SqliteReads, org_id: UUID, queries: Sequence[UsageQuery], *, patient: bool
) -> tuple[Answers, set[int]]:
    """Answer queries by position; also return the positions that have no meter ready.

    An impatient caller gets those too, from the events themselves: right, if slower.
    """
    answers: Answers = {}
    missing: set[int] = set()
    for position, query in enumerate(queries):
        key = MeterKey(org_id.bytes, query.meter.code)
        meter = answering(reads.find_meters(key), query)
        if meter is not None:
            answers[position] = _rolled_up(reads, key, Question(position, query, meter))
        elif patient:
            missing.add(position)
        else:
            span = window_us(query)
            stored = reads.usage_events(key, query.external_subscription_id, span)
            answers[position] = usage_of(query, metered_events(query, stored))
    return answers, missing


def _rolled_up(
    reads: SqliteReads, key: MeterKey, question: Question
) -> dict[Hashable, MeteredUsage]:
    subscription, parts = question.subscription, question.parts
    events = reads.tail_events(key, subscription, window_us(question.query))
    for edge in parts.edges:
        # An hour without participating events needs no look at the raw ones.
        if reads.is_filled(question, edge[0] // HOUR_US):
            events += reads.folded_events(key, subscription, edge)
    for event in events:
        question.add_event(event)
    for grain, span in parts.spans:
        if question.aggregation == UNIQUE:
            reads.add_values(question, grain, span)
        else:
            reads.add_tallies(question, grain, span)
    return question.usage()
