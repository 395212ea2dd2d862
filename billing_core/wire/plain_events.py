"""The parts of an event that need no closer look, which are nearly all; None for the others."""

from typing import Any

import msgspec

from billing_core.wire.events import (
    EARLIEST_US,
    LATEST_US,
    LONG_NUMBER,
    MAX_DEPTH,
    MAX_ID_CHARACTERS,
    US_PER_SECOND,
    is_deep,
    properties_decoder,
)

_SHORT_CHARACTERS = 2 * MAX_DEPTH  # too short for any number or nesting that is refused
_UNREADABLE = (ValueError, RecursionError, ArithmeticError, msgspec.MsgspecError)


def is_plain(name: str) -> bool:
    """Tell whether an id is kept, and written into JSON, just as it is."""
    return (
        0 < len(name) <= MAX_ID_CHARACTERS
        and name[0] != " "
        and name.isprintable()
        and '"' not in name
        and "\\" not in name
    )


def whole_seconds_us(value: Any) -> int | None:
    """Return whole seconds since 1970 as microseconds."""
    if type(value) is not int:
        return None
    timestamp_us = value * US_PER_SECOND
    return timestamp_us if EARLIEST_US <= timestamp_us <= LATEST_US else None


def plain_properties(raw: msgspec.Raw) -> str | None:
    """Return properties as text, if they are an object and hold nothing that is refused."""
    try:
        text = str(raw, "utf-8")
        properties_decoder.decode(text)
    except _UNREADABLE:
        return None
    if text[0] != "{" or ("\\" in text and "\\u0000" in text):
        return None
    if len(text) > _SHORT_CHARACTERS and (is_deep(text) or LONG_NUMBER.search(text)):
        return None
    return text
