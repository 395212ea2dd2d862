"""The checker itself: what it lets pass and what it names."""

from typing import Any

import pytest

from tests.contract.listed import LISTED
from tests.contract.shapes import OPERATIONS, SCHEMAS, SURFACE, differences

TEXT = {"type": "string"}
OWNER = {
    "type": "object",
    "fields": {"a": {**TEXT, "required": True}, "b": {"type": "integer"}},
}
CASES: list[tuple[dict[str, Any], Any, Any]] = [
    (TEXT, "x", 1),
    (TEXT, "x", None),
    ({**TEXT, "nullable": True}, None, 1),
    ({**TEXT, "enum": ["a"]}, "a", "b"),
    ({**TEXT, "format": "uuid"}, "0192f0c4-8f3a-7c1e-9a55-3d1f0a6b7c8d", "x"),
    ({**TEXT, "format": "date"}, "2026-01-31", "2026-02-30"),
    ({**TEXT, "format": "date-time"}, "2026-01-31T00:00:00Z", "2026-01-31T00:00:00+00:00"),
    ({**TEXT, "format": "date-time"}, "2026-01-31T00:00:00.123Z", "2026-01-31 00:00:00Z"),
    ({**TEXT, "format": "email"}, "a@b.example", "a"),
    ({**TEXT, "format": "uri"}, "https://b.example", "b"),
    ({**TEXT, "pattern": "^[0-9]+.?[0-9]*$"}, "1.5", "-1.5"),
    ({"type": "integer"}, 1, True),
    ({"type": "integer"}, 1, 1.5),
    ({"type": "number"}, 1.5, "1.5"),
    ({"type": "number_or_decimal_string"}, "1.5", "one"),
    ({"type": "boolean"}, False, 0),
    ({"type": "null"}, None, 0),
    ({"type": "array", "items": TEXT}, ["x"], ["x", 1]),
    ({"type": "array", "items": TEXT}, [], {}),
    ({"type": "object", "values": TEXT}, {"any": "x"}, {"any": 1}),
    (OWNER, {"a": "x", "b": None, "more": 1}, {"b": 1}),
    (OWNER, {"a": "x"}, {"a": None}),
    (OWNER, {"a": "x", "b": 1}, {"a": "x", "b": "1"}),
    ({"one_of": [TEXT, {"type": "integer"}]}, 1, []),
    ({"any_of": [TEXT, {"type": "integer"}]}, "x", True),
    ({"all_of": [TEXT, {**TEXT, "enum": ["a"]}]}, "a", "b"),
    ({"ref": "PaginationMeta"}, {"current_page": 0, "total_pages": 0, "total_count": 0}, {}),
    ({"ref": "Currency", "nullable": True}, None, "XXX?"),
]


@pytest.mark.parametrize(("schema", "good", "bad"), CASES)
def test_good_passes_and_bad_is_named(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert differences(schema, good) == []
    assert differences(schema, bad)


def test_a_difference_names_its_place() -> None:
    schema = {"type": "object", "fields": {"rows": {"type": "array", "items": OWNER}}}
    assert differences(schema, {"rows": [{"a": "x"}, {"a": 1}]}) == [".rows[1].a: string, got 1"]


def test_the_facts_hang_together() -> None:
    """Every name that is referred to is there, so no check can pass for want of a schema."""

    def names(value: Any) -> set[str]:
        if isinstance(value, list):
            return {name for item in value for name in names(item)}
        if not isinstance(value, dict):
            return set()
        own = {value["ref"]} if isinstance(value.get("ref"), str) else set()
        return own | {name for item in value.values() for name in names(item)}

    assert names(SURFACE) <= SCHEMAS.keys()
    listed = OPERATIONS.keys() & {one.operation_id for one in LISTED}
    silent = {name for name in listed if not OPERATIONS[name]["response"]}
    assert silent == {"deleteAllSubscriptionAlerts"}, "only these answer with nothing"
