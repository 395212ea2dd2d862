"""Outgoing webhooks: independent verifiers accept them, and the guard knows our network."""

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from billing_core.clock import wall_now
from connectors.webhooks.egress import (
    EgressRefused,
    check_url,
    is_allowed,
)
from connectors.webhooks.sender import (
    retry_delay,
)
from connectors.webhooks.signing import (
    Algorithm,
    BadKey,
    SigningKeys,
    headers_for,
    lago_hmac,
    lago_jwt,
    public_key_base64,
    serialize,
    standard_webhooks,
)

PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
EC_PEM = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
ISSUER = "https://bill.example"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's example
MESSAGE_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
BODY = serialize({"webhook_type": "customer.created", "customer": {"name": "Æ & <Sons>\u2028"}})


def keys_of(algorithm: Algorithm) -> SigningKeys:
    return SigningKeys(algorithm, ISSUER, "hmac-key", PEM, SECRET)


# --- bodies and signatures


def test_a_body_is_written_as_rails_does() -> None:
    assert serialize({"b": 'Æ</x>&\u2029"\n\x1f', "a": [1, None, True]}) == (
        b'{"b":"\xc3\x86\\u003c/x\\u003e\\u0026\\u2029\\"\\n\\u001f","a":[1,null,true]}'
    )


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_a_body_reads_back_whatever_it_says(payload: dict[str, Any]) -> None:
    body = serialize(payload)
    assert json.loads(body) == payload
    assert not set(body.decode()) & set("<>&\u2028\u2029")


def test_decimals_are_numbers_with_all_their_digits() -> None:
    exact = Decimal("12345678901234567.890123456789")
    assert serialize({"a": exact}) == b'{"a":12345678901234567.890123456789}'


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError):
        serialize({"a": object()})


def test_hmac_equals_the_published_example() -> None:
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"  # RFC 4231 4.3
    signature = lago_hmac("Jefe", b"what do ya want for nothing?")
    assert base64.b64decode(signature, validate=True).hex() == digest


def test_standard_signature_equals_the_published_example() -> None:
    headers = standard_webhooks(
        SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_public_key_has_short_lines() -> None:
    lines = public_key_base64(PEM).splitlines(keepends=True)
    assert {len(line) for line in lines[:-1]} == {61}
    assert all(line.endswith("\n") for line in lines)
    assert base64.b64decode("".join(lines)).startswith(b"-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize("algorithm", ["jwt", "hmac"])
def test_the_headers_satisfy_receivers_of_both_kinds(algorithm: Algorithm) -> None:
    timestamp = int(wall_now().timestamp())
    headers = headers_for(keys_of(algorithm), MESSAGE_ID, timestamp, BODY)
    assert set(headers) == {
        "Content-Type",
        "User-Agent",
        "X-Lago-Signature",
        "X-Lago-Signature-Algorithm",
        "X-Lago-Unique-Key",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    assert Webhook(SECRET).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", headers)
    assert headers["X-Lago-Unique-Key"] == headers["webhook-id"] == MESSAGE_ID
    assert headers["X-Lago-Signature-Algorithm"] == algorithm
    signature = headers["X-Lago-Signature"]
    if algorithm == "hmac":
        assert signature == lago_hmac("hmac-key", BODY)
    else:
        assert signature == lago_jwt(PEM, ISSUER, BODY)


def test_bad_keys_are_named_and_never_shown() -> None:
    for secret in ("", "whsec_", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
        with pytest.raises(BadKey, match=r"^signing_secret$"):
            standard_webhooks(secret, MESSAGE_ID, 1, BODY)
    for pem in ("", "hidden", EC_PEM):
        with pytest.raises(BadKey, match=r"^rsa_private_key$"):
            lago_jwt(pem, ISSUER, BODY)
    shown = repr(keys_of("jwt"))
    assert SECRET not in shown
    assert "PRIVATE" not in shown
    assert "hmac-key" not in shown


# --- the schedule


def test_the_waits_are_lagos() -> None:
    assert [retry_delay(n, lambda: 0.0) for n in (1, 2, 3)] == [3, 18, 83]
    assert retry_delay(1, lambda: 1.0) == pytest.approx(3.15)
    assert retry_delay(2, lambda: 1.0) == pytest.approx(20.4)
    with pytest.raises(ValueError, match="0"):
        retry_delay(0, lambda: 0.0)


# --- the guard


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - refused, not bound
        "127.0.0.1",
        "127.9.9.9",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.1.1",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "2001:db8::1",
        "2001:0:7f00:1::1",
        "2002:7f00:1::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "3fff::1",
    ],
)
def test_private_addresses_need_permission(address: str) -> None:
    assert not is_allowed(address, allow_private=False)
    assert is_allowed(address, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "224.0.0.1",
        "239.255.255.250",
        "ff02::1",
    ],
)
def test_metadata_and_multicast_are_never_allowed(address: str) -> None:
    assert not is_allowed(address, allow_private=False)
    assert not is_allowed(address, allow_private=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "//host/x",
        "file:///etc/passwd",
        "ftp://host/",
        "unix:///x",
        "http://",
        "http://h:x/",
    ],
)
def test_only_http_urls_are_delivered_to(url: str) -> None:
    with pytest.raises(EgressRefused):
        check_url(url)
