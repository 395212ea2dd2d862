"""`tallygate verify`: re-derives stored totals and names what does not add up."""

from contextlib import AsyncExitStack

from billing_core.services.invariants import violations
from billing_core.store import organizations
from billing_core.store.columns import KEYRING
from billing_core.store.events.opening import open_log
from billing_core.store.events.sqlite_store import SqliteEventStore
from billing_core.store.unit import Units, engines_for
from gateway.core import database_url, events_database
from gateway.settings import Settings


async def run(settings: Settings) -> list[str]:
    """Check every organization; works beside a running gateway and on a stopped one."""
    KEYRING.use(settings.encryption_keys)
    async with AsyncExitStack() as stack:
        engines = engines_for(database_url(settings))
        stack.push_async_callback(engines.dispose)
        units = Units(engines)
        events, _ = open_log(database_url(settings), events_database(settings))
        if not isinstance(events, SqliteEventStore):
            await events.start()
        stack.push_async_callback(events.stop)
        async with units.system() as session:
            ids = [org_id for org_id, _ in await organizations.organization_ids(session)]
        found = await events.recount()
        for org_id in ids:
            async with units.read(org_id) as unit:
                found.extend(await violations(unit))
        return found
