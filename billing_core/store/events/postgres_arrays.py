"""Columns as PostgreSQL array literals.

The driver looks twice at every element of an array to find out whether it is an array itself, which
costs more than storing the event. One text per column, cast by the server, costs a tenth.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

_SEPARATOR = "\x1f"
_EMPTY = "{}"


def plain(values: Iterable[Any]) -> str:
    """Return an array of numbers or booleans; None is NULL."""
    texts = ["NULL" if value is None else str(value) for value in values]
    return "{" + ",".join(texts) + "}"


def texts(values: Sequence[str | None]) -> str:
    """Return an array of texts, whatever they contain; None is NULL."""
    if not values:
        return _EMPTY
    present = [value for value in values if value is not None]
    if len(present) == len(values):
        # Usually nothing contains the separator, and whole columns are escaped at once.
        joined = _SEPARATOR.join(present)
        if joined.count(_SEPARATOR) == len(values) - 1:
            return '{"' + _escaped(joined).replace(_SEPARATOR, '","') + '"}'
    elements = ["NULL" if value is None else f'"{_escaped(value)}"' for value in values]
    return "{" + ",".join(elements) + "}"


def byte_strings(values: Sequence[bytes]) -> str:
    """Return an array of byte strings."""
    if not values:
        return _EMPTY
    return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}'


def literals(
    columns: Iterable[Sequence[Any]], writers: Iterable[Callable[[Any], str]]
) -> list[str]:
    """Return each column as the literal its writer makes of it."""
    return [write(column) for column, write in zip(columns, writers, strict=True)]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
