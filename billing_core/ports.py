"""What the core asks of the outside: one Protocol per kind of plug-in."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One metered fact, deduplicated by `transaction_id` within a subscription."""

    transaction_id: str
    subscription: str
    code: str
    at: datetime
    properties: Mapping[str, str | Decimal]


class UsageConnector(Protocol):
    """Translates one foreign payload; owns no socket, no database and no clock."""

    name: str

    def translate(self, body: bytes, headers: Mapping[str, str]) -> Iterable[UsageEvent]:
        """Return the events in a payload, or raise `Untranslatable`."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept. `id` is derived from (organization, subscription, transaction)."""

    id: UUID
    transaction_id: str
    external_subscription_id: str | None
    code: str
    timestamp: datetime
    properties: bytes  # the JSON object, verbatim
    precise_total_amount_cents: str | None
    created_at: datetime


# The texts of `Meter.dimensions` in an event's properties, in that order; None where absent.
Group = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Meter:
    """What the event store must keep ready for one billable metric.

    `aggregation` is a billable metric's `aggregation_type` (`sum_agg`, …); `field_name` the
    property that is read, None for `count_agg`. `dimensions` are the property keys by which usage
    can be told apart: what filters, pricing groups and presentation groups of any charge on the
    metric look at, sorted, without repeats.
    """

    metric_id: UUID
    code: str
    aggregation: str
    field_name: str | None
    dimensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventPosition:
    """The place of an event among all: by instant, then by `order` of ingestion."""

    at: datetime
    order: int


def one_bucket(_group: Group) -> Hashable:
    """Put everything in one bucket, named `()`."""
    return ()


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Usage of one meter by one subscription in `[start, end)`, both UTC.

    `start` None means since ever. `bucket_of` names the bucket an event's group falls in, None for
    one that is left out; it must be a pure function. With `last`, of the events at `last.at` only
    those up to that order count, and later instants do not (`end` then lies just behind `last.at`).
    """

    external_subscription_id: str
    meter: Meter
    start: datetime | None
    end: datetime
    bucket_of: Callable[[Group], Hashable | None] = one_bucket
    last: EventPosition | None = None


@dataclass(frozen=True, slots=True)
class MeteredUsage:
    """Aggregated usage of a bucket in a window (`docs/rules/metering.md` 2.2).

    `units` is the number of events for count_agg, the sum for sum_agg and weighted_sum_agg (there:
    of the deltas in the window), the greatest value for max_agg, the newest one (at least 0) for
    latest_agg, the number of present values for unique_count_agg. `unit_seconds` is, for
    weighted_sum_agg, the sum of each delta times the seconds from its event to the last instant of
    the window, rounded up to a whole second. `amount_cents` adds up `precise_total_amount_cents` of
    the events that took part, except for unique_count_agg.
    """

    units: Decimal
    events_count: int
    unit_seconds: Decimal = Decimal(0)
    amount_cents: Decimal = Decimal(0)


NO_USAGE = MeteredUsage(Decimal(0), 0)


@dataclass(frozen=True, slots=True)
class MeteredEvent:
    """One event that takes part in a metric, as pricing by the event wants it.

    `value` is the text of the metric's property, `operation` that of `operation_type`, `group` the
    texts of the meter's dimensions.
    """

    id: UUID
    transaction_id: str
    at: datetime
    order: int
    value: str | None
    operation: str | None
    group: Group
    precise_total_amount_cents: Decimal | None


@dataclass(frozen=True, slots=True)
class DueEvent:
    """A stored event of a watched code that nobody has dealt with yet; `order` is its number."""

    order: int
    org_id: UUID
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class Activity:
    """Whom the events up to an order came for: organizations and external subscription ids."""

    upto: int
    names: frozenset[tuple[UUID, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class MeterBuild:
    """A meter that is being built from earlier events: `done` of `total` steps. Not an amount."""

    org_id: UUID
    code: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class EventBacklog:
    """What the log has still to do; reads are right meanwhile, if slower."""

    unfolded_events: int
    builds: tuple[MeterBuild, ...]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a listing wants; None means any. Bounds are inclusive."""

    code: str | None = None
    external_subscription_id: str | None = None
    timestamp_from: datetime | None = None
    timestamp_to: datetime | None = None


@runtime_checkable
class EventStore(Protocol):
    """Reads of the durable, deduplicated event log with its exact rollups.

    Writing goes through `billing_core.store.events` group commit; it is not part of this port.
    Every call is scoped to one organization, unless it says that it serves all of them.
    """

    async def usage(
        self, org_id: UUID, queries: Sequence[UsageQuery]
    ) -> list[dict[Hashable, MeteredUsage]]:
        """Answer each query, in order, by bucket; a bucket without events has no entry.

        Reads rollups, and raw events only at a window's edges. Builds a meter's rollups first where
        they are missing.
        """

    async def events(self, org_id: UUID, query: UsageQuery) -> list[MeteredEvent]:
        """Return the participating events of all buckets, by (timestamp, ingestion).

        As long as the window's history: for what cannot be priced from sums.
        """

    async def watch(self, org_id: UUID, codes: Iterable[str]) -> None:
        """Watch exactly these codes of an organization: their events become due from now on."""

    async def due(self, limit: int) -> list[DueEvent]:
        """Return the oldest due events of all organizations, in the order of ingestion."""

    async def settle_due(self, orders: Iterable[int]) -> None:
        """Take events off the list of those that are due; call it when their effect is committed.

        Whoever dies in between finds them again: dealing with an event twice must be harmless.
        """

    async def list_events(
        self, org_id: UUID, wanted: EventFilter, limit: int, offset: int
    ) -> tuple[list[StoredEvent], int]:
        """Return a page (timestamp descending, transaction id ascending) and the total count."""

    async def ingested(self, org_id: UUID, after: int, limit: int) -> list[tuple[int, StoredEvent]]:
        """Return the first events behind the one of order `after`, with their own orders."""

    async def activity(self, after: int | None, limit: int) -> Activity:
        """Tell whom the first `limit` events behind an order came for, of all organizations.

        No event with an order up to the answered one comes later. After None: nobody, and the order
        of the newest event.
        """

    async def newest_order(self) -> int:
        """Return the greatest order of ingestion there is, of anybody's event; 0 for none."""

    async def find_event(self, org_id: UUID, transaction_id: str) -> StoredEvent | None:
        """Return the newest event with that transaction id, whatever its subscription."""

    async def forget(self, org_id: UUID, code: str, until: datetime) -> int:
        """Soft-delete the events of a code created up to `until`; returns how many."""

    async def backlog(self) -> EventBacklog:
        """Tell how much is not folded yet and which meters are being built, of everybody."""

    async def recount(self, org_id: UUID | None = None) -> list[str]:
        """Compare every rollup with a recount of the raw events; name the differences."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody named on a document."""

    name: str
    lines: tuple[str, ...]  # address, tax number, e-mail: ready to print


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One priced line of an invoice; amounts in minor units."""

    description: str
    details: tuple[str, ...]  # tiers, free units, period: smaller print below the description
    units: Decimal
    unit_amount: Decimal  # major units, unrounded
    amount_minor: int
    tax_rate: Decimal  # percent


@dataclass(frozen=True, slots=True)
class DocumentSection:
    """The lines of one subscription, or of everything outside one."""

    title: str
    period: str | None
    lines: tuple[DocumentLine, ...]


@dataclass(frozen=True, slots=True)
class DocumentTotal:
    """A line of the totals block; the last one is the amount due."""

    label: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """Everything printed on an invoice. `locale` is a language tag such as `de` or `pt-BR`."""

    number: str
    locale: str
    currency: str
    issuing_date: date
    payment_due_date: date | None
    seller: Party
    buyer: Party
    sections: tuple[DocumentSection, ...]
    totals: tuple[DocumentTotal, ...]
    notes: tuple[str, ...]
    status: str  # draft, finalized, voided


class DocumentRenderer(Protocol):
    """Turns a document into a file."""

    def invoice_pdf(self, document: InvoiceDocument) -> bytes:
        """Return the PDF, PDF/A where the library can."""


JSONObject = dict[str, Any]
