"""Bodies and signatures of outgoing webhooks, for receivers of Lago's and of the Standard kind."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

Algorithm = Literal["jwt", "hmac"]

USER_AGENT = "Tallygate-Webhooks/1"
SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of a secret, not one
BASE64_LINE_LENGTH = 60
RAILS_ESCAPES = str.maketrans(
    {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
)


class BadKey(ValueError):  # noqa: N818 - names what is bad
    """A key cannot sign; the message names which one and never shows it."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What one endpoint's deliveries are signed with.

    `algorithm` is the endpoint's `signature_algo`, `signing_secret` its `whsec_…`; `hmac_key` is
    the organization's, `rsa_private_key` (PEM) and `issuer` (our public URL) the server's. The
    key of the other algorithm may be empty.
    """

    algorithm: Algorithm
    issuer: str
    hmac_key: str = field(repr=False)
    rsa_private_key: str = field(repr=False)
    signing_secret: str = field(repr=False)


_encoder = msgspec.json.Encoder(decimal_format="number")


def serialize(payload: Mapping[str, Any]) -> bytes:
    r"""Return the body as Rails writes it: compact, in key order, `<` as `\u003c`, UTF-8.

    Decimals are numbers with all their digits. Cites `docs/rules/money.md` 6.1.2. Raises
    `TypeError` for what JSON cannot hold.
    """
    text = _encoder.encode(payload).decode()
    # The escaped characters occur inside JSON strings only, so the whole text may be translated.
    return text.translate(RAILS_ESCAPES).encode()


def lago_hmac(key: str, body: bytes) -> str:
    """Return base64 of HMAC-SHA256 of the body (`docs/rules/money.md` 6.1.3)."""
    return base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)).decode()


def lago_jwt(private_key_pem: str, issuer: str, body: bytes) -> str:
    """Return an RS256 token whose `data` is the body as a string (`docs/rules/money.md` 6.1.3).

    It has no `iat` or `exp`, so the same body gives the same token on every retry. Raises
    `BadKey` when the key is not an RSA private key.
    """
    claims = {"data": body.decode(), "iss": issuer}
    return jwt.encode(
        claims, _private_key(private_key_pem), algorithm="RS256", headers={"typ": None}
    )


def public_key_base64(private_key_pem: str) -> str:
    """Return base64 of the public PEM, a line end after every 60 characters.

    Both key routes answer with it (`docs/rules/money.md` 6.1.4). Raises `BadKey` as `lago_jwt`.
    """
    public = _private_key(private_key_pem).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b64encode(pem).decode()
    starts = range(0, len(text), BASE64_LINE_LENGTH)
    return "".join(f"{text[start : start + BASE64_LINE_LENGTH]}\n" for start in starts)


def standard_webhooks(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of the Standard Webhooks specification.

    `secret` is `whsec_` + base64, `timestamp` the real time of this attempt in seconds since 1970:
    receivers refuse one that is minutes off. Raises `BadKey` for a malformed secret.
    """
    key = _secret_bytes(secret)
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def headers_for(keys: SigningKeys, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return every header of one attempt; `message_id` is the webhook row's id, kept over retries.

    Cites `docs/rules/money.md` 6.1.2 and 6.1.3; raises `BadKey` for a malformed key.
    """
    if keys.algorithm == "hmac":
        signature = lago_hmac(keys.hmac_key, body)
    else:
        signature = lago_jwt(keys.rsa_private_key, keys.issuer, body)
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Lago-Signature": signature,
        "X-Lago-Signature-Algorithm": keys.algorithm,
        "X-Lago-Unique-Key": message_id,
        **standard_webhooks(keys.signing_secret, message_id, timestamp, body),
    }


def _secret_bytes(secret: str) -> bytes:
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key or encoded == secret:
        # An empty key would sign as if nothing were wrong, and anybody could forge it.
        raise BadKey("signing_secret")
    return key


@lru_cache(maxsize=4)
def _private_key(pem: str) -> RSAPrivateKey:
    """Keep the parsed key: checking it costs more than a signature."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("rsa_private_key") from None
    if not isinstance(key, RSAPrivateKey):
        raise BadKey("rsa_private_key")
    return key
