"""What intake of events knows of organizations, and how it asks for fees in advance."""

import asyncio
import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from billing_core.clock import monotonic
from billing_core.ports import EventStore
from billing_core.services import advance_fees, intake_rules
from billing_core.services.intake_rules import IntakeRules
from billing_core.services.plans import WATCH_TOPIC
from billing_core.store.unit import Units

FRESH_SECONDS = 1.0
TTL_SECONDS = 2.0
MOST_CACHED = 10_000
TOGETHER_SECONDS = 0.1
log = logging.getLogger(__name__)


class KnownRules:
    """The intake rules of organizations, remembered for a moment.

    A change made through this process is seen by the next event, one made elsewhere within two
    seconds. Where events keep coming, rules are read again before they are too old, so that events
    do not wait for the database of everything else. Codes that come to be paid in advance are
    watched before the caller is told that they are: whoever then sends an event, through whichever
    process, is charged for it.
    """

    def __init__(self, units: Units, events: EventStore) -> None:
        self._units = units
        self._events = events
        self._known: dict[UUID, tuple[float, IntakeRules]] = {}
        self._loading: dict[UUID, asyncio.Task[IntakeRules]] = {}
        self._watched: dict[UUID, frozenset[str]] = {}

    def cached(self, org_id: UUID) -> IntakeRules | None:
        """Return an organization's rules if they were read a moment ago."""
        found = self._known.get(org_id)
        if found is None:
            return None
        age_seconds = monotonic() - found[0]
        if age_seconds > TTL_SECONDS:
            return None
        if age_seconds > FRESH_SECONDS and org_id not in self._loading:
            self._start(org_id).add_done_callback(_note_failure)
        return found[1]

    async def load(self, org_id: UUID) -> IntakeRules:
        """Read an organization's rules, once for all who ask meanwhile."""
        return await asyncio.shield(self._loading.get(org_id) or self._start(org_id))

    async def changed(self, org_id: UUID, topics: AbstractSet[str]) -> None:
        """Have the rules read again: by the next who asks, at once where it may be urgent."""
        self._known.pop(org_id, None)
        self._loading.pop(org_id, None)
        if WATCH_TOPIC not in topics:
            return
        try:
            await self.load(org_id)
        except Exception:
            # what was changed is committed, and a job that was promised with it watches, too
            log.exception("what organization %s pays in advance is watched later", org_id)

    async def close(self) -> None:
        """Wait for what is being read."""
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    def _start(self, org_id: UUID) -> asyncio.Task[IntakeRules]:
        task = self._loading[org_id] = asyncio.create_task(self._load(org_id))
        return task

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


def _note_failure(task: asyncio.Task[IntakeRules]) -> None:
    """Log what nobody waits for: the next who has to wait meets it again."""
    if not task.cancelled() and task.exception() is not None:
        log.error("the rules of an organization could not be read", exc_info=task.exception())


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
