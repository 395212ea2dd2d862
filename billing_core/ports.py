"""What the core asks of the outside: one Protocol per kind of plug-in."""

from collections.abc import Iterable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Meter:
    """What the event store must keep ready for one billable metric.

    `aggregation` is a billable metric's `aggregation_type` (`sum_agg`, …); `field_name` the
    property that is read, None for `count_agg`.
    """

    metric_id: UUID
    code: str
    aggregation: str
    field_name: str | None


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Usage of one meter by one subscription in `[start, end)`, both UTC."""

    external_subscription_id: str
    meter: Meter
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class MeteredUsage:
    """Aggregated usage of a window (`docs/rules/metering.md` 2.2)."""

    units: Decimal
    events_count: int


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
    Every call is scoped to one organization.
    """

    async def usage(self, org_id: UUID, queries: Sequence[UsageQuery]) -> list[MeteredUsage]:
        """Answer each query, in order. Builds a meter's rollups first where they are missing."""

    async def values(self, org_id: UUID, query: UsageQuery) -> list[Decimal]:
        """Return the numeric values of the participating events, by (timestamp, ingestion)."""

    async def list_events(
        self, org_id: UUID, wanted: EventFilter, limit: int, offset: int
    ) -> tuple[list[StoredEvent], int]:
        """Return a page (timestamp descending, transaction id ascending) and the total count."""

    async def find_event(self, org_id: UUID, transaction_id: str) -> StoredEvent | None:
        """Return the newest event with that transaction id, whatever its subscription."""

    async def forget(self, org_id: UUID, code: str, until: datetime) -> int:
        """Soft-delete the events of a code created up to `until`; returns how many."""

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
