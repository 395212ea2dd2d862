"""What the taking in of events depends on: computed values, and codes that are paid in advance."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, Protocol
from uuid import UUID

from billing_core.domain.expressions import Expression, compile_expression
from billing_core.store import advance_fees, catalog
from billing_core.store.unit import Unit
from billing_core.wire.codec import decode, encode_text
from billing_core.wire.events import CheckedEvent

MOST_COMPILED = 4096
compiled = lru_cache(maxsize=MOST_COMPILED)(compile_expression)


class Computed(NamedTuple):
    """A property that is computed from an event before it is stored (metering.md 2.6)."""

    field_name: str
    expression: Expression

    def applied(self, event: CheckedEvent) -> CheckedEvent:
        """Return the event with the value in its place, whatever was sent there.

        Raises `EvaluationError`.
        """
        properties = decode(event.properties)
        instant = Decimal(event.timestamp_us).scaleb(-6)
        value = self.expression.evaluate(event.code, instant, properties)
        return event._replace(properties=encode_text({**properties, self.field_name: value}))


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """The rules of one organization, by code of event."""

    computed: Mapping[str, Computed]
    watched: frozenset[str]


NO_RULES = IntakeRules({}, frozenset())


class RulesOf(Protocol):
    """Knows the rules of organizations."""

    def cached(self, org_id: UUID) -> IntakeRules | None:
        """Return them if they were read a moment ago, without waiting."""

    async def load(self, org_id: UUID) -> IntakeRules:
        """Read them."""


async def read(unit: Unit) -> IntakeRules:
    """Return the organization's rules as they are now."""
    computed = {
        metric.code: Computed(metric.field_name, compiled(metric.expression))
        for metric in await catalog.metrics_with_expression(unit)
        if metric.field_name and metric.expression
    }
    return IntakeRules(computed, frozenset(await advance_fees.watched_codes(unit)))
