"""The one JSON codec: numbers with a fraction are Decimal both ways, never binary."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from pydantic import BaseModel

from billing_core.domain.errors import BadRequest


def _default(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=_default, decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


NOT_JSON = "the body is not valid JSON"


def encode(value: Any) -> bytes:
    """Write compact UTF-8 JSON; Decimals become numbers with all their digits."""
    return _encoder.encode(value)


def encode_text(value: Any) -> str:
    """Write compact JSON text, for JSON columns."""
    return _encoder.encode(value).decode()


def decode(data: bytes | str) -> Any:
    """Read JSON; raises `msgspec.DecodeError`."""
    return _decoder.decode(data)


def decode_body(data: bytes) -> Any:
    """Read a request body; raises `BadRequest` when it is not JSON."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, ArithmeticError):
        raise BadRequest(NOT_JSON) from None
