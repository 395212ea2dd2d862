"""What intake of events knows of organizations, and how it asks for fees in advance."""

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from billing_core.clock import monotonic
from billing_core.ports import EventStore
from billing_core.services import advance_fees, intake_rules
from billing_core.services.intake_rules import IntakeRules
from billing_core.store.unit import Units

TTL_SECONDS = 1.0
MOST_CACHED = 10_000
TOGETHER_SECONDS = 0.1
log = logging.getLogger(__name__)


class KnownRules:
    """The intake rules of organizations, remembered for a second.

    A change made through this process is seen by the next event, one made elsewhere within that
    second. Codes that are known to be paid in advance are watched before an event of theirs is
    stored: a fee is not missed because the event came sooner than the job that watches.
    """

    def __init__(self, units: Units, events: EventStore) -> None:
        self._units = units
        self._events = events
        self._known: dict[UUID, tuple[float, IntakeRules]] = {}
        self._loading: dict[UUID, asyncio.Task[IntakeRules]] = {}
        self._watched: dict[UUID, frozenset[str]] = {}

    def cached(self, org_id: UUID) -> IntakeRules | None:
        """Return an organization's rules if they were read within the last second."""
        found = self._known.get(org_id)
        if found is None or monotonic() - found[0] > TTL_SECONDS:
            return None
        return found[1]

    async def load(self, org_id: UUID) -> IntakeRules:
        """Read an organization's rules, once for all who ask meanwhile."""
        task = self._loading.get(org_id)
        if task is None:
            task = self._loading[org_id] = asyncio.create_task(self._load(org_id))
        return await asyncio.shield(task)

    def forget(self, org_id: UUID) -> None:
        """Have the rules read again by the next who asks."""
        self._known.pop(org_id, None)
        self._loading.pop(org_id, None)

    async def _load(self, org_id: UUID) -> IntakeRules:
        task = asyncio.current_task()
        try:
            async with self._units.read(org_id) as unit:
                rules = await intake_rules.read(unit)
            if rules.watched - self._watched.get(org_id, frozenset()):
                async with self._units.open(org_id) as unit:
                    await advance_fees.watch(unit, self._events)
            if self._loading.get(org_id) is task:
                self._remember(org_id, rules)
        finally:
            if self._loading.get(org_id) is task:
                del self._loading[org_id]
        return rules

    def _remember(self, org_id: UUID, rules: IntakeRules) -> None:
        if len(self._known) >= MOST_CACHED:
            self._known.clear()
            self._watched.clear()
        self._known[org_id] = (monotonic(), rules)
        self._watched[org_id] = rules.watched


class FeeRequests:
    """Promises the fees of events that were just stored, for many events at once.

    One promise serves every organization's due events, so it is made in the name of any of them.
    Whatever is lost here, with the process, the clock's sweep makes up for.
    """

    def __init__(self, units: Units) -> None:
        self._units = units
        self._asking: asyncio.Task[None] | None = None
        self._again = False

    def note(self, org_id: UUID, _names: Sequence[tuple[str | None, str]]) -> None:
        """Ask soon; returns at once."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(org_id))
        else:
            self._again = True

    async def close(self) -> None:
        """Make the promise that is still to be made."""
        if self._asking is not None:
            await self._asking

    async def _ask(self, org_id: UUID) -> None:
        wanted = True
        while wanted:
            await asyncio.sleep(TOGETHER_SECONDS)
            self._again = False
            try:
                async with self._units.open(org_id) as unit:
                    unit.promise(advance_fees.CHARGE_TOPIC, {})
            except Exception:
                # the events are stored and listed as due: the sweep finds them
                log.exception("the fees of new events could not be promised")
            wanted = self._again
