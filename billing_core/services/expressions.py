"""Trying out an expression on an event that is not stored (`docs/rules/metering.md` 2.6)."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from billing_core.domain.errors import Invalid
from billing_core.domain.expressions import (
    EvaluationError,
    ExpressionError,
    compile_expression,
)
from billing_core.wire.codec import decode
from billing_core.wire.events import EventIn, check_event, instant_us
from billing_core.wire.expressions import ExpressionIn, ExpressionResultOut


def evaluate(asked: ExpressionIn, now: datetime) -> ExpressionResultOut:
    """Return an expression's value for an event; without a timestamp the event happens `now`.

    Refuses with `expression` value_is_mandatory or invalid_expression, and with `event`
    invalid_event for an event that ingestion would refuse or that lacks what the expression needs.
    """
    text = asked.expression or ""
    if not text.strip():
        raise Invalid.field("expression", "value_is_mandatory")
    try:
        expression = compile_expression(text)
        return ExpressionResultOut(value=expression.evaluate(*_variables(asked.event, now)))
    except ExpressionError:
        raise Invalid.field("expression", "invalid_expression") from None
    except EvaluationError:
        raise Invalid.field("event", "invalid_event") from None


def _variables(sent: EventIn, now: datetime) -> tuple[str, Decimal, dict[str, Any]]:
    """Return code, timestamp and properties of an event that could be sent like this."""
    # An expression sees no transaction id, so none is asked for.
    checked = check_event(replace(sent, transaction_id="-"), instant_us(now))
    if isinstance(checked, dict):
        raise Invalid.field("event", "invalid_event")
    return checked.code, Decimal(checked.timestamp_us).scaleb(-6), decode(checked.properties)
