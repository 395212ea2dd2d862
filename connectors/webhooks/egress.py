"""The guard on outgoing connections: a tenant's URL must not reach into our own network."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore
import httpx

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
Address = IPv4Address | IPv6Address

SCHEMES = frozenset({"http", "https"})
GLOBAL_UNICAST_V6 = ip_network("2000::/3")
NAT64 = ip_network("64:ff9b::/96")
# Not marked as special by every version of the standard library.
SPECIAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    )
)
# Cloud metadata services hand out credentials, so permission for private networks excludes them.
METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)


class EgressRefused(Exception):  # noqa: N818 - an answer of the guard, as Refusal is one
    """The target may not be contacted; the message is one word.

    It never tells an address: the tenant sees it, and could map our network by it.
    """


def check_url(url: str) -> httpx.URL:
    """Return the parsed URL; raises `EgressRefused` unless it is http(s) with a host."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise EgressRefused("malformed_url") from None
    if parsed.scheme not in SCHEMES or not parsed.host:
        raise EgressRefused("scheme_not_allowed")
    return parsed


def is_allowed(address: str, *, allow_private: bool) -> bool:
    """Tell whether an IP address may be contacted.

    Loopback, private, link-local, carrier-grade NAT, reserved and documentation ranges need
    `allow_private`; multicast and cloud metadata addresses are never allowed. Addresses that
    carry an IPv4 one (mapped, 6to4, NAT64, Teredo) are judged by both.
    """
    outer = ip_address(address)
    return all(_is_allowed(one, allow_private=allow_private) for one in (outer, *_carried(outer)))


def _carried(outer: Address) -> tuple[IPv4Address, ...]:
    if isinstance(outer, IPv4Address):
        return ()
    inner = [outer.ipv4_mapped, outer.sixtofour, *(outer.teredo or ())]
    if outer in NAT64:
        inner.append(IPv4Address(int(outer) & 0xFFFF_FFFF))
    return tuple(one for one in inner if one is not None)


def _is_allowed(one: Address, *, allow_private: bool) -> bool:
    if one in METADATA or one.is_multicast:
        return False
    if allow_private:
        return True
    if isinstance(one, IPv6Address) and one not in GLOBAL_UNICAST_V6:
        return one in NAT64  # the IPv4 address inside is judged beside it
    return one.is_global and not any(one in network for network in SPECIAL)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host in the system's order of preference."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the very addresses it has checked, so a second DNS answer changes nothing.

    A host with one forbidden address among others is refused: only an attack mixes them.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        resolver: Resolver = resolve,
        dialler: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolver = resolver
        self._dialler = dialler or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect; raises `EgressRefused`, `ConnectError` or `ConnectTimeout`."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked(host, port)
                return await self._first(addresses, port, timeout, local_address, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout("connection_timed_out") from None

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - the signature of httpcore
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the signature of httpcore
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - the signature of httpcore
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: a URL never names a socket file."""
        raise EgressRefused("scheme_not_allowed")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore asks between its own retries."""
        await asyncio.sleep(seconds)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("host_not_found") from None
        if not addresses:
            raise httpcore.ConnectError("host_not_found")
        for address in addresses:
            self._check(address)
        return addresses

    async def _first(
        self,
        addresses: Sequence[str],
        port: int,
        timeout_seconds: float | None,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore.AsyncNetworkStream:
        # One silent address must not use up the time of the ones behind it.
        share = None if timeout_seconds is None else timeout_seconds / len(addresses)
        failure: Exception = httpcore.ConnectError("host_not_found")
        for address in addresses:
            try:
                stream = await self._dialler.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            await self._check_peer(stream)
            return stream
        raise failure

    async def _check_peer(self, stream: httpcore.AsyncNetworkStream) -> None:
        peer = stream.get_extra_info("server_addr")
        try:
            self._check(str(peer[0]))
        except BaseException:
            await stream.aclose()
            raise

    def _check(self, address: str) -> None:
        if not is_allowed(address, allow_private=self._allow_private):
            raise EgressRefused("address_not_allowed")
