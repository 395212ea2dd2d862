"""The small schema language of `surface.json`, as a checker that names every difference."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

Schema = Mapping[str, Any]
SURFACE: dict[str, Any] = json.loads((Path(__file__).parent / "surface.json").read_text())
SCHEMAS: dict[str, Any] = SURFACE["schemas"]
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operation_id"]: operation for operation in SURFACE["operations"]
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
DECIMAL = re.compile(r"-?\d+\.\d+")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: dict[str, Callable[[Any], bool]] = {
    "any": lambda _: True,
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_whole,
    "null": lambda value: value is None,
    "number": _is_number,
    "number_or_decimal_string": lambda value: (
        _is_number(value) or (isinstance(value, str) and DECIMAL.fullmatch(value) is not None)
    ),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return test


FORMATS: dict[str, Callable[[str], bool]] = {
    "date": _parses(date.fromisoformat),
    "date-time": lambda text: (
        INSTANT.fullmatch(text) is not None and _parses(datetime.fromisoformat)(text)
    ),
    "email": lambda text: "@" in text,
    "uri": lambda text: text.startswith(("http://", "https://")),
    "uuid": _parses(UUID),
}


def differences(schema: Schema, value: Any, where: str = "") -> list[str]:
    """Return what is not as the schema says, each as `path: expected, got`.

    Fields beyond the schema are allowed. A field that need not be there may also be null: that is
    how the API writes "nothing" (`docs/rules/api-conventions.md` 9).
    """
    if "ref" in schema:
        named = {**SCHEMAS[schema["ref"]]}
        if schema.get("nullable"):
            named["nullable"] = True
        return differences(named, value, where)
    if value is None and schema.get("nullable"):
        return []
    for kinds in ("one_of", "any_of"):
        if kinds in schema:
            fits = any(not differences(kind, value, where) for kind in schema[kinds])
            return [] if fits else [f"{where}: none of {schema[kinds]}, got {value!r}"]
    if "all_of" in schema:
        return [found for kind in schema["all_of"] for found in differences(kind, value, where)]
    kind = schema.get("type", "any")
    if not TYPES[kind](value):
        return [f"{where}: {kind}, got {value!r}"]
    return [*_scalar(schema, value, where), *_inside(schema, value, where)]


def _scalar(schema: Schema, value: Any, where: str) -> list[str]:
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: one of {schema['enum']}, got {value!r}")
    if isinstance(value, str):
        test = FORMATS.get(schema.get("format", ""))
        if test is not None and not test(value):
            found.append(f"{where}: {schema['format']}, got {value!r}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{where}: text like {schema['pattern']}, got {value!r}")
    return found


def _inside(schema: Schema, value: Any, where: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, list):
        for position, item in enumerate(value):
            found += differences(schema.get("items", {}), item, f"{where}[{position}]")
    if isinstance(value, dict):
        fields = schema.get("fields", {})
        for name, field in fields.items():
            found += _field(field, value, name, f"{where}.{name}")
        if "values" in schema:
            for name in value.keys() - fields.keys():
                found += differences(schema["values"], value[name], f"{where}.{name}")
    return found


def _field(field: Schema, owner: Mapping[str, Any], name: str, where: str) -> list[str]:
    if name not in owner:
        return [f"{where}: present, got nothing"] if field.get("required") else []
    if owner[name] is None and not field.get("required"):
        return []
    return differences(field, owner[name], where)
