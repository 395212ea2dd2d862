"""One delivery attempt of a webhook: what was sent, what came back, and when to try again."""

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpcore
import httpx
from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt, wait_random_exponential
from tenacity.wait import wait_base

from connectors.webhooks.egress import EgressRefused, GuardedBackend, check_url

SUCCESS = frozenset({200, 201, 202, 204})
RESPONSE_LIMIT_BYTES = 10_000
DEFAULT_WAIT = wait_random_exponential(multiplier=0.2, max=2)

# Whatever else is raised is a bug of ours and must not be booked as the receiver's failure.
RECEIVER_FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.RemoteProtocolError,
    httpcore.UnsupportedProtocol,
    EgressRefused,
    TimeoutError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to.

    `status_code` is None when no answer arrived, `error` None when one did; `response_text` holds
    the first 10,000 bytes. `is_unreached` says that no connection could be made at all.
    """

    status_code: int | None
    response_text: str
    error: str | None
    is_unreached: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took it: 200, 201, 202 or 204 (`docs/rules/money.md` 6.1.5)."""
        return self.error is None and self.status_code in SUCCESS


@dataclass(frozen=True, slots=True)
class Network:
    """How connections are made and which certificates are trusted; given to reach a private CA."""

    backend: httpcore.AsyncNetworkBackend
    ssl_context: ssl.SSLContext


OnAttempt = Callable[[Outcome], Awaitable[None]]


def retry_delay(attempt: int, random: Callable[[], float]) -> float:
    """Return the seconds to wait after failed attempt 1, 2, …: n⁴ + random·0.15·n⁴ + 2.

    `random` returns a number in [0, 1). Cites `docs/rules/money.md` 6.1.5.
    Raises `ValueError` for an attempt below 1.
    """
    if attempt < 1:
        raise ValueError(attempt)
    growth = attempt**4
    return growth + random() * 0.15 * growth + 2


class WebhookSender:
    """Posts bodies to tenants' URLs; safe to share between tasks, threads and event loops.

    `timeout_seconds` holds for connecting, each write and each read, and three times it for the
    whole. `connect_attempts` and `wait` are for connections that cannot be made, which the receiver
    never saw; the schedule of real attempts (`retry_delay`) is the caller's.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        timeout_seconds: float = 30,
        connect_attempts: int = 3,
        wait: wait_base = DEFAULT_WAIT,
        network: Network | None = None,
    ) -> None:
        self._network = network or Network(
            GuardedBackend(allow_private=allow_private), httpx.create_ssl_context(trust_env=False)
        )
        self._timeout_seconds = timeout_seconds
        self._connect_attempts = connect_attempts
        self._wait = wait

    async def deliver(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        on_attempt: OnAttempt | None = None,
    ) -> Outcome:
        """POST once and return what happened; redirects are answers, never followed.

        `on_attempt` hears of every outcome, those included after which connecting is tried again.
        Faults of the receiver, its network and its URL are outcomes; nothing else is caught.
        """
        attempts = AsyncRetrying(
            stop=stop_after_attempt(self._connect_attempts),
            wait=self._wait,
            retry=retry_if_result(lambda outcome: outcome.is_unreached),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        outcome: Outcome = await attempts(self._attempt, url, body, headers, on_attempt)
        return outcome

    async def _attempt(
        self, url: str, body: bytes, headers: Mapping[str, str], on_attempt: OnAttempt | None
    ) -> Outcome:
        outcome = await self._post(url, body, headers)
        if on_attempt is not None:
            await on_attempt(outcome)
        return outcome

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        status_code: int | None = None
        read = b""
        try:
            async with asyncio.timeout(3 * self._timeout_seconds), self._pool() as pool:
                target, all_headers = _request(url, headers)
                async with pool.stream(
                    "POST",
                    target,
                    headers=all_headers,
                    content=body,
                    extensions={"timeout": dict.fromkeys(_PHASES, self._timeout_seconds)},
                ) as response:
                    status_code = response.status
                    async for part in response.aiter_stream():
                        read += part
                        if len(read) >= RESPONSE_LIMIT_BYTES:
                            break
        except RECEIVER_FAULTS as error:
            unreached = isinstance(error, httpcore.ConnectError) and not _is_tls(error)
            return Outcome(status_code, _text(read), _describe(error), unreached)
        return Outcome(status_code, _text(read), None)

    def _pool(self) -> httpcore.AsyncConnectionPool:
        """Make a pool per delivery: it belongs to one event loop, and no idle socket goes stale."""
        return httpcore.AsyncConnectionPool(
            ssl_context=self._network.ssl_context,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=self._network.backend,
        )


_PHASES = ("connect", "read", "write", "pool")


def _request(url: str, headers: Mapping[str, str]) -> tuple[httpcore.URL, list[tuple[str, str]]]:
    parsed = check_url(url)
    all_headers = list(headers.items())
    if parsed.userinfo:
        credentials = f"{parsed.username}:{parsed.password}".encode()
        all_headers.append(("Authorization", f"Basic {base64.b64encode(credentials).decode()}"))
    target = httpcore.URL(
        scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path
    )
    return target, all_headers


def _text(read: bytes) -> str:
    # PostgreSQL's text cannot hold the zero character.
    return read[:RESPONSE_LIMIT_BYTES].decode(errors="replace").replace("\x00", "\ufffd")


def _is_tls(error: BaseException) -> bool:
    return isinstance(error.__cause__ or error.__context__, ssl.SSLError)


def _describe(error: BaseException) -> str:
    text = str(error).strip()
    name = type(error).__name__
    return f"{name}: {text}" if text else name
