"""Metadata: notes that callers keep on a resource, and nobody here reads."""

from typing import Annotated

from pydantic import Field

from billing_core.wire.base import In, Text
from billing_core.wire.types import ShortText

MOST_KEYS = 50
MetadataKey = Annotated[Text, Field(min_length=1, max_length=100)]
Metadata = Annotated[dict[MetadataKey, ShortText | None], Field(max_length=MOST_KEYS)]


class MetadataIn(In):
    """A body that holds nothing but metadata; an empty object is as good as any."""

    metadata: Metadata
