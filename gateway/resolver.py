"""Which subscription an unknown id means: a customer's external id, where that is unambiguous."""

from uuid import UUID

from billing_core.clock import monotonic
from billing_core.services import subscriptions
from billing_core.store.unit import Units
from gateway.auth import Principal

TTL_SECONDS = 1.0
MOST_CACHED = 50_000


class CustomerIdResolver:
    """Maps a given subscription id to a stored one, for organizations that opted in.

    LiteLLM's stock `lago` callback sends the end user as `external_subscription_id`. A known
    subscription id stays; else a customer's external id with exactly one active subscription means
    that subscription; anything else stays as it was given (`docs/rules/connectors-litellm.md` 1.3).
    """

    def __init__(self, units: Units) -> None:
        self._units = units
        self._known: dict[tuple[UUID, str], tuple[float, str]] = {}

    async def __call__(self, caller: Principal, given: str) -> str:
        """Return the subscription id that is meant."""
        key = (caller.org_id, given)
        found = self._known.get(key)
        if found is not None and monotonic() - found[0] <= TTL_SECONDS and not caller.sandbox:
            return found[1]
        async with self._units.read(caller.org_id) as unit:
            meant = await subscriptions.meant_by(unit, given)
        if len(self._known) >= MOST_CACHED:
            self._known.clear()
        self._known[key] = (monotonic(), meant)
        return meant
