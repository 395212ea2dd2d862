"""Events on the wire: decoded in one typed pass, checked, and answered with ready bytes."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from billing_core.domain.errors import BadRequest, Invalid
from billing_core.domain.money import plain

MAX_ID_CHARACTERS = 255
MAX_NUMBER_DIGITS = 400
MAX_DEPTH = 100
EARLIEST_US = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z
LATEST_US = 253_402_300_799_999_999  # the last microsecond of year 9999
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
US_PER_SECOND = 1_000_000
_MOST_SECONDS_EXPONENT = 12
_PRECISE_PLACES = Decimal("1e-15")
_PRECISE_INTEGER_DIGITS = 25
_PRECISE = Context(prec=MAX_NUMBER_DIGITS * 2, rounding=ROUND_HALF_UP)
_LEADING_NUMBER = re.compile(r"\s*([+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d{1,4})?)", re.ASCII)
LONG_NUMBER = re.compile(r'"-?[0-9.]{400,}"')
EMPTY_PROPERTIES = "{}"
_FieldErrors = dict[str, list[str]]


class EventIn(msgspec.Struct, gc=False):
    """An event as it is sent; every field is checked afterwards (`docs/rules/metering.md` 1.1)."""

    transaction_id: Any = None
    code: Any = None
    external_subscription_id: Any = None
    timestamp: Any = None
    precise_total_amount_cents: Any = None
    properties: msgspec.Raw = msgspec.Raw(b"")


class _Single(msgspec.Struct, gc=False):
    event: EventIn | None = None


class _Batch(msgspec.Struct, gc=False):
    events: list[EventIn] | None = None


class _LooseBatch(msgspec.Struct, gc=False):
    events: msgspec.Raw = msgspec.Raw(b"null")


class CheckedEvent(NamedTuple):
    """An event that may be stored. Instants are microseconds since 1970 UTC."""

    transaction_id: str
    code: str
    external_subscription_id: str | None
    timestamp_us: int
    precise_total_amount_cents: str | None
    properties: str


class EventOut(msgspec.Struct, gc=False):
    """An event in a response; `lago_customer_id` and `lago_subscription_id` are always null."""

    lago_id: str
    transaction_id: str
    lago_customer_id: None
    code: str
    timestamp: str
    precise_total_amount_cents: str | None
    properties: msgspec.Raw
    lago_subscription_id: None
    external_subscription_id: str | None
    created_at: str


class _UnrepresentableError(ValueError):
    """A number with more digits than are kept."""


def _bounded_number(text: str) -> Decimal:
    """Refuse numbers whose written-out form would fill memory."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _UnrepresentableError from None
    if number and not -MAX_NUMBER_DIGITS < number.adjusted() < MAX_NUMBER_DIGITS:
        raise _UnrepresentableError
    return number


_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError)
_single_decoder = msgspec.json.Decoder(_Single, float_hook=Decimal)
_batch_decoder = msgspec.json.Decoder(_Batch, float_hook=Decimal)
_loose_decoder = msgspec.json.Decoder(_LooseBatch)
_events_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_event_decoder = msgspec.json.Decoder(EventIn, float_hook=Decimal)
properties_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=_bounded_number)
_object_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()
_NOTHING_SENT = EventIn()


def read_single(body: bytes) -> EventIn:
    """Return the event under the root key `event`.

    Raises `BadRequest` for malformed JSON and for a missing or empty root
    (`docs/rules/api-conventions.md` 5).
    """
    if not body:
        raise _missing_root("event")
    try:
        event = _single_decoder.decode(body)
    except msgspec.ValidationError:
        raise _missing_root("event") from None
    except _MALFORMED:
        raise _malformed() from None
    if event.event is None or (event.event == _NOTHING_SENT and _is_empty_root(body)):
        raise _missing_root("event")
    return event.event


def read_batch(body: bytes, max_events: int) -> list[EventIn]:
    """Return the events under the root key `events`, in order.

    Raises `BadRequest` for malformed JSON and `Invalid` for no events or too many
    (`docs/rules/metering.md` 1.4). An element that is not an object counts as an empty event.
    """
    if not body:
        raise Invalid.field("events", "no_events")
    try:
        events = _batch_decoder.decode(body).events
    except msgspec.ValidationError:
        events = _read_loosely(body)
    except _MALFORMED:
        raise _malformed() from None
    if not events:
        raise Invalid.field("events", "no_events")
    if len(events) > max_events:
        raise Invalid.field("events", "too_many_events")
    return events


def _read_loosely(body: bytes) -> list[EventIn]:
    try:
        elements = _events_decoder.decode(_loose_decoder.decode(body).events)
    except msgspec.ValidationError:
        return []
    except _MALFORMED:
        raise _malformed() from None
    return [_read_element(raw) for raw in elements]


def _read_element(raw: msgspec.Raw) -> EventIn:
    try:
        return _event_decoder.decode(raw)
    except msgspec.ValidationError:
        return EventIn()


def _is_empty_root(body: bytes) -> bool:
    return not _object_decoder.decode(body).get("event")


def _malformed() -> BadRequest:
    return BadRequest("the body is not valid JSON")


def _missing_root(root: str) -> BadRequest:
    return BadRequest(f"param is missing or the value is empty or invalid: {root}")


def check_event(sent: EventIn, now_us: int) -> CheckedEvent | _FieldErrors:
    """Return the event ready to be stored, or what is wrong with each field.

    Raises `BadRequest` when `properties` is not JSON.
    """
    errors: _FieldErrors = {}
    transaction_id, code = sent.transaction_id, sent.code
    if not _is_plain(transaction_id):
        transaction_id = _required(transaction_id, "transaction_id", errors)
    if not _is_plain(code):
        code = _required(code, "code", errors)
    subscription = sent.external_subscription_id
    if not _is_plain(subscription):
        subscription = _identifier(subscription, "external_subscription_id", errors)
    timestamp_us = now_us if sent.timestamp is None else _timestamp_us(sent.timestamp)
    if timestamp_us is None:
        errors["timestamp"] = ["invalid_format"]
    precise = sent.precise_total_amount_cents
    if precise is not None:
        precise = _precise_amount(precise, errors)
    properties = _properties(bytes(sent.properties), errors)
    if errors or timestamp_us is None:
        return errors
    return CheckedEvent(transaction_id, code, subscription, timestamp_us, precise, properties)


def _is_plain(value: Any) -> bool:
    """Tell whether an id needs no second look, as nearly all do."""
    return (
        type(value) is str
        and 0 < len(value) <= MAX_ID_CHARACTERS
        and value[0] != " "
        and value.isprintable()
    )


def _required(value: Any, field: str, errors: _FieldErrors) -> str | None:
    found = _identifier(value, field, errors)
    if found is None:
        errors.setdefault(field, ["value_is_mandatory"])
    return found


def _identifier(value: Any, field: str, errors: _FieldErrors) -> str | None:
    """Return a string id; scalars are written out as Rails does, other shapes are dropped."""
    if type(value) is str and len(value) <= MAX_ID_CHARACTERS and value.isprintable():
        return value if value and not value.isspace() else None
    if not isinstance(value, str):
        if value is None or isinstance(value, dict | list):
            return None
        value = _scalar_text(value)
    if len(value) > MAX_ID_CHARACTERS:
        errors[field] = ["value_is_too_long"]
    elif "\x00" in value:
        errors[field] = ["value_is_invalid"]
    elif not value or value.isspace():
        return None
    return value  # type: ignore[no-any-return]


def _scalar_text(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, Decimal) and abs(value.adjusted()) < MAX_ID_CHARACTERS:
        return plain(value)
    return str(value)


def _timestamp_us(value: Any) -> int | None:
    """Return seconds since 1970, a number or a numeric string, as microseconds; None if invalid.

    Parsed as a decimal, so 1780586634.1 is exactly a tenth (`docs/rules/metering.md` 1.2).
    Fractions of a microsecond are cut off.
    """
    if type(value) is int:
        timestamp_us = value * US_PER_SECOND
    elif isinstance(value, str | Decimal):
        parsed = _seconds(value)
        if parsed is None:
            return None
        timestamp_us = parsed
    else:
        return None
    return timestamp_us if EARLIEST_US <= timestamp_us <= LATEST_US else None


def _seconds(value: str | Decimal) -> int | None:
    if isinstance(value, str):
        if value.isdigit() and value.isascii() and len(value) <= _MOST_SECONDS_EXPONENT:
            return int(value) * US_PER_SECOND
        if not value.isascii():
            return None
    try:
        seconds = Decimal(value)
    except InvalidOperation:
        return None
    if not seconds.is_finite() or (seconds and seconds.adjusted() > _MOST_SECONDS_EXPONENT):
        return None
    with_micros = _PRECISE.scaleb(seconds, 6) if seconds else seconds
    return int(with_micros.to_integral_value(rounding=ROUND_FLOOR))


def _precise_amount(value: Any, errors: _FieldErrors) -> str | None:
    """Return cents with at most 15 decimals as text; garbage is 0 (metering.md 1.7)."""
    if isinstance(value, dict | list) or value == "":
        return None
    found = _LEADING_NUMBER.match(value if isinstance(value, str) else str(value))
    number = Decimal(found[1]) if found else Decimal(0)
    if number and number.adjusted() >= _PRECISE_INTEGER_DIGITS:
        errors["precise_total_amount_cents"] = ["value_is_out_of_range"]
        return None
    return plain(number.quantize(_PRECISE_PLACES, context=_PRECISE).normalize(_PRECISE))


def _properties(raw: bytes, errors: _FieldErrors) -> str:
    """Return the properties verbatim; anything but an object is dropped and becomes `{}`.

    They are decoded once to prove that whatever reads them later can.
    """
    if raw[:1] != b"{":
        return EMPTY_PROPERTIES
    try:
        text = raw.decode()
        properties_decoder.decode(raw)
    except (_UnrepresentableError, msgspec.ValidationError):
        errors["properties"] = ["value_is_invalid"]
        return EMPTY_PROPERTIES
    except _MALFORMED:
        raise _malformed() from None
    if "\\u0000" in text and _holds_nul(raw):
        errors["properties"] = ["value_is_invalid"]
    # Deep nesting and long numbers take more room than most properties have.
    if len(text) > 2 * MAX_DEPTH and (is_deep(text) or LONG_NUMBER.search(text)):
        errors["properties"] = ["value_is_invalid"]
    return text


def is_deep(text: str) -> bool:
    """Tell whether objects and arrays nest deeper than is kept."""
    return text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH


def _holds_nul(raw: bytes) -> bool:
    """Tell an escaped NUL, which no text column holds, from an escaped backslash and u0000."""
    return b"\\u0000" in raw.replace(b"\\\\", b"")


def _depth(text: str) -> int:
    """Return at least the nesting depth; brackets inside strings may add to it."""
    depth = deepest = 0
    for character in text:
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return (EPOCH + seconds * US_PER_SECOND * MICROSECOND).isoformat()[:19]


@lru_cache(maxsize=4096)
def timestamp_text(timestamp_us: int) -> str:
    """Write an instant with exactly three decimals, cut off (`docs/rules/metering.md` 1.1)."""
    seconds, rest_us = divmod(timestamp_us, US_PER_SECOND)
    return f"{_second_text(seconds)}.{rest_us // 1000:03d}Z"


@lru_cache(maxsize=4096)
def created_at_text(timestamp_us: int) -> str:
    """Write an instant in whole seconds."""
    return f"{_second_text(timestamp_us // US_PER_SECOND)}Z"


def event_out(  # noqa: PLR0913, PLR0917 - the columns of an event, on the hot path
    key: bytes,
    transaction_id: str,
    external_subscription_id: str | None,
    code: str,
    timestamp_us: int,
    properties: str,
    precise_total_amount_cents: str | None,
    created_at_us: int,
) -> EventOut:
    """Return the response object of a stored event; its id is the 16 bytes of its key."""
    digits = key.hex()
    lago_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return EventOut(
        lago_id,
        transaction_id,
        None,
        code,
        timestamp_text(timestamp_us),
        precise_total_amount_cents,
        msgspec.Raw(properties.encode()),
        None,
        external_subscription_id,
        created_at_text(created_at_us),
    )


def single_body(event: EventOut) -> bytes:
    """Return the body that answers a single event."""
    return b'{"event":' + _encoder.encode(event) + b"}"


def batch_body(events: list[EventOut]) -> bytes:
    """Return the body that answers a batch, in input order."""
    return b'{"events":' + _encoder.encode(events) + b"}"


def list_body(events: list[EventOut], meta: dict[str, Any]) -> bytes:
    """Return the body of a page of events."""
    return _encoder.encode({"events": events, "meta": meta})


def instant_us(instant: datetime) -> int:
    """Return microseconds since 1970 of an aware instant, exactly."""
    return (instant - EPOCH) // MICROSECOND
