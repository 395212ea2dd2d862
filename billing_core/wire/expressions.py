"""Trying out an expression on the wire: a request without a root key."""

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from billing_core.domain.errors import BadRequest
from billing_core.wire.base import Out
from billing_core.wire.codec import NOT_JSON
from billing_core.wire.events import EventIn

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError)


class _Body(msgspec.Struct):
    expression: Any = None
    event: msgspec.Raw = msgspec.Raw(b"{}")


class ExpressionIn(NamedTuple):
    """An expression, None where there is no text, and the event to try it on as it was sent."""

    expression: str | None
    event: EventIn


class ExpressionResultOut(Out):
    """What an expression makes of an event; numbers as decimal text."""

    value: str


_decode_body = msgspec.json.Decoder(_Body, float_hook=Decimal).decode
_decode_event = msgspec.json.Decoder(EventIn, float_hook=Decimal).decode


def read_expression(body: bytes) -> ExpressionIn:
    """Return what a body asks for; raises `BadRequest` when it is not JSON.

    Missing parts and parts of the wrong shape count as not sent, as does an empty body.
    """
    try:
        sent = _decode_body(body) if body.strip() else _Body()
    except msgspec.ValidationError:
        sent = _Body()
    except _MALFORMED:
        raise BadRequest(NOT_JSON) from None
    try:
        event = _decode_event(sent.event)
    except msgspec.ValidationError:
        event = EventIn()
    except _MALFORMED:
        raise BadRequest(NOT_JSON) from None
    expression = sent.expression if isinstance(sent.expression, str) else None
    return ExpressionIn(expression, event)
