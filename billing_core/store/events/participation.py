"""Which events take part in a metric, and with what value: read straight from the stored JSON."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from billing_core.domain.metrics import Fact, numeric, property_text
from billing_core.ports import Group, Meter, MeteredEvent

COUNT = "count_agg"
SUM = "sum_agg"
MAX = "max_agg"
LATEST = "latest_agg"
UNIQUE = "unique_count_agg"
WEIGHTED = "weighted_sum_agg"
AGGREGATIONS = frozenset({COUNT, SUM, MAX, LATEST, UNIQUE, WEIGHTED})
OPERATION_FIELD = "operation_type"
NO_VALUE = ""
NO_GROUP = ""
_LONGEST_PLAIN_VALUE = 64
_LONGEST_PLAIN_GROUP = 600
_REMEMBERED_GROUPS = 20_000
_MOST_DECODERS = 4096
_VALUE_DIGEST_BYTES = 16
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any_value = msgspec.json.Decoder(float_hook=Decimal)
_texts = msgspec.json.Decoder(list[str | None])


class Definition(NamedTuple):
    """What a meter reads: an aggregation, the property it reads, those that keep usage apart."""

    aggregation: str
    field_name: str | None
    dimensions: tuple[str, ...] = ()

    def covers(self, other: "Definition") -> bool:
        """Tell whether this meter can answer what the other could."""
        return self[:2] == other[:2] and set(self.dimensions) >= set(other.dimensions)


class MeterKey(NamedTuple):
    """Under which name meters are registered: an organization's metric code.

    There may be several: while one that keeps more apart is built, the one before it answers.
    """

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


def is_replaced(meter: RegisteredMeter, by: RegisteredMeter) -> bool:
    """Tell whether a complete meter of the same code makes another superfluous."""
    same = meter.definition[:2] == by.definition[:2]
    return by.definition.covers(meter.definition) if same else meter.meter < by.meter


class Reading(NamedTuple):
    """What one event adds to its meter: a number, or for unique_count a value and an operation.

    `group_key` names the event's group; `group_text` is the text it stands for where it is not that
    text itself.
    """

    number: Decimal | None = None
    value: str = NO_VALUE
    is_present: bool = True
    group_key: str = NO_GROUP
    group_text: str | None = None


def definition_of(meter: Meter) -> Definition:
    """Return what a meter reads; raises `ValueError` for an aggregation that has no rollups."""
    if meter.aggregation not in AGGREGATIONS:
        raise ValueError(meter.aggregation)
    field_name = None if meter.aggregation == COUNT else meter.field_name
    return Definition(meter.aggregation, field_name, meter.dimensions)


def reader_of(definition: Definition) -> Callable[[str], Reading | None]:
    """Return the function from stored properties to a reading, None when the event is left out.

    It equals `billing_core.domain.metrics.fold` on the same event (`docs/rules/metering.md` 1.7).
    """
    if not definition.dimensions:
        return _plain_reader(definition)
    return _grouped_reader(definition)


def _plain_reader(definition: Definition) -> Callable[[str], Reading | None]:
    if definition.aggregation == COUNT:
        counted = Reading()
        return lambda _properties: counted
    number_of = plain_number(definition)
    if number_of is not None:

        def read_number(properties: str) -> Reading | None:
            number = number_of(properties)
            return None if number is None else Reading(number)

        return read_number
    decode = _field_decoder((definition.field_name or "", OPERATION_FIELD))

    def value_of(properties: str) -> Reading | None:
        raw, operation = decode(properties)
        value = _value(raw)
        return None if value is None else Reading(None, value, _is_present(operation))

    return value_of


def plain_number(definition: Definition) -> Callable[[str], Decimal | None] | None:
    """Return the function from stored properties to the number that takes part, None for none.

    It is all there is to know of an event where nothing is kept apart and numbers are what is
    aggregated; for other definitions there is no such function.
    """
    if definition.dimensions or definition.aggregation in {COUNT, UNIQUE}:
        return None
    decode = _field_decoder((definition.field_name or "",))
    return lambda properties: _number(decode(properties)[0])


def _grouped_reader(definition: Definition) -> Callable[[str], Reading | None]:
    aggregation, field_name, dimensions = definition
    decode = _field_decoder((field_name or "", OPERATION_FIELD, *dimensions))
    group_of = GroupKeys()

    def read(properties: str) -> Reading | None:
        raw, operation, *texts = decode(properties)
        group = group_of(tuple(texts))
        if aggregation == COUNT:
            return Reading(None, NO_VALUE, True, *group)  # noqa: FBT003 - a tuple's field
        if aggregation == UNIQUE:
            value = _value(raw)
            return None if value is None else Reading(None, value, _is_present(operation), *group)
        number = _number(raw)
        return None if number is None else Reading(number, NO_VALUE, True, *group)  # noqa: FBT003

    return read


class GroupKeys:
    """From the raw JSON of the dimensions to the key of their group, remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, ...], tuple[str, str | None]] = {}

    def __call__(self, raws: tuple[bytes, ...]) -> tuple[str, str | None]:
        """Return the group key, and the text it stands for where it is too long to be its own."""
        known = self._known.get(raws)
        if known is None:
            if len(self._known) >= _REMEMBERED_GROUPS:
                self._known.clear()
            known = self._known[raws] = group_key([_text(raw) if raw else None for raw in raws])
        return known


def group_key(texts: Sequence[str | None]) -> tuple[str, str | None]:
    """Return the key of a group: its texts as a JSON array, or a digest with the array beside it.

    An index row has room for a few hundred characters.
    """
    if not texts:
        return NO_GROUP, None
    written = msgspec.json.encode(texts)
    if len(written) <= _LONGEST_PLAIN_GROUP:
        return written.decode(), None
    return "#" + blake2b(written, digest_size=_VALUE_DIGEST_BYTES).hexdigest(), written.decode()


def group_of(text: str) -> Group:
    """Return the texts of a group from what `group_key` wrote."""
    return tuple(_texts.decode(text)) if text else ()


def _number(raw: bytes) -> Decimal | None:
    # Most are whole numbers, written as JSON numbers or as texts.
    digits = raw[1:-1] if raw[:1] == b'"' else raw
    if digits.isdigit():
        return Decimal(digits.decode())
    return numeric(_text(raw)) if raw else None


def _value(raw: bytes) -> str | None:
    text = _text(raw) if raw else None
    return None if text is None else value_name(text)


def _is_present(operation: bytes) -> bool:
    return not operation or _text(operation) != "remove"


def fact_of(definition: Definition, at: datetime, order: int, properties: str) -> tuple[Fact, str]:
    """Return the event as `metrics.fold` wants it, and its group's key, the slow way."""
    decoded: dict[str, Any] = _any_value.decode(properties)
    fact = Fact(
        at=at,
        order=order,
        value=property_text(decoded.get(definition.field_name or "")),
        operation=property_text(decoded.get(OPERATION_FIELD)),
    )
    return fact, group_key([property_text(decoded.get(key)) for key in definition.dimensions])[0]


def fact_of_event(event: MeteredEvent) -> Fact:
    """Return a metered event as `metrics.fold` wants it."""
    return Fact(at=event.at, order=event.order, value=event.value, operation=event.operation)


def exact_number(products: Iterable[tuple[Decimal, int]]) -> Decimal:
    """Add up products without ever rounding."""
    total = Decimal(0)
    for number, factor in products:
        total = EXACT.add(total, EXACT.multiply(number, Decimal(factor)))
    return total


def value_name(text: str) -> str:
    """Return the bounded name under which a value set keeps a text, injective in practice."""
    if len(text) <= _LONGEST_PLAIN_VALUE:
        return "=" + text
    return "#" + blake2b(text.encode(), digest_size=_VALUE_DIGEST_BYTES).hexdigest()


@lru_cache(maxsize=_MOST_DECODERS)
def _field_decoder(names: tuple[str, ...]) -> Callable[[str], Sequence[bytes]]:
    """Return a decoder of some properties as raw JSON, empty when absent.

    A struct skips every other property, which is twice as fast as a dictionary; it cannot be told
    names that JSON writes with escapes, nor one name twice.
    """
    if len(set(names)) < len(names) or not all(map(_is_plain, names)):
        nothing = msgspec.Raw(b"")

        def from_dictionary(properties: str) -> Sequence[bytes]:
            fields = _fields.decode(properties)
            return [bytes(fields.get(name, nothing)) for name in names]

        return from_dictionary
    chosen = msgspec.defstruct(
        "Chosen",
        [(f"field_{number}", msgspec.Raw, msgspec.Raw(b"")) for number in range(len(names))],
        rename={f"field_{number}": name for number, name in enumerate(names)},
        gc=False,
    )
    decoder: Any = msgspec.json.Decoder(chosen)
    if len(names) == 1:
        return lambda properties: (bytes(decoder.decode(properties).field_0),)
    in_order = attrgetter(*(f"field_{number}" for number in range(len(names))))

    def from_struct(properties: str) -> Sequence[bytes]:
        return [bytes(raw) for raw in in_order(decoder.decode(properties))]

    return from_struct


def _is_plain(name: str) -> bool:
    return name.isprintable() and not set(name) & {'"', "\\"}


def _text(raw: bytes) -> str | None:
    """Return the text of one raw JSON value, quickly where its first byte tells how."""
    if raw[:1] == b'"' and b"\\" not in raw:
        return raw[1:-1].decode()
    if raw.isdigit():
        return raw.decode()
    return property_text(_any_value.decode(raw))
