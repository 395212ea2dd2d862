"""Workers: dramatiq actors that keep promises, embedded or as processes of their own."""

import asyncio
import logging
from collections.abc import Iterable
from uuid import UUID

import dramatiq
import redis
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import (
    AgeLimit,
    AsyncIO,
    Callbacks,
    Middleware,
    Pipelines,
    ShutdownNotifications,
)

from gateway.core import Core
from gateway.jobs.perform import QUEUES, perform
from gateway.settings import RedisRole, Settings, SettingsError

THREADS = 4
PREFETCH = 200
DEFAULT_QUEUE = "billing"
log = logging.getLogger(__name__)


def redis_client(role: RedisRole) -> "redis.Redis":
    """Connect to a Redis role; the password is never part of the URL."""
    return redis.Redis.from_url(role.url, password=role.password)


def redis_of(settings: Settings) -> RedisRole:
    """Return the Redis of the queues; raises `SettingsError` when there is none."""
    if settings.redis is None:
        raise SettingsError("TALLYGATE_REDIS_URL", "is needed for the queues")
    return settings.redis


def make_broker(role: RedisRole) -> RedisBroker:
    """Open the queues. The broker retries nothing: what failed goes back to the outbox."""
    middleware = [AgeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), AsyncIO()]
    broker: RedisBroker = RedisBroker(  # type: ignore[no-untyped-call]  # untyped upstream
        client=redis_client(role), middleware=middleware, namespace="tallygate"
    )
    return broker


class Queue:
    """The sending side: one message per promise, ids only."""

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker
        for name in sorted(set(QUEUES.values())):
            broker.declare_queue(name)

    async def send(self, messages: list[tuple[str, UUID, UUID]]) -> None:
        """Enqueue promises: (topic, organization id, outbox id)."""
        await asyncio.to_thread(self._send, messages)

    def _send(self, messages: Iterable[tuple[str, UUID, UUID]]) -> None:
        for topic, org_id, outbox_id in messages:
            queue = QUEUES.get(topic, DEFAULT_QUEUE)
            self._broker.enqueue(
                dramatiq.Message(
                    queue_name=queue,
                    actor_name=f"perform_{queue}",
                    args=(str(org_id), str(outbox_id)),
                    kwargs={},
                    options={},
                )
            )


class Workers:
    """The receiving side: worker threads whose actors run on one event loop of their own."""

    def __init__(
        self, broker: RedisBroker, core: Core, queues: Iterable[str] = (), threads: int = THREADS
    ) -> None:
        self._core = core
        self._is_open = False
        self._opening = asyncio.Lock()
        wanted = set(queues) or set(QUEUES.values())
        for name in sorted(wanted):
            register = dramatiq.actor(actor_name=f"perform_{name}", queue_name=name, broker=broker)
            register(self._actor)
        self._broker = broker
        broker.add_middleware(_CloseAfterwards(self), after=AsyncIO)
        self._worker = dramatiq.Worker(
            broker, queues=wanted, worker_threads=threads, worker_timeout=200
        )
        # with the default the consumer sleeps more than it works (performance.md 0.9)
        self._worker.queue_prefetch = PREFETCH

    def start(self) -> None:
        """Begin to consume."""
        self._worker.start()

    def stop(self) -> None:
        """Finish what is being done, then let go."""
        self._worker.stop()
        self._broker.close()

    async def _actor(self, org_id: str, outbox_id: str) -> None:
        async with self._opening:
            if not self._is_open:
                await self._core.open()
                self._is_open = True
        try:
            await perform(self._core.parts, UUID(org_id), UUID(outbox_id))
        except Exception:
            log.exception("promise %s of organization %s was not kept", outbox_id, org_id)

    async def close(self) -> None:
        """Let go of what the actors used, on the loop they used it on."""
        if self._is_open:
            await self._core.close()


class _CloseAfterwards(Middleware):
    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def after_worker_shutdown(self, broker: object, worker: object) -> None:
        """Close while the event loop of the actors still runs."""
        _ = broker, worker
        loop = get_event_loop_thread()
        if loop is not None:
            loop.run_coroutine(self._workers.close())


def quiet_libraries() -> None:
    """Keep chatty libraries out of the log."""
    for name in ("dramatiq", "httpx", "httpcore", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
