"""Workers: dramatiq actors that keep promises, embedded or as processes of their own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import (
    AgeLimit,
    AsyncIO,
    Callbacks,
    Pipelines,
    Retries,
    ShutdownNotifications,
)

from gateway.jobs.parts import Parts
from gateway.jobs.perform import QUEUES, perform
from gateway.settings import RedisRole, Settings, SettingsError

PREFETCH = 200
RETRIES = 20
MIN_BACKOFF_MS = 500
MAX_BACKOFF_MS = 10 * 60 * 1000
DEFAULT_QUEUE = "billing"
Build = Callable[[], Awaitable[Parts]]
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
    """Open the queues. Retries back off for technical reasons only; business time is in rows."""
    retries = Retries(max_retries=RETRIES, min_backoff=MIN_BACKOFF_MS, max_backoff=MAX_BACKOFF_MS)
    middleware = [AgeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), retries, AsyncIO()]
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
        self, broker: RedisBroker, build: Build, queues: Iterable[str] = (), threads: int = 4
    ) -> None:
        self._build = build
        self._parts: Parts | None = None
        self._building = asyncio.Lock()
        wanted = set(queues) or set(QUEUES.values())
        for name in sorted(wanted):
            register = dramatiq.actor(actor_name=f"perform_{name}", queue_name=name, broker=broker)
            register(self._actor)
        self._broker = broker
        self._worker = dramatiq.Worker(
            broker, queues=wanted, worker_threads=threads, worker_timeout=200
        )

    def start(self) -> None:
        """Begin to consume."""
        self._worker.start()

    def stop(self) -> None:
        """Finish what is being done, then let go."""
        self._worker.stop()
        self._broker.close()

    async def _actor(self, org_id: str, outbox_id: str) -> None:
        async with self._building:
            if self._parts is None:
                self._parts = await self._build()
        await perform(self._parts, UUID(org_id), UUID(outbox_id))


def quiet_libraries() -> None:
    """Keep chatty libraries out of the log."""
    for name in ("dramatiq", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
