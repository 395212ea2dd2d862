"""Taking usage events in: checked, stored durably, then answered (`docs/rules/metering.md` 1)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from billing_core.domain.errors import Forbidden, Invalid, NotFound
from billing_core.domain.expressions import EvaluationError
from billing_core.ports import EventFilter, EventStore, StoredEvent
from billing_core.services.intake_rules import NO_RULES, IntakeRules, RulesOf
from billing_core.services.plain_events import PlainEvents
from billing_core.store.events.ingest import Ingest
from billing_core.store.events.records import IncomingEvent, event_key, series_of
from billing_core.wire.events import (
    CheckedEvent,
    EventIn,
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
_Problem = dict[str, list[str]] | str


class EventIntake:
    """The operations createEvent and createBatchEvents, from body bytes to answer bytes.

    `subscription_resolver(caller, given_id)` names the subscription under which events of a caller
    that asks for it are stored; uniqueness still follows the given id. `rules` know what is
    computed from events and which are paid in advance. `on_accepted(org_id,
    [(external_subscription_id, code), ...])` is told of stored events, with `rules` only when some
    are paid in advance, and must not block.
    """

    def __init__(
        self,
        ingest: Ingest,
        max_batch_events: int = MAX_BATCH_EVENTS,
        subscription_resolver: SubscriptionResolver | None = None,
        on_accepted: OnAccepted | None = None,
        rules: RulesOf | None = None,
    ) -> None:
        self._ingest = ingest
        self._max_batch_events = max_batch_events
        self._resolver = subscription_resolver
        self._on_accepted = on_accepted
        self._rules = rules
        self._plain = PlainEvents()

    async def create(self, caller: Caller, body: bytes) -> bytes:
        """Store one event and return the response body.

        Raises `Forbidden`, `BadRequest`, `Invalid` (field errors, `value_already_exist` for a
        duplicate, a text for an expression that fails), `Busy` and `Unavailable`
        (`docs/rules/metering.md` 1.1 - 1.4).
        """
        _permit(caller)
        sent = read_single(body)
        now_us = instant_us(caller.now())
        rules = await self._rules_of(caller)
        plain = self._plainly(caller, rules, (sent,), now_us)
        if plain is not None:
            (incoming,), answer = plain
        else:
            event = computed(check_event(sent, now_us), rules)
            if not isinstance(event, CheckedEvent):
                raise Invalid(event)
            (incoming,) = await self._incoming(caller, (event,), now_us)
            answer = None
        (is_stored,) = await self._ingest.submit((incoming,), atomic=False)
        if not is_stored:
            raise Invalid.field("transaction_id", "value_already_exist")
        self._tell(caller, rules, (incoming,))
        return single_body(_out(incoming)) if answer is None else f'{{"event":{answer}}}'.encode()

    async def create_batch(self, caller: Caller, body: bytes) -> bytes:
        """Store all events of a batch or none and return the response body.

        Refuses in two phases: whatever can be seen in the batch itself first, then duplicates of
        stored events; errors are keyed by index (`docs/rules/metering.md` 1.4).
        """
        _permit(caller)
        sent = read_batch(body, self._max_batch_events)
        now_us = instant_us(caller.now())
        rules = await self._rules_of(caller)
        plain = self._plainly(caller, rules, sent, now_us)
        if plain is not None:
            incoming, answer = plain
        else:
            checked = [computed(check_event(each, now_us), rules) for each in sent]
            incoming, answer = await self._incoming(caller, _check_batch(checked), now_us), None
        stored = await self._ingest.submit(incoming, atomic=True)
        if not all(stored):
            raise _duplicates(position for position, new in enumerate(stored) if not new)
        self._tell(caller, rules, incoming)
        if answer is None:
            return batch_body([_out(event) for event in incoming])
        return f'{{"events":[{answer}]}}'.encode()

    def _plainly(
        self, caller: Caller, rules: IntakeRules, sent: Sequence[EventIn], now_us: int
    ) -> tuple[list[IncomingEvent], str] | None:
        """Take events the short way, unless something must be computed or looked up first."""
        if rules.computed or (self._resolver is not None and caller.resolve_customer_ids):
            return None
        return self._plain.take(caller.org_id.bytes, sent, now_us)

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

    async def _rules_of(self, caller: Caller) -> IntakeRules:
        if self._rules is None:
            return NO_RULES
        return self._rules.cached(caller.org_id) or await self._rules.load(caller.org_id)

    def _tell(self, caller: Caller, rules: IntakeRules, events: Sequence[IncomingEvent]) -> None:
        if self._on_accepted is None or (self._rules is not None and not rules.watched):
            return
        if self._rules is None or any(event.code in rules.watched for event in events):
            names = [(event.external_subscription_id, event.code) for event in events]
            self._on_accepted(caller.org_id, names)


def computed(
    event: CheckedEvent | dict[str, list[str]], rules: IntakeRules
) -> CheckedEvent | _Problem:
    """Return a valid event with what its metric computes, or what is wrong with it.

    An expression that fails is told in one text (`docs/rules/metering.md` 1.4).
    """
    if isinstance(event, dict):
        return event
    rule = rules.computed.get(event.code)
    if rule is None:
        return event
    try:
        return rule.applied(event)
    except EvaluationError as error:
        return f"expression_evaluation_failed: {error}"


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


def _check_batch(checked: Sequence[CheckedEvent | _Problem]) -> list[CheckedEvent]:
    """Return the events if each is valid and none repeats an earlier one; else raise `Invalid`.

    Repeats are compared by subscription and transaction id, as in the store.
    """
    errors: dict[str, _Problem] = {}
    events: list[CheckedEvent] = []
    seen: set[tuple[str, str]] = set()
    for position, event in enumerate(checked):
        if not isinstance(event, CheckedEvent):
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
