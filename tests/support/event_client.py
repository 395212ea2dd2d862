"""A process that sends events and names those that were acknowledged; tests kill it.

`python -m tests.support.event_client KIND PLACE ORGANIZATION PREFIX`: KIND is `sqlite` (PLACE = the
writer's socket) or `postgres` (PLACE = database URL).
"""

import asyncio
import itertools
import sys
from pathlib import Path
from uuid import UUID

from billing_core.store.events.ingest import Ingest
from billing_core.store.events.postgres_ingest import PostgresLogWriter
from billing_core.store.events.sqlite_client import SqliteWriterClient
from tests.support.events import make_event

SENDERS = 16


async def main() -> None:
    kind, place, organization, prefix = sys.argv[1:5]
    writer = SqliteWriterClient(Path(place)) if kind == "sqlite" else PostgresLogWriter(place)
    ingest = Ingest(writer)
    await ingest.start()
    numbers = itertools.count()

    async def send() -> None:
        for number in numbers:
            name = f"{prefix}-{number}"
            (is_stored,) = await ingest.submit(
                [make_event(UUID(organization), name, properties='{"v":1}')], atomic=False
            )
            assert is_stored
            sys.stdout.write(name + "\n")
            sys.stdout.flush()

    await asyncio.gather(*(send() for _ in range(SENDERS)))


if __name__ == "__main__":
    asyncio.run(main())
