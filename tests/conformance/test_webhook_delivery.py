"""Webhook deliveries over real sockets: what counts as success, and what is never reached."""

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpcore
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from lago_python_client import Client
from standardwebhooks import Webhook
from tenacity import wait_none

from billing_core.clock import wall_now
from connectors.webhooks.egress import (
    GuardedBackend,
)
from connectors.webhooks.sender import (
    RESPONSE_LIMIT_BYTES,
    Network,
    Outcome,
    WebhookSender,
)
from connectors.webhooks.signing import (
    Algorithm,
    SigningKeys,
    headers_for,
    lago_jwt,
    public_key_base64,
    serialize,
)

PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
ISSUER = "https://bill.example"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's example
MESSAGE_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
BODY = serialize({"webhook_type": "customer.created", "customer": {"name": "Æ & <Sons>\u2028"}})


def keys_of(algorithm: Algorithm) -> SigningKeys:
    return SigningKeys(algorithm, ISSUER, "hmac-key", PEM, SECRET)


class Receiver:
    """A small HTTP server that answers each path as told, and remembers what it was sent."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.port = 0
        self._bodies = bodies

    @classmethod
    @asynccontextmanager
    async def serving(
        cls, bodies: dict[str, bytes] | None = None, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator["Receiver"]:
        receiver = cls(bodies or {})
        server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0, ssl=tls)
        receiver.port = server.sockets[0].getsockname()[1]
        async with server:
            yield receiver

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            values = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path = head[0].split(" ")[1]
            self.requests.append((head[0], values, body))
            await self._answer(path, writer, reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has heard enough
        finally:
            writer.close()

    async def _answer(
        self, path: str, writer: asyncio.StreamWriter, reader: asyncio.StreamReader
    ) -> None:
        word = path.strip("/").split("/")[0]
        if word == "silent":
            await reader.read()
        elif word == "trickle":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.02)
        elif word == "garbage":
            writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        elif word == "cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        elif word != "hangup":
            body = self._bodies.get(path, b"")
            status = word if word.isdecimal() else "200"
            writer.write(f"HTTP/1.1 {status} X\r\nLocation: /200\r\n".encode())
            if status != "204":
                writer.write(b"Content-Length: %d\r\n" % len(body))
            writer.write(b"Content-Type: application/json\r\n\r\n" + body)
            await writer.drain()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    bodies = {"/500/why": b"out of \x00 order \xff", "/200/long": b"x" * 1_000_000}
    async with Receiver.serving(bodies) as started:
        yield started


SENDER = WebhookSender(allow_private=True, timeout_seconds=5, wait=wait_none())
GUARDED = WebhookSender(allow_private=False, timeout_seconds=5, wait=wait_none())
HASTY = WebhookSender(allow_private=True, timeout_seconds=0.2, wait=wait_none())


async def test_what_arrives_is_what_was_signed(receiver: Receiver) -> None:
    headers = headers_for(keys_of("hmac"), MESSAGE_ID, int(wall_now().timestamp()), BODY)
    outcome = await SENDER.deliver(receiver.url("/200?a=b#c"), BODY, headers)
    assert outcome == Outcome(200, "", None)
    assert outcome.succeeded
    [(line, received, body)] = receiver.requests
    assert line == "POST /200?a=b HTTP/1.1"
    assert body == BODY
    assert headers.items() <= received.items()
    Webhook(SECRET).verify(body, received)


@pytest.mark.parametrize(
    ("status", "succeeded"),
    [(200, True), (201, True), (202, True), (204, True), (203, False), (205, False), (206, False)]
    + [(code, False) for code in (301, 302, 303, 307, 308, 400, 404, 410, 429, 500, 503)],
)
async def test_success_is_four_codes(receiver: Receiver, status: int, *, succeeded: bool) -> None:
    outcome = await SENDER.deliver(receiver.url(f"/{status}"), BODY, {})
    assert (outcome.status_code, outcome.succeeded) == (status, succeeded)
    assert outcome.error is None
    assert receiver.connections == 1, "neither followed nor repeated"


async def test_the_answer_is_kept_in_part(receiver: Receiver) -> None:
    failed = await SENDER.deliver(receiver.url("/500/why"), BODY, {})
    assert failed.response_text == "out of \ufffd order \ufffd"
    long = await SENDER.deliver(receiver.url("/200/long"), BODY, {})
    assert long.response_text == "x" * RESPONSE_LIMIT_BYTES
    assert long.succeeded


async def test_credentials_in_the_url_become_basic_auth(receiver: Receiver) -> None:
    await SENDER.deliver(f"http://me:p%40ss@127.0.0.1:{receiver.port}/200", BODY, {})
    expected = base64.b64encode(b"me:p@ss").decode()
    assert receiver.requests[0][1]["Authorization"] == f"Basic {expected}"


@pytest.mark.parametrize(
    ("path", "status_code", "error"),
    [
        ("/silent", None, "ReadTimeout"),
        ("/trickle", 200, "TimeoutError"),
        ("/garbage", None, "RemoteProtocolError"),
        ("/hangup", None, "RemoteProtocolError"),
        ("/cut", 200, "RemoteProtocolError"),
    ],
)
async def test_bad_receivers_are_failures_and_hold_nobody_up(
    receiver: Receiver, path: str, status_code: int | None, error: str
) -> None:
    outcome = await HASTY.deliver(receiver.url(path), BODY, {})
    assert outcome.error
    assert outcome.error.startswith(error)
    assert outcome.status_code == status_code
    assert not outcome.succeeded
    assert receiver.connections == 1, "it was reached, so only the schedule repeats it"


async def test_a_refused_connection_is_tried_again_at_once() -> None:
    heard: list[Outcome] = []

    async def hear(outcome: Outcome) -> None:
        heard.append(outcome)

    with socket.socket() as bound:  # bound and not listening: nobody else can take the port
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        outcome = await SENDER.deliver(url, BODY, {}, hear)
    assert heard == [outcome] * 3
    assert outcome.is_unreached
    assert not outcome.succeeded
    assert outcome.error


async def test_a_name_that_does_not_resolve_is_a_failure() -> None:
    async def nobody(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    backend = GuardedBackend(allow_private=False, resolver=nobody)
    network = Network(backend, ssl.create_default_context())
    sender = WebhookSender(allow_private=False, network=network, wait=wait_none())
    outcome = await sender.deliver("http://nowhere.invalid/", BODY, {})
    assert outcome.error == "ConnectError: host_not_found"


async def test_a_bug_of_ours_is_not_booked_as_a_failure(receiver: Receiver) -> None:
    with pytest.raises(httpcore.LocalProtocolError):
        await SENDER.deliver(receiver.url("/200"), BODY, {"bad header\n": "x"})
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]"])
async def test_our_own_network_is_not_reached(receiver: Receiver, host: str) -> None:
    outcome = await GUARDED.deliver(receiver.url("/200", host), BODY, {})
    assert outcome.error == "EgressRefused: address_not_allowed"
    assert receiver.connections == 0


class Dialler(httpcore.AnyIOBackend):
    """Notes which address is dialled, and leads every call to the loopback network."""

    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        return await super().connect_tcp("127.0.0.1", port, timeout, local_address, socket_options)


class Names:
    """A name server whose answers follow a script, as an attacker's does."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, _host: str, _port: int) -> list[str]:
        return self.answers.pop(0)


def network_of(names: Names, dialler: Dialler | None = None, *, allow_private: bool) -> Network:
    backend = GuardedBackend(allow_private=allow_private, resolver=names, dialler=dialler)
    return Network(backend, ssl.create_default_context())


async def test_a_name_is_asked_once_and_the_checked_address_is_dialled(receiver: Receiver) -> None:
    names, dialler = Names(["8.8.8.8"], ["127.0.0.1"]), Dialler()
    network = network_of(names, dialler, allow_private=False)
    sender = WebhookSender(allow_private=False, network=network, wait=wait_none())
    url = receiver.url("/200", "rebind.example")
    first = await sender.deliver(url, BODY, {})
    assert dialler.dialled == ["8.8.8.8"], "not the name, which could resolve anew"
    assert first.error == "EgressRefused: address_not_allowed", "the peer itself is looked at too"
    second = await sender.deliver(url, BODY, {})
    assert second.error == "EgressRefused: address_not_allowed"
    assert dialler.dialled == ["8.8.8.8"]
    assert receiver.requests == []


async def test_one_private_address_among_public_ones_refuses_the_name(receiver: Receiver) -> None:
    dialler = Dialler()
    network = network_of(Names(["8.8.8.8", "10.0.0.1"]), dialler, allow_private=False)
    sender = WebhookSender(allow_private=False, network=network)
    outcome = await sender.deliver(receiver.url("/200", "mixed.example"), BODY, {})
    assert outcome.error == "EgressRefused: address_not_allowed"
    assert dialler.dialled == []


async def test_the_next_address_is_tried(receiver: Receiver) -> None:
    network = network_of(Names(["127.0.0.2", "127.0.0.1"]), allow_private=True)
    sender = WebhookSender(allow_private=True, network=network, wait=wait_none())
    assert (await sender.deliver(receiver.url("/200", "two.example"), BODY, {})).succeeded


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server context certified for `hooks.example`, and a client context trusting it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), "hooks.example"
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wall_now() - timedelta(days=1))
        .not_valid_after(wall_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))


@pytest.mark.parametrize(("host", "succeeded"), [("hooks.example", True), ("other.example", False)])
async def test_certificates_are_checked_against_the_name_not_the_address(
    certified: tuple[ssl.SSLContext, ssl.SSLContext], host: str, *, succeeded: bool
) -> None:
    server, trusting = certified
    backend = GuardedBackend(allow_private=True, resolver=Names(["127.0.0.1"]))
    sender = WebhookSender(allow_private=True, network=Network(backend, trusting))
    async with Receiver.serving(tls=server) as receiver:
        outcome = await sender.deliver(receiver.url("/200", host, "https"), BODY, {})
    assert outcome.succeeded is succeeded
    assert not outcome.is_unreached, "a bad certificate is not asked for again"
    assert succeeded or "CERTIFICATE_VERIFY_FAILED" in (outcome.error or "")


async def test_a_jwt_is_verified_with_the_key_lagos_client_fetches() -> None:
    answer = json.dumps({"webhook": {"public_key": public_key_base64(PEM)}}).encode()
    async with Receiver.serving({"/api/v1/webhooks/json_public_key": answer}) as receiver:
        client = Client(api_key="key", api_url=receiver.url("/"))
        public_key = await asyncio.to_thread(client.webhooks.public_key)
    token = lago_jwt(PEM, ISSUER, BODY)
    claims = jwt.decode(token, public_key, algorithms=["RS256"], issuer=ISSUER)
    assert claims == {"data": BODY.decode(), "iss": ISSUER}
    assert jwt.get_unverified_header(token) == {"alg": "RS256"}
    assert lago_jwt(PEM, ISSUER, BODY) == token, "a retry is signed alike"
