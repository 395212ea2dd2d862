"""What readiness looks at, and the numbers that operators scrape."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import redis.asyncio as aioredis
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from billing_core.clock import wall_now
from billing_core.store import outbox
from gateway.core import Core
from gateway.migrate import pending_revision
from gateway.settings import RedisRole

CHECK_SECONDS = 3.0


class Health:
    """Checks the parts a request depends on, each on its own."""

    def __init__(self, core: Core, role: RedisRole | None) -> None:
        self._core = core
        self._role = role
        self.registry = CollectorRegistry()
        self._queued = Gauge(
            "tallygate_ingest_queued_events", "Events waiting for a commit", registry=self.registry
        )
        self._oldest = Gauge(
            "tallygate_outbox_oldest_seconds",
            "Age of the oldest promise not kept yet",
            registry=self.registry,
        )
        self._unfolded = Gauge(
            "tallygate_events_unfolded",
            "Events that rollups do not hold yet and readers look at themselves",
            registry=self.registry,
        )
        self._builds = Gauge(
            "tallygate_meter_build_ratio",
            "How much of a metric's rollups is built, while they are",
            ("organization", "code"),
            registry=self.registry,
        )

    async def failures(self) -> dict[str, str]:
        """Return what is failing, by part; empty when ready."""
        checks: dict[str, Callable[[], object]] = {
            "database": self._database,
            "migrations": self._migrations,
            "events": self._events,
            "redis": self._redis,
        }
        found: dict[str, str] = {}
        for name, check in checks.items():
            try:
                await asyncio.wait_for(check(), CHECK_SECONDS)  # type: ignore[arg-type]
            except Exception as error:  # noqa: BLE001 - whatever fails is what we report
                found[name] = type(error).__name__
        return found

    async def metrics(self) -> tuple[bytes, str]:
        """Return the exposition and its content type."""
        self._queued.set(self._core.ingest.queued_events)
        async with self._core.units.system() as session:
            oldest = await outbox.oldest_due(session, wall_now())
        age = (wall_now() - oldest).total_seconds() if oldest else 0
        self._oldest.set(age)
        backlog = await self._core.events.backlog()
        self._unfolded.set(backlog.unfolded_events)
        self._builds.clear()
        for build in backlog.builds:
            ratio = build.done / build.total
            self._builds.labels(str(build.org_id), build.code).set(ratio)
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    async def _database(self) -> None:
        async with self._core.units.system() as session:
            await outbox.has_due(session, wall_now())

    async def _migrations(self) -> None:
        pending = await pending_revision(self._core.units.engines.read)
        if pending is not None:
            raise LookupError(pending)

    async def _events(self) -> None:
        await self._core.check_events()

    async def _redis(self) -> None:
        if self._role is None:
            return
        client = aioredis.Redis.from_url(self._role.url, password=self._role.password)
        try:
            await client.ping()
        finally:
            with suppress(OSError):
                await client.aclose()
