"""Taking usage events in: checked, stored durably, then answered (`docs/rules/metering.md` 1)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from billing_core.domain.errors import Forbidden, Invalid, NotFound
from billing_core.ports import EventFilter, EventStore, StoredEvent
from billing_core.store.events.ingest import Ingest
from billing_core.store.events.records import IncomingEvent, event_key, series_of
from billing_core.wire.events import (
    CheckedEvent,
    EventOut,
    batch_body,
    check_event,
    event_out,
    instant_us,
    list_body,
    read_batch,
    read_single,
    single_body,
)
from billing_core.wire.pages import Page

MAX_BATCH_EVENTS = 100
MAX_BODY_BYTES = 10 * 1024 * 1024


class Caller(Protocol):
    """Who sends events: an organization through one of its API keys."""

    @property
    def org_id(self) -> UUID:
        """The organization."""

    @property
    def resolve_customer_ids(self) -> bool:
        """Whether subscription ids may be customers' external ids that must be looked up."""

    def now(self) -> datetime:
        """Return the organization's now: its frozen clock or real time."""

    def may(self, resource: str, mode: str) -> bool:
        """Tell whether the key permits a mode (`read`, `write`) on a resource."""


SubscriptionResolver = Callable[[Any, str], Awaitable[str]]
OnAccepted = Callable[[UUID, Sequence[tuple[str | None, str]]], None]


class EventIntake:
    """The operations createEvent and createBatchEvents, from body bytes to answer bytes.

    `subscription_resolver(caller, given_id)` names the subscription under which events of a caller
    that asks for it are stored; uniqueness still follows the given id. `on_accepted(org_id,
    [(external_subscription_id, code), ...])` is told of stored events and must not block.
    """

    def __init__(
        self,
        ingest: Ingest,
        max_batch_events: int = MAX_BATCH_EVENTS,
        subscription_resolver: SubscriptionResolver | None = None,
        on_accepted: OnAccepted | None = None,
    ) -> None:
        self._ingest = ingest
        self._max_batch_events = max_batch_events
        self._resolver = subscription_resolver
        self._on_accepted = on_accepted

    async def create(self, caller: Caller, body: bytes) -> bytes:
        """Store one event and return the response body.

        Raises `Forbidden`, `BadRequest`, `Invalid` (field errors, `value_already_exist` for a
        duplicate), `Busy` and `Unavailable` (`docs/rules/metering.md` 1.1 - 1.3).
        """
        _permit(caller)
        sent = read_single(body)
        now_us = instant_us(caller.now())
        event = check_event(sent, now_us)
        if isinstance(event, dict):
            raise Invalid(event)
        (incoming,) = await self._incoming(caller, (event,), now_us)
        (is_stored,) = await self._ingest.submit((incoming,), atomic=False)
        if not is_stored:
            raise Invalid.field("transaction_id", "value_already_exist")
        self._tell(caller, (incoming,))
        return single_body(_out(incoming))

    async def create_batch(self, caller: Caller, body: bytes) -> bytes:
        """Store all events of a batch or none and return the response body.

        Refuses in two phases: whatever can be seen in the batch itself first, then duplicates of
        stored events; errors are keyed by index (`docs/rules/metering.md` 1.4).
        """
        _permit(caller)
        sent = read_batch(body, self._max_batch_events)
        now_us = instant_us(caller.now())
        events = _check_batch([check_event(each, now_us) for each in sent])
        incoming = await self._incoming(caller, events, now_us)
        stored = await self._ingest.submit(incoming, atomic=True)
        if not all(stored):
            raise _duplicates(position for position, new in enumerate(stored) if not new)
        self._tell(caller, incoming)
        return batch_body([_out(event) for event in incoming])

    async def _incoming(
        self, caller: Caller, events: Sequence[CheckedEvent], now_us: int
    ) -> list[IncomingEvent]:
        org_id = caller.org_id.bytes
        if self._resolver is None or not caller.resolve_customer_ids:
            return [_stored_as(org_id, event, event[2], now_us) for event in events]
        incoming = []
        for event in events:
            subscription = event.external_subscription_id
            if subscription is not None:
                subscription = await self._resolver(caller, subscription)
            incoming.append(_stored_as(org_id, event, subscription, now_us))
        return incoming

    def _tell(self, caller: Caller, events: Sequence[IncomingEvent]) -> None:
        if self._on_accepted is not None:
            names = [(event.external_subscription_id, event.code) for event in events]
            self._on_accepted(caller.org_id, names)


async def list_body_of(store: EventStore, org_id: UUID, wanted: EventFilter, page: Page) -> bytes:
    """Return the body of one page of events (`docs/rules/metering.md` 1.8)."""
    events, total = await store.list_events(org_id, wanted, page.size, page.offset)
    return list_body([_stored_out(event) for event in events], page.meta(total))


async def find_body(store: EventStore, org_id: UUID, transaction_id: str) -> bytes:
    """Return the body of one event; raises `NotFound` (`docs/rules/metering.md` 1.3)."""
    event = await store.find_event(org_id, transaction_id)
    if event is None:
        raise NotFound("event")
    return single_body(_stored_out(event))


def _stored_as(
    org_id: bytes, event: CheckedEvent, subscription: str | None, now_us: int
) -> IncomingEvent:
    """Return the row of an event under a subscription; uniqueness follows the id that was sent."""
    transaction_id, code, sent_subscription, timestamp_us, precise, properties = event
    return IncomingEvent(
        org_id,
        event_key(org_id, sent_subscription, transaction_id),
        series_of(org_id, subscription, code),
        transaction_id,
        subscription,
        code,
        timestamp_us,
        properties,
        precise,
        now_us,
    )


def _permit(caller: Caller) -> None:
    if not caller.may("event", "write"):
        raise Forbidden("write_action_not_allowed_for_event")


def _check_batch(checked: Sequence[CheckedEvent | dict[str, list[str]]]) -> list[CheckedEvent]:
    """Return the events if each is valid and none repeats an earlier one; else raise `Invalid`.

    Repeats are compared by subscription and transaction id, as in the store.
    """
    errors: dict[str, dict[str, list[str]]] = {}
    events: list[CheckedEvent] = []
    seen: set[tuple[str, str]] = set()
    for position, event in enumerate(checked):
        if isinstance(event, dict):
            errors[str(position)] = event
            continue
        events.append(event)
        if event.external_subscription_id is None:
            continue
        name = (event.external_subscription_id, event.transaction_id)
        if name in seen:
            errors[str(position)] = {"transaction_id": ["value_already_exist"]}
        seen.add(name)
    if errors:
        raise Invalid(errors)
    return events


def _duplicates(positions: Any) -> Invalid:
    return Invalid({str(each): {"transaction_id": ["value_already_exist"]} for each in positions})


def _out(event: IncomingEvent) -> EventOut:
    # org, key, series, transaction, subscription, code, instant, properties, amount, created
    return event_out(event[1], *event[3:])


def _stored_out(event: StoredEvent) -> EventOut:
    return event_out(
        event.id.bytes,
        event.transaction_id,
        event.external_subscription_id,
        event.code,
        instant_us(event.timestamp),
        event.properties.decode(),
        event.precise_total_amount_cents,
        instant_us(event.created_at),
    )
