"""From a request body to a validated model, or to the exact refusal."""

from typing import Any, TypeVar

from pydantic import ValidationError

from billing_core.domain.errors import BadRequest, Problems
from billing_core.wire.base import In
from billing_core.wire.codec import decode_body

Model = TypeVar("Model", bound=In)

MISSING = "param is missing or the value is empty or invalid: "
CODES = {
    "missing": "value_is_mandatory",
    "literal_error": "value_is_invalid",
    "enum": "value_is_invalid",
    "string_too_long": "value_is_too_long",
    "too_long": "invalid_count",
    "greater_than": "value_is_out_of_range",
    "greater_than_equal": "value_is_out_of_range",
    "less_than": "value_is_out_of_range",
    "less_than_equal": "value_is_out_of_range",
    "int_parsing_size": "value_is_out_of_range",
}
# behind a validator the length of a text is told like that of a list
TEXT_CODES = {"too_long": "value_is_too_long", "too_short": "value_is_mandatory"}


def read_root(body: bytes, root: str) -> dict[str, Any]:
    """Return what stands under the root key of a JSON body.

    Raises `BadRequest` for malformed JSON and for a missing or empty root (api-conventions 5).
    """
    document = decode_body(body) if body.strip() else {}
    value = document.get(root) if isinstance(document, dict) else None
    if not isinstance(value, dict) or not value:
        raise BadRequest(MISSING + root)
    return value


def validate(model: type[Model], data: Any) -> Model:
    """Return the model, or raise `Invalid` naming every bad field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = Problems()
        for found in error.errors(include_url=False, include_context=False):
            problems.add(_field(found["loc"]), _code(found))
        problems.check()
        raise


def _field(location: tuple[int | str, ...]) -> str:
    names = [str(part) for part in location if not str(part).startswith(("function-", "lax-"))]
    return ".".join(names) or "base"


def _code(found: Any) -> str:
    kind = str(found["type"])
    if isinstance(found.get("input"), str) and kind in TEXT_CODES:
        return TEXT_CODES[kind]
    if kind in CODES:
        return CODES[kind]
    if kind.startswith("code:"):
        return kind.removeprefix("code:")
    if kind == "string_too_short" or found.get("input") is None:
        return "value_is_mandatory"
    return "value_is_invalid"
