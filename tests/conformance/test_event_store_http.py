"""The hot route from request bytes to answer bytes, on a real store."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from billing_core.domain.errors import Unauthorized
from billing_core.ids import new_id
from billing_core.ports import EventFilter
from billing_core.services.events import MAX_BODY_BYTES, Caller, EventIntake
from gateway.ingest.push import HotPaths, Message, Receive, Send
from tests.support.events import EventFiles, EventRig, rig_on, running_writer

NOW = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
LONE_SURROGATE = b'{"event":{"transaction_id":"\\ud800","code":"c"}}'
MANDATORY, INVALID = ["value_is_mandatory"], ["value_is_invalid"]
EXISTS = {"transaction_id": ["value_already_exist"]}


@dataclass
class Key:
    """An API key of one organization, its clock frozen."""

    org_id: UUID = field(default_factory=new_id)
    resolve_customer_ids: bool = False
    permitted: bool = True

    def now(self) -> datetime:
        return NOW

    def may(self, resource: str, mode: str) -> bool:
        return self.permitted and (resource, mode) == ("event", "write")


class Keys:
    """Two keys; one of them has to be looked up."""

    def __init__(self) -> None:
        self.key = Key()
        self.accepted: list[tuple[UUID, Sequence[tuple[str | None, str]]]] = []

    def cached(self, key: str) -> Caller | None:
        return self.key if key == "good" else None

    async def resolve(self, key: str) -> Caller:
        if key != "slow":
            raise Unauthorized
        return self.key

    def note(self, org_id: UUID, events: Sequence[tuple[str | None, str]]) -> None:
        self.accepted.append((org_id, events))


@dataclass
class Front:
    """The hot route with everything behind it."""

    app: HotPaths
    keys: Keys
    rig: EventRig

    async def post(
        self,
        path: str,
        body: Any,
        authorization: str | None = "Bearer good",
        chunk_bytes: int = 0,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> tuple[int, Any]:
        """Return status and decoded body of one request."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        size = chunk_bytes or len(data) or 1
        chunks = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        given = [*headers]
        if authorization is not None:
            given.append((b"authorization", authorization.encode()))
        sent: list[Message] = []
        waiting = iter(chunks)
        left = len(chunks)

        async def receive() -> Message:
            nonlocal left
            left -= 1
            return {"type": "http.request", "body": next(waiting), "more_body": left > 0}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "headers": given}
        await self.app(scope, receive, send)
        self.headers = dict(sent[0]["headers"])
        assert int(self.headers[b"content-length"]) == len(sent[1]["body"])
        return sent[0]["status"], json.loads(sent[1]["body"])

    async def single(self, event: Any) -> tuple[int, Any]:
        return await self.post("/api/v1/events", {"event": event})

    async def batch(self, events: Any) -> tuple[int, Any]:
        return await self.post("/api/v1/events/batch", {"events": events})

    async def refused(self, event: Any) -> Any:
        status, body = await self.single(event)
        assert (status, body["code"]) == (422, "validation_errors"), body
        return body["error_details"]

    async def count(self) -> int:
        return (await self.rig.store.list_events(self.keys.key.org_id, EventFilter(), 1, 0))[1]


async def behind(_scope: Any, _receive: Receive, send: Send) -> None:
    body = b'"behind"'
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 299, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def named_after(_caller: Any, given: str) -> str:
    return f"subscription-of-{given}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventFiles]:
    with running_writer(tmp_path_factory.mktemp("events")) as running:
        yield running


@pytest.fixture
async def front(files: EventFiles) -> AsyncIterator[Front]:
    async with rig_on(files) as rig:
        keys = Keys()
        intake = EventIntake(rig.ingest, subscription_resolver=named_after, on_accepted=keys.note)
        yield Front(HotPaths(behind, keys, intake), keys, rig)


def event(transaction_id: Any = "t1", **more: Any) -> dict[str, Any]:
    return {"transaction_id": transaction_id, "code": "c", "external_subscription_id": "s", **more}


async def test_a_single_event(front: Front) -> None:
    sent = event(timestamp="1693842312.3449999", properties={"a": 1.5, "b": "\N{SNOWMAN}"})
    status, body = await front.single({**sent, "lago_id": "mine", "unknown": [1]})
    assert status == 200
    stored = await front.rig.store.find_event(front.keys.key.org_id, "t1")
    assert stored is not None
    assert body == {
        "event": {
            "lago_id": str(stored.id),
            "transaction_id": "t1",
            "lago_customer_id": None,
            "code": "c",
            "timestamp": "2023-09-04T15:45:12.344Z",
            "precise_total_amount_cents": None,
            "properties": {"a": 1.5, "b": "\N{SNOWMAN}"},
            "lago_subscription_id": None,
            "external_subscription_id": "s",
            "created_at": "2026-11-20T12:00:00Z",
        }
    }
    assert stored.timestamp == datetime(2023, 9, 4, 15, 45, 12, 344999, tzinfo=UTC)
    assert front.keys.accepted == [(front.keys.key.org_id, [("s", "c")])]
    assert await front.refused(sent) == EXISTS
    assert len(front.keys.accepted) == 1


async def test_requests_in_pieces_and_keys_to_look_up(front: Front) -> None:
    body = {"event": event()}
    assert (await front.post("/api/v1/events", body, "anything slow", chunk_bytes=7))[0] == 200
    assert await front.count() == 1


async def test_what_is_not_hot_goes_behind(front: Front) -> None:
    assert await front.post("/api/v1/customers", {}) == (299, "behind")
    cloud = ((b"content-type", b"application/cloudevents+json"),)
    assert await front.post("/api/v1/events", {}, headers=cloud) == (299, "behind")


@pytest.mark.parametrize("authorization", [None, "", "good", "Bearer", "Bearer bad"])
async def test_without_a_key(front: Front, authorization: str | None) -> None:
    answer = await front.post("/api/v1/events", {"event": event()}, authorization)
    assert answer == (401, {"status": 401, "error": "Unauthorized"})


async def test_without_permission(front: Front) -> None:
    front.keys.key.permitted = False
    code = "write_action_not_allowed_for_event"
    expected = {"status": 403, "error": "Forbidden", "code": code}
    assert await front.single(event()) == (403, expected)
    assert await front.batch([event()]) == (403, expected)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"null", b"[]", b"{}", b'"event"', b'{"event":null}', b'{"event":{}}'),
        *(
            b'{"event":[]}',
            b'{"event":"x"}',
            b'{"event":{"code":NaN}}',
            b'{"event":{"code":"\xff"}}',
        ),
        *(LONE_SURROGATE, b"\xef\xbb\xbf{}", b'{"event":{"code":' + b"9" * 5000 + b"}}"),
        b'{"event":{"code":"c","properties":{"a":"\\ud800"}}}',
        b'{"event":{"code":"c","properties":{"a":"\xff"}}}',
        b'{"event":{"code":"c","properties":' + b'{"a":' * 9999 + b"1" + b"}" * 9999 + b"}}",
        b'{"event":{"code":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    ],
)
async def test_bodies_that_cannot_be_read(front: Front, body: bytes) -> None:
    status, answer = await front.post("/api/v1/events", body)
    assert (status, answer["status"], sorted(answer)) == (400, 400, ["error", "status"])
    assert answer["error"].startswith("BadRequest: ")


async def test_too_much_at_once(front: Front) -> None:
    declared = ((b"content-length", str(MAX_BODY_BYTES + 1).encode()),)
    status, answer = await front.post("/api/v1/events", b"{", headers=declared)
    assert (status, answer["code"]) == (413, "request_too_large")
    large = b" " * (MAX_BODY_BYTES + 1)
    assert (await front.post("/api/v1/events", large))[0] == 413
    assert (await front.post("/api/v1/events/batch", large, chunk_bytes=1 << 20))[0] == 413


async def test_mandatory_fields(front: Front) -> None:
    both = {"transaction_id": MANDATORY, "code": MANDATORY}
    assert await front.refused({"transaction_id": None, "properties": {}}) == both
    assert await front.refused({"transaction_id": "", "code": " \t"}) == both
    assert await front.refused({"transaction_id": {"a": 1}, "code": ["c"]}) == both
    bad_time = {**both, "timestamp": ["invalid_format"]}
    assert await front.refused({"timestamp": "2026-01-01"}) == bad_time


async def test_ids_of_other_types_and_lengths(front: Front) -> None:
    for given, stored in ((12, "12"), (1.5, "1.5"), (True, "t"), (10**20, "1" + "0" * 20)):
        _, body = await front.single(event(given))
        assert body["event"]["transaction_id"] == stored
    longest = "x" * 255
    assert (await front.single(event(longest, code=longest)))[0] == 200
    too_long = await front.refused(event("x" * 256, external_subscription_id="y" * 256))
    assert too_long == {
        "transaction_id": ["value_is_too_long"],
        "external_subscription_id": ["value_is_too_long"],
    }
    assert await front.refused(event("a\x00b")) == {"transaction_id": INVALID}
    _, body = await front.single(event("none", external_subscription_id=None))
    assert body["event"]["external_subscription_id"] is None


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.000Z"),
        (1780586634.1, "2026-06-04T15:23:54.100Z"),
        ("1780586634.1", "2026-06-04T15:23:54.100Z"),
        (" 1_780_586_634 ", "2026-06-04T15:23:54.000Z"),
        ("1e9", "2001-09-09T01:46:40.000Z"),
        ("0.0000009", "1970-01-01T00:00:00.000Z"),
        ("1e-999999999", "1970-01-01T00:00:00.000Z"),
        (253402300799, "9999-12-31T23:59:59.000Z"),
        (-62135596800, "0001-01-01T00:00:00.000Z"),
        (None, "2026-11-20T12:00:00.123Z"),
    ],
)
async def test_timestamps(front: Front, given: Any, shown: str) -> None:
    status, body = await front.single(event(timestamp=given))
    assert (status, body["event"]["timestamp"]) == (200, shown)


@pytest.mark.parametrize(
    "given",
    [
        *("", " ", "x", "2026-01-01T00:00:00Z", "NaN", "Infinity", "1e999999999", "0x10", "1,5"),
        *(True, [], {}, 253402300800, -62135596801, 1780586634000, 10**400, "\u0661"),
    ],
)
async def test_timestamps_that_are_refused(front: Front, given: Any) -> None:
    assert await front.refused(event(timestamp=given)) == {"timestamp": ["invalid_format"]}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        *(("12.5", "12.5"), (3, "3.0"), (0.1, "0.1"), ("abc", "0.0"), ("", None), (None, None)),
        *(("12abc", "12.0"), ("-1e2", "-100.0"), ("0.1234567890123455", "0.123456789012346")),
        *(([], None), (True, "0.0"), ("NaN", "0.0")),
    ],
)
async def test_precise_amounts(front: Front, given: Any, shown: str | None) -> None:
    _, body = await front.single(event(precise_total_amount_cents=given))
    assert body["event"]["precise_total_amount_cents"] == shown


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        *((b"[1]", {}), (b'"x"', {}), (b"null", {}), (b"{}", {}), (b"7", {})),
        (b'{"a": {"b": [1, null, true]}}', {"a": {"b": [1, None, True]}}),
        (b'{"a":"\\\\u0000"}', {"a": "\\u0000"}),
        (b'{"a":' + b"[" * 90 + b"]" * 90 + b"}", None),
    ],
)
async def test_properties(front: Front, given: bytes, stored: Any) -> None:
    body = b'{"event":{"transaction_id":"t","code":"c","properties":' + given + b"}}"
    status, answer = await front.post("/api/v1/events", body)
    assert status == 200
    expected = json.loads(given) if stored is None else stored
    assert answer["event"]["properties"] == expected


@pytest.mark.parametrize(
    "given",
    [
        *(b'{"a":1e999}', b'{"a":-1e-999999999}', b'{"a":1e99999999999999999999}'),
        *(b'{"a":"\\u0000"}', b'{"a":{"\\u0000":1}}', b'{"a":"' + b"9" * 500 + b'"}'),
        *(b'{"a":' + b"9" * 5000 + b"}", b'{"a":' + b"[" * 150 + b"]" * 150 + b"}"),
    ],
)
async def test_properties_that_are_refused(front: Front, given: bytes) -> None:
    body = b'{"event":{"transaction_id":"t","code":"c","properties":' + given + b"}}"
    status, answer = await front.post("/api/v1/events", body)
    assert (status, answer.get("error_details")) == (422, {"properties": INVALID})


async def test_a_batch(front: Front) -> None:
    status, body = await front.batch([event(f"t{number}") for number in range(100)])
    assert status == 200
    names = [each["transaction_id"] for each in body["events"]]
    assert names == [f"t{number}" for number in range(100)]
    assert await front.count() == 100


@pytest.mark.parametrize("events", [None, [], {}, "x", 5])
async def test_a_batch_of_nothing(front: Front, events: Any) -> None:
    status, body = await front.batch(events)
    assert (status, body["error_details"]) == (422, {"events": ["no_events"]})


async def test_a_batch_of_too_many(front: Front) -> None:
    status, body = await front.batch([event(str(number)) for number in range(101)])
    assert (status, body["error_details"]) == (422, {"events": ["too_many_events"]})


async def test_a_batch_is_refused_in_two_phases(front: Front) -> None:
    assert (await front.single(event("stored")))[0] == 200
    sent = [event("stored"), event("a", timestamp="x"), 5, event("b"), event("b")]
    _, body = await front.batch(sent)
    assert body["error_details"] == {
        "1": {"timestamp": ["invalid_format"]},
        "2": {"transaction_id": MANDATORY, "code": MANDATORY},
        "4": EXISTS,
    }
    _, body = await front.batch([event("c"), event("stored"), event("b")])
    assert body["error_details"] == {"1": EXISTS}
    assert await front.count() == 1


async def test_in_a_batch_ids_repeat_across_subscriptions(front: Front) -> None:
    others = [event(external_subscription_id=name) for name in ("s1", "s2", None, None)]
    assert (await front.batch(others))[0] == 200
    assert await front.count() == 4


async def test_customer_ids_are_resolved_and_uniqueness_follows_what_was_given(
    front: Front,
) -> None:
    front.keys.key.resolve_customer_ids = True
    _, body = await front.single(event())
    assert body["event"]["external_subscription_id"] == "subscription-of-s"
    assert await front.refused(event()) == EXISTS


async def test_the_same_event_at_once_is_stored_once(front: Front) -> None:
    answers = await asyncio.gather(*(front.single(event()) for _ in range(20)))
    assert sorted(status for status, _ in answers) == [200] + [422] * 19


async def test_without_the_writer_the_answer_is_503(front: Front) -> None:
    await front.rig.ingest.stop()
    expected = {"status": 503, "error": "Service Unavailable", "code": "service_unavailable"}
    assert await front.single(event()) == (503, expected)


async def test_a_full_queue_answers_429(front: Front) -> None:
    front.rig.ingest._max_queued_events = 0  # noqa: SLF001 - full from the start
    status, body = await front.single(event())
    assert (status, body["code"], front.headers[b"retry-after"]) == (
        429,
        "too_many_requests",
        b"1",
    )
