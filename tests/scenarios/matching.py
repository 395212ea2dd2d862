"""What a scenario expects, compared with what the gateway answered."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

APPROXIMATELY = Decimal("0.01")


class Unmet(AssertionError):  # noqa: N818 - says what is the case
    """An expectation that did not hold, or that could not even be asked."""

    def __init__(self, subject: object, complaint: str) -> None:
        super().__init__(f"{subject}: {complaint}")


def matches(actual: Any, expected: Any) -> bool:
    """Tell whether an answer has what is expected of it.

    Numbers compare by value, as JSON numbers or decimal strings; an expected object names only
    the keys that matter; an object of `$` operators is applied.
    """
    if isinstance(expected, dict) and any(str(key).startswith("$") for key in expected):
        return all(_operator(name)(actual, operand) for name, operand in expected.items())
    if isinstance(expected, dict) and isinstance(actual, dict):
        return all(key in actual and matches(actual[key], want) for key, want in expected.items())
    if isinstance(expected, list) and isinstance(actual, list):
        return len(actual) == len(expected) and all(map(matches, actual, expected))
    left, right = _number(actual), _number(expected)
    if left is not None and right is not None:
        return left == right
    return bool(actual == expected)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _quantity(value: Any) -> Decimal:
    number = _number(value)
    if number is None:
        raise Unmet(repr(value), "is not a number")
    return number


def _same_members(actual: Any, expected: Any) -> bool:
    if not isinstance(actual, list) or len(actual) != len(expected):
        return False
    return all(any(matches(found, want) for found in actual) for want in expected)


def _operator(name: str) -> Callable[[Any, Any], bool]:
    try:
        return OPERATORS[name]
    except KeyError:
        raise Unmet(name, "is not an operator") from None


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$present": lambda actual, wanted: (actual is not None) is bool(wanted),
    "$empty": lambda actual, wanted: (not actual) is bool(wanted),
    "$gt": lambda actual, bound: _quantity(actual) > _quantity(bound),
    "$gte": lambda actual, bound: _quantity(actual) >= _quantity(bound),
    "$lt": lambda actual, bound: _quantity(actual) < _quantity(bound),
    "$approx": lambda actual, near: abs(_quantity(actual) - _quantity(near)) <= APPROXIMATELY,
    "$contains": lambda actual, member: member in (actual or []),
    "$starts": lambda actual, start: isinstance(actual, str) and actual.startswith(start),
    "$not": lambda actual, unwanted: not matches(actual, unwanted),
    "$set": _same_members,
}
