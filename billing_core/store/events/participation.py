"""Which events take part in a metric, and with what value: read straight from the stored JSON."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from billing_core.domain.metrics import Fact, numeric, property_text
from billing_core.ports import Meter, MeteredEvent

COUNT = "count_agg"
SUM = "sum_agg"
MAX = "max_agg"
LATEST = "latest_agg"
UNIQUE = "unique_count_agg"
WEIGHTED = "weighted_sum_agg"
AGGREGATIONS = frozenset({COUNT, SUM, MAX, LATEST, UNIQUE, WEIGHTED})
OPERATION_FIELD = "operation_type"
MISSING_VALUE = ""
_LONGEST_PLAIN_VALUE = 64
_VALUE_DIGEST_BYTES = 16
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any_value = msgspec.json.Decoder(float_hook=Decimal)


class Definition(NamedTuple):
    """What a meter reads: an aggregation and, except for counting, the property it reads."""

    aggregation: str
    field_name: str | None


class MeterKey(NamedTuple):
    """Under which name a meter is registered: an organization has one per metric code."""

    org_id: bytes
    code: str


class RegisteredMeter(NamedTuple):
    """A meter as the store keeps it.

    Events with an id above `boundary_id` were folded as they arrived; those up to `cursor_id` by
    the backfill, which is complete when the two meet.
    """

    meter: int
    metric_id: UUID
    definition: Definition
    cursor_id: int
    boundary_id: int

    @property
    def is_complete(self) -> bool:
        """Whether its rollups cover every event."""
        return self.cursor_id >= self.boundary_id


class Reading(NamedTuple):
    """What one event adds to its meter: a number, or for unique_count a value and an operation."""

    number: Decimal | None = None
    value: str = MISSING_VALUE
    is_present: bool = True


def definition_of(meter: Meter) -> Definition:
    """Return what a meter reads; raises `ValueError` for an aggregation that has no rollups."""
    if meter.aggregation not in AGGREGATIONS:
        raise ValueError(meter.aggregation)
    return Definition(meter.aggregation, None if meter.aggregation == COUNT else meter.field_name)


def reader_of(definition: Definition) -> Callable[[str], Reading | None]:
    """Return the function from stored properties to a reading, None when the event is left out.

    It equals `billing_core.domain.metrics.fold` on the same event (`docs/rules/metering.md` 1.7).
    """
    if definition.aggregation == COUNT:
        counted = Reading()
        return lambda _properties: counted
    decode = _field_decoder(definition.field_name or "")

    def number_of(properties: str) -> Reading | None:
        raw = decode(properties)[0]
        if not raw:
            return None
        if raw.isdigit():
            return Reading(Decimal(raw.decode()))
        number = numeric(_text(raw))
        return None if number is None else Reading(number)

    def value_of(properties: str) -> Reading:
        raw, operation = decode(properties)
        return Reading(
            value=value_name(_text(raw) if raw else None),
            is_present=not operation or _text(operation) != "remove",
        )

    return value_of if definition.aggregation == UNIQUE else number_of


def fact_of(definition: Definition, at: datetime, order: int, properties: str) -> Fact:
    """Return the event as `metrics.fold` wants it, decoded the slow and obvious way."""
    decoded: dict[str, Any] = _any_value.decode(properties)
    return Fact(
        at=at,
        order=order,
        value=property_text(decoded.get(definition.field_name or "")),
        operation=property_text(decoded.get(OPERATION_FIELD)),
    )


def fact_of_event(event: MeteredEvent) -> Fact:
    """Return a metered event as `metrics.fold` wants it."""
    return Fact(at=event.at, order=event.order, value=event.value, operation=event.operation)


def exact_number(products: Iterable[tuple[Decimal, int]]) -> Decimal:
    """Add up products without ever rounding."""
    total = Decimal(0)
    for number, factor in products:
        total = EXACT.add(total, EXACT.multiply(number, Decimal(factor)))
    return total


def value_name(text: str | None) -> str:
    """Return the bounded name under which a value set keeps a text, injective in practice."""
    if text is None:
        return MISSING_VALUE
    if len(text) <= _LONGEST_PLAIN_VALUE:
        return "=" + text
    return "#" + blake2b(text.encode(), digest_size=_VALUE_DIGEST_BYTES).hexdigest()


def _field_decoder(field_name: str) -> Callable[[str], tuple[bytes, bytes]]:
    """Return a decoder of one property and the operation as raw JSON, empty when absent.

    A struct skips every other property, which is twice as fast as a dictionary; it cannot be told
    names that JSON writes with escapes.
    """
    if (
        field_name == OPERATION_FIELD
        or not field_name.isprintable()
        or set(field_name) & {'"', "\\"}
    ):
        nothing = msgspec.Raw(b"")

        def from_dictionary(properties: str) -> tuple[bytes, bytes]:
            fields = _fields.decode(properties)
            return (
                bytes(fields.get(field_name, nothing)),
                bytes(fields.get(OPERATION_FIELD, nothing)),
            )

        return from_dictionary
    two_fields = msgspec.defstruct(
        "TwoFields",
        [("value", msgspec.Raw, msgspec.Raw(b"")), ("operation", msgspec.Raw, msgspec.Raw(b""))],
        rename={"value": field_name, "operation": OPERATION_FIELD},
        gc=False,
    )
    decoder = msgspec.json.Decoder(two_fields)

    def from_struct(properties: str) -> tuple[bytes, bytes]:
        fields: Any = decoder.decode(properties)
        return bytes(fields.value), bytes(fields.operation)

    return from_struct


def _text(raw: bytes) -> str | None:
    """Return the text of one raw JSON value, quickly where its first byte tells how."""
    if raw[:1] == b'"' and b"\\" not in raw:
        return raw[1:-1].decode()
    if raw.isdigit():
        return raw.decode()
    return property_text(_any_value.decode(raw))
