"""What the event writer and its clients say to each other: length-prefixed msgpack frames."""

import struct
from collections.abc import Iterator

import msgspec

from billing_core.store.events.records import Request

_LENGTH = struct.Struct(">I")


class Flush(msgspec.Struct, array_like=True, tag=0):
    """Store these requests in one transaction. Answer: `FlushAnswer`."""

    number: int
    requests: list[Request]


class Register(msgspec.Struct, array_like=True, tag=1):
    """Make sure a meter is kept; answered when its rollups cover every event, with null."""

    number: int
    org_id: bytes
    code: str
    metric_id: bytes
    aggregation: str
    field_name: str | None
    dimensions: tuple[str, ...]


class Forget(msgspec.Struct, array_like=True, tag=2):
    """Soft-delete a code's events created up to an instant. Answer: how many."""

    number: int
    org_id: bytes
    code: str
    until_us: int
    now_us: int


class Ping(msgspec.Struct, array_like=True, tag=3):
    """Ask whether the writer works. Answer: null."""

    number: int


class Settle(msgspec.Struct, array_like=True, tag=4):
    """Fold all events into the rollups now, ahead of many reads. Answer: null."""

    number: int


class Watch(msgspec.Struct, array_like=True, tag=5):
    """Watch exactly these codes of an organization: their events become due. Answer: null."""

    number: int
    org_id: bytes
    codes: list[str]


class SettleDue(msgspec.Struct, array_like=True, tag=6):
    """Take events off the list of those that are due. Answer: null."""

    number: int
    event_ids: list[int]


Command = Flush | Register | Forget | Ping | Settle | Watch | SettleDue
# null for a request whose events were all stored
FlushAnswer = list[list[bool] | None]


class Reply(msgspec.Struct, array_like=True):
    """The answer to the command with this number; `failure` says why there is none."""

    number: int
    failure: str | None
    answer: msgspec.Raw


encoder = msgspec.msgpack.Encoder()
command_decoder = msgspec.msgpack.Decoder(Command)
reply_decoder = msgspec.msgpack.Decoder(Reply)
flush_answer_decoder = msgspec.msgpack.Decoder(FlushAnswer)


def frame(message: object) -> bytes:
    """Return a message as bytes for the socket."""
    body = encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def take_frames(buffer: bytearray) -> Iterator[bytes]:
    """Remove the complete frames from the front of a buffer."""
    position = 0
    while len(buffer) - position >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(buffer, position)
        end = position + _LENGTH.size + length
        if len(buffer) < end:
            break
        yield bytes(buffer[position + _LENGTH.size : end])
        position = end
    del buffer[:position]
