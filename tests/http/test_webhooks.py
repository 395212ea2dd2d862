"""Webhooks end to end: signed for three kinds of receivers, tried again, and in full."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.billing import add_customer, add_plan, add_tax, only_invoice, subscribe
from tests.support.gateway import Gateway, Org
from tests.support.receiver import Message, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def add_endpoint(org: Org, receiver: Receiver, **fields: Any) -> dict[str, Any]:
    """Register the receiver; return the endpoint."""
    body = {"webhook_endpoint": {"webhook_url": receiver.url, **fields}}
    made: dict[str, Any] = org.post("/webhook_endpoints", body)["webhook_endpoint"]
    return made


def test_hmac(gateway: Gateway, org: Org, receiver: Receiver) -> None:
    add_endpoint(org, receiver, signature_algo="hmac")
    add_customer(org, name="Æ & <Sons>")
    (message,) = receiver.wait_for("customer.created")
    key = gateway.admin("GET", f"/organizations/{org.id}")["organization"]["hmac_key"]
    wanted = base64.b64encode(hmac.digest(key.encode(), message.body, hashlib.sha256)).decode()
    assert message.headers["x-lago-signature"] == wanted
    assert message.headers["x-lago-signature-algorithm"] == "hmac"
    assert message.payload["object_type"] == "customer"
    assert message.payload["organization_id"] == org.id
    assert message.payload["customer"]["name"] == "Æ & <Sons>"


def test_jwt(org: Org, receiver: Receiver) -> None:
    add_endpoint(org, receiver, signature_algo="jwt")
    add_customer(org)
    (message,) = receiver.wait_for("customer.created")
    assert message.headers["x-lago-signature-algorithm"] == "jwt"
    public = base64.b64decode(org.get("/webhooks/json_public_key")["webhook"]["public_key"])
    token = message.headers["x-lago-signature"]
    claims = jwt.decode(token, public, algorithms=["RS256"])
    assert claims["data"].encode() == message.body
    as_text = org.get("/webhooks/public_key")
    assert base64.b64decode(as_text) == public
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token[:-6] + "AAAAAA", public, algorithms=["RS256"])


def test_standard_webhooks(org: Org, receiver: Receiver) -> None:
    endpoint = add_endpoint(org, receiver)
    assert endpoint["signing_secret"].startswith("whsec_")
    add_customer(org)
    (message,) = receiver.wait_for("customer.created")
    verifier = Webhook(endpoint["signing_secret"])
    assert verifier.verify(message.body, message.headers) == message.payload
    assert message.headers["webhook-id"] == message.headers["x-lago-unique-key"]
    with pytest.raises(WebhookVerificationError):
        verifier.verify(message.body + b" ", message.headers)


def test_a_failed_attempt_is_repeated(org: Org) -> None:
    with receiving([500]) as receiver:
        add_endpoint(org, receiver)
        add_customer(org)
        attempts = receiver.wait_for("customer.created", 2)
    assert {one.body for one in attempts} == {attempts[0].body}
    assert {one.headers["x-lago-unique-key"] for one in attempts} == {
        attempts[0].headers["x-lago-unique-key"]
    }
    times = [int(one.headers["webhook-timestamp"]) for one in attempts]
    assert times == sorted(times)


def test_only_wanted_types_are_sent(org: Org, receiver: Receiver) -> None:
    add_endpoint(org, receiver, event_types=["subscription.started"])
    add_plan(org)
    subscribe(org)
    receiver.wait_for("subscription.started")
    org.drain()
    assert {one.payload["webhook_type"] for one in receiver.messages} == {"subscription.started"}


def test_every_endpoint_gets_its_own(org: Org, receiver: Receiver) -> None:
    with receiving() as other:
        add_endpoint(org, receiver)
        add_endpoint(org, other)
        add_customer(org)
        messages = [*receiver.wait_for("customer.created"), *other.wait_for("customer.created")]
    assert len({one.headers["x-lago-unique-key"] for one in messages}) == 2


def test_the_life_of_an_invoice_is_told(org: Org, receiver: Receiver) -> None:
    add_endpoint(org, receiver)
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "vat", "20", applied_to_organization=True)
    add_plan(org)
    add_customer(org, billing_configuration={"invoice_grace_period": 2})
    subscribe(org)
    org.clock("2026-02-05T00:00:00Z", catch_up=True)
    (drafted,) = receiver.wait_for("invoice.drafted")
    (created,) = receiver.wait_for("invoice.created")
    (generated,) = receiver.wait_for("invoice.generated")
    shown = only_invoice(org)
    assert drafted.payload["invoice"]["status"] == "draft"
    for message in (created, generated):
        told = message.payload["invoice"]
        for name in ("lago_id", "number", "total_amount_cents", "taxes_amount_cents"):
            assert told[name] == shown[name]
    assert created.payload["invoice"]["fees"][0]["amount_cents"] == 1000
    path = f"/invoices/{shown['lago_id']}"
    org.put(path, {"invoice": {"payment_status": "failed"}})
    receiver.wait_for("invoice.payment_status_updated")
    org.clock("2026-02-10T00:00:00Z", catch_up=True)
    receiver.wait_for("invoice.payment_overdue")
    org.post(f"{path}/void")
    receiver.wait_for("invoice.voided")
    org.delete("/subscriptions/s1")
    receiver.wait_for("subscription.terminated")
    assert_each_once(receiver.messages)


def assert_each_once(messages: list[Message]) -> None:
    """Check that no message came twice: all were accepted at once."""
    keys = [one.headers["x-lago-unique-key"] for one in messages]
    assert len(keys) == len(set(keys))


def test_endpoints_live(org: Org, receiver: Receiver) -> None:
    made = add_endpoint(org, receiver, name="Mine", signature_algo="hmac")
    path = f"/webhook_endpoints/{made['lago_id']}"
    assert org.get(path)["webhook_endpoint"] == made
    body = {"webhook_endpoint": {"webhook_url": receiver.url}}
    answer = org.post("/webhook_endpoints", body, 422)
    assert answer["error_details"] == {"webhook_url": ["value_already_exist"]}
    bad = {"webhook_endpoint": {"webhook_url": "ftp://example.com"}}
    assert "url_is_invalid" in str(org.post("/webhook_endpoints", bad, 422))
    change = {"webhook_endpoint": {"signature_algo": "jwt", "name": "Ours"}}
    changed = org.put(path, change)["webhook_endpoint"]
    assert (changed["signature_algo"], changed["name"]) == ("jwt", "Ours")
    assert changed["signing_secret"] == made["signing_secret"]
    org.delete(path)
    org.get(path, 404)
    add_customer(org)
    org.drain()
    assert receiver.messages == []


def test_a_generated_invoice_can_be_fetched(org: Org, receiver: Receiver) -> None:
    """A job has no request to read the gateway's address from; its links must work all the same."""
    add_endpoint(org, receiver, event_types=["invoice.generated"])
    org.clock("2024-01-01T00:00:00Z")
    add_plan(org, amount_cents=1000)
    add_customer(org)
    subscribe(org)
    org.clock("2024-02-01T01:00:00Z", catch_up=True)
    (message,) = receiver.wait_for("invoice.generated")
    answer = httpx.get(message.payload["invoice"]["file_url"])
    assert answer.status_code == httpx.codes.OK
    assert answer.content.startswith(b"%PDF")
