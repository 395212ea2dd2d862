"""How every wire model behaves."""

import types
import typing
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator

from billing_core.domain.money import plain
from billing_core.wire.dates import instant_text, instant_text_ms

Instant = Annotated[datetime, PlainSerializer(instant_text, return_type=str)]
InstantMs = Annotated[datetime, PlainSerializer(instant_text_ms, return_type=str)]
DecimalText = Annotated[Decimal, PlainSerializer(plain, return_type=str)]
# a Decimal as it is: the codec writes it as a JSON number with all its digits
Number = Decimal


class Out(BaseModel):
    """A response body, read off a row; no defaults, so every key is always present."""

    model_config = ConfigDict(from_attributes=True, frozen=True, populate_by_name=True)

    @classmethod
    def of(cls, row: object, **given: Any) -> Self:
        """Build from a row, with fields the row itself does not carry given by name."""
        values: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            if name in given:
                values[name] = given[name]
            else:
                source = field.validation_alias or field.alias or name
                values[name] = getattr(row, str(source))
        return cls.model_validate(values, by_name=True)


class In(BaseModel):
    """A request body.

    Unknown keys are ignored and known fields of the wrong shape (a list where a scalar belongs,
    and so on) are dropped silently, as in `docs/rules/api-conventions.md` 6.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_wrong_shapes(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        shapes = _shapes(cls)
        return {
            key: value
            for key, value in data.items()
            if key in shapes and (value is None or shapes[key] is None or _fits(value, shapes[key]))
        }

    def given(self, *, leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return only what the caller sent: an omitted key keeps the stored value."""
        return {
            name: getattr(self, name) for name in self.model_fields_set if name not in leave_out
        }


def _fits(value: Any, shape: str | None) -> bool:
    if isinstance(value, dict):
        return shape == "object"
    if isinstance(value, list):
        return shape == "array"
    return shape == "scalar"


@lru_cache(maxsize=256)
def _shapes(model: type[BaseModel]) -> dict[str, str | None]:
    return {name: _shape(field.annotation) for name, field in model.model_fields.items()}


def _shape(annotation: Any) -> str | None:
    if annotation is Any:
        return None
    origin = typing.get_origin(annotation)
    if origin in {typing.Union, types.UnionType}:
        kinds = {_shape(arg) for arg in typing.get_args(annotation) if arg is not type(None)}
        return kinds.pop() if len(kinds) == 1 else None
    if origin is Annotated:
        return _shape(typing.get_args(annotation)[0])
    if origin in {list, tuple, set}:
        return "array"
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "object"
    return "scalar"


def _boolean(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in {"true", "false", "1", "0"}:
        return value.lower() in {"true", "1"}
    return value


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    return value


def _trimmed(value: Any) -> Any:
    value = _text(value)
    if isinstance(value, str):
        if "\x00" in value:
            message = "contains a NUL character"
            raise ValueError(message)
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            message = "contains a lone surrogate"
            raise ValueError(message)
    return value


Text = Annotated[str, BeforeValidator(_trimmed)]
Flag = Annotated[bool, BeforeValidator(_boolean)]
